"""Changes on their way to the machine, for those who wait for them."""

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.lease_views import SEEN
from khhw.cloud.ledger import Ledger
from khhw.cloud.models import Intent
from khhw.cloud.plans import intent_view
from khhw.cloud.progress import Progress

__all__ = ["Intents"]

_LAST = 100
_VISIBLE = "(:owner OR intent.principal IN below OR lease IN (SELECT uuid FROM seen))"


class Intents:
    """Changes on their way.

    Parameters
    ----------
    ledger : Ledger
    progress : Progress
        What the machine is at.
    """

    def __init__(self, ledger: Ledger, progress: Progress) -> None:
        self._ledger = ledger
        self._progress = progress

    def get(self, caller: Caller, intent: str) -> Intent:
        """One that the caller, or somebody below him, has asked for, or that is about a lease he may see."""
        found = self._rows(caller, "id = :id", {"id": intent})
        if not found:
            raise CloudError.missing(f"there is no intent {intent}")
        return found[0]

    def all(self, caller: Caller, *, open: bool = True) -> list[Intent]:
        """All that :meth:`get` gives, oldest first: those that are not done, or the last 100."""
        return self._rows(caller, "done_at IS NULL" if open else "1", {})

    def _rows(self, caller: Caller, which: str, values: dict[str, str]) -> list[Intent]:
        with self._ledger.store.read() as db:
            rows = db.execute(
                f"{SEEN} SELECT intent.* FROM intent WHERE {which} AND {_VISIBLE} ORDER BY serial DESC LIMIT {_LAST}",
                {"principal": caller.id, "owner": caller.is_owner, **values}).fetchall()
            return [intent_view(db, row, self._progress.running) for row in reversed(rows)]
