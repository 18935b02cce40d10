"""How to run, and how it went."""

import enum
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Options", "Outcome", "State"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a back end runs a machine. Results depend on `max_cycles` and `stall_cycles` only.

    Parameters
    ----------
    max_cycles : int or None
        The run ends before this cycle.
    stall_cycles : int
        Cycles after which a machine that is busy, but tells its host nothing and is asked nothing, is stuck.
    jump : bool
        Skip cycles in which nothing can happen.
    progress_seconds : float
        Wall time between two progress reports.
    sign_every, sign_from : int
        Cycles from one sample of all nodes' signatures (``rtl/misr.py``) to the next, and the cycle of the first.
        0: only those at the end are kept.
    """

    max_cycles: int | None = None
    stall_cycles: int = 100_000
    jump: bool = True
    progress_seconds: float = 0.25
    sign_every: int = 0
    sign_from: int = 0


class State(enum.StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    """Every task that is not a daemon has ended."""
    FAILED = "failed"
    """A task failed and nobody was waiting for it."""
    STUCK = "stuck"
    """The machine is busy, but nothing has come of it for `stall_cycles`."""
    QUIET = "quiet"
    """Tasks wait, the machine is idle, and nothing is due: nothing can happen any more."""
    BUDGET = "budget"
    """`max_cycles` are over."""
    INTERRUPTED = "interrupted"
    """A person or a signal stopped it."""


@dataclass(kw_only=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    state : State
        In a word.
    message : str
        In a sentence.
    cycles : int
        Cycles the machine has lived, skipped ones included.
    wall_seconds : float
        Wall time.
    waiting : list of str
        Tasks that had not ended, and what each waited for, if the machine did not come to an end by itself.
    stuck : list of str
        What the program says about where packets are, if the machine did not come to an end by itself.
    statistics : dict
        What the back end counted.
    signature : list of int
        Of all nodes at the end; empty if the machine has none.
    signatures : list of list of int
        Those that were asked for: of all nodes in the cycles ``sign_from``, ``sign_from + sign_every``, and so on.
    """

    state: State
    message: str
    cycles: int
    wall_seconds: float
    waiting: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    statistics: dict[str, int] = field(default_factory=dict)
    signature: list[int] = field(default_factory=list)
    signatures: list[list[int]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return {**asdict(self), "state": str(self.state)}
