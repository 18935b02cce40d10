"""Images that may boot: those whose SHA-256 the owner of the machine has approved, and no others.

Principals' kernels are Python, and run where the machine is simulated: one that is hostile has the machine.
"""

import datetime

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Ledger, Transaction
from khhw.cloud.models import Approval
from khhw.cloud.words import check_digest, check_text

__all__ = ["Approvals"]

_NAME = 200


class Approvals:
    """Images that may boot. All see them; only the owner of the machine changes them.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def approve(self, caller: Caller, key: str | None, sha256: str, name: str) -> Approval:
        """Let an image boot, from the next step on.

        Parameters
        ----------
        caller : Caller
        key : str or None
            Idempotency key.
        sha256 : str
            Of the image as a loader takes it, 64 hexadecimal digits in lower case.
        name : str
            In words.
        """
        check_digest(sha256)
        check_text(name, "the name of an image", most=_NAME)

        def do(tx: Transaction) -> Approval:
            _check_owner(caller)
            tx.db.execute("INSERT INTO approval VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name",
                          (sha256, name, tx.at))
            return _approval(tx, sha256)

        return self._ledger.once(caller, key, "approve", {"sha256": sha256, "name": name}, Approval, do)

    def withdraw(self, caller: Caller, key: str | None, sha256: str) -> Approval:
        """Let it boot no more. What runs goes on."""
        def do(tx: Transaction) -> Approval:
            _check_owner(caller)
            found = _approval(tx, sha256)
            tx.db.execute("DELETE FROM approval WHERE sha256 = ?", (sha256, ))
            return found

        return self._ledger.once(caller, key, "withdraw", {"sha256": sha256}, Approval, do)

    def all(self, caller: Caller) -> list[Approval]:
        """By name."""
        with self._ledger.store.read() as db:
            return [Approval(sha256=row["sha256"], name=row["name"],
                             approved_at=datetime.datetime.fromisoformat(row["approved_at"]))
                    for row in db.execute("SELECT * FROM approval ORDER BY name, sha256")]


def _approval(tx: Transaction, sha256: str) -> Approval:
    row = tx.db.execute("SELECT * FROM approval WHERE sha256 = ?", (sha256, )).fetchone()
    if row is None:
        raise CloudError.missing(f"no image with the SHA-256 {sha256} is approved")
    return Approval(sha256=sha256, name=row["name"], approved_at=datetime.datetime.fromisoformat(row["approved_at"]))


def _check_owner(caller: Caller) -> None:
    if not caller.is_owner:
        raise CloudError.forbidden("only the owner of the machine says what may boot")
