"""Who may have sent what arrived since the last look: the rule the scoreboard holds the hardware to."""

from collections.abc import Callable

import numpy as np

from khhw.control.changes import Moment
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.fuzz.scenario import Matrix

__all__ = ["ReferenceModel", "WatchedChanges"]


class ReferenceModel:
    """isAllowed over time, as far as a look at memories can tell.

    During the first phase of a change what the old matrix allows may still arrive. From its acknowledged end on
    nothing may that the new matrix refuses.

    Parameters
    ----------
    nodes : int

    Attributes
    ----------
    now : Matrix
        What the last phase that ended allows.
    possible : Matrix
        What may have been delivered since the last look.
    always : Matrix
        What was allowed in every moment of this round: it must not be lost.
    committed : bool
        There are tables at all.
    heard : Matrix
        What columns allow: all that console packets are judged by, as they pass no row.
    opened : bool
        Columns allowed more than the matrix in this round.
    ever : Matrix
        What was possible at some time of this round.
    """

    def __init__(self, nodes: int) -> None:
        self.committed = False
        self.now: Matrix = np.zeros((nodes, nodes), np.bool_)
        self.begin_round(self.now)

    def begin_round(self, columns: Matrix) -> None:
        """Everything before has arrived or never will; columns allow `columns`."""
        self.possible, self.always, self.ever = self.now.copy(), self.now.copy(), self.now.copy()
        self.heard, self.opened = columns.copy(), not np.array_equal(columns, self.now)

    def phase_ended(self, now: Matrix) -> None:
        """All nodes have acknowledged a phase: only `now` is allowed from here on."""
        self.committed = True
        self.now = now.copy()
        self.possible = now.copy()
        self.heard = now.copy()
        self.always &= now
        self.ever |= now

    def phase_begins(self, coming: Matrix) -> None:
        """What the next phase allows may arrive as well, from the first node's commit on."""
        self.possible |= coming
        self.ever |= coming

    def looked(self) -> None:
        """Everything possible until now was looked for."""
        self.possible = self.now.copy()


class WatchedChanges:
    """Changes of domains, with looks at the machine at the very cycles the rule speaks of.

    When all nodes have acknowledged a phase, what has arrived is judged by what was allowed before; when it ends, what
    came since then is judged by what this phase allows, and nothing else.

    Parameters
    ----------
    epochs : EpochControl
    model : ReferenceModel
    look : callable
        Looks at all memories, in no time.
    """

    def __init__(self, epochs: EpochControl, model: ReferenceModel, look: Callable[[], None]) -> None:
        self._epochs = epochs
        self._model = model
        self._look = look

    async def change_to(self, new: Matrix) -> None:
        """See :meth:`~khhw.control.epochs.EpochControl.change`."""
        async def watch(moment: Moment, domains: Domains) -> None:
            self._look()
            if moment is Moment.ACKNOWLEDGED:
                self._model.phase_ended(domains.matrix)
            else:
                self._model.phase_begins(new)

        await self._epochs.change(Domains(new), watch=watch)
