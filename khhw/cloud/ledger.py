"""Changes of the store: each by somebody, once for each key, and in the audit."""

import datetime
import hashlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from khhw.cloud import audit
from khhw.cloud.callers import Caller
from khhw.cloud.credentials import fingerprint
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import MachineInfo
from khhw.cloud.retention import check_unspent, forget_answers
from khhw.cloud.store import Store
from khhw.cloud.times import MachineClock, Wall, as_text
from khhw.cloud.words import check_key

__all__ = ["Ledger", "Transaction", "new_uuid"]

_LONGEST_ARGUMENTS = 16 << 10
_ARGUMENTS_A_NODE = 16
"""Characters of JSON that the audit keeps of a request, and more of them for each node of the machine."""
_Answer = TypeVar("_Answer", bound=BaseModel)


@dataclass(frozen=True)
class Transaction:
    """A change while it is made.

    Parameters
    ----------
    db : sqlite3.Connection
    caller : Caller or None
        Who makes it; None for the service.
    info : MachineInfo
    clock : MachineClock
    cycle : int
        Machine time.
    wall : datetime
        Time of the wall.
    """

    db: sqlite3.Connection
    caller: Caller | None
    info: MachineInfo
    clock: MachineClock
    cycle: int
    wall: datetime.datetime

    @property
    def at(self) -> str:
        """Time of the wall, as the store keeps it."""
        return as_text(self.wall)

    @property
    def principal(self) -> str | None:
        """Id of who makes it."""
        return None if self.caller is None else self.caller.id

    def next(self, counter: str, count: int = 1) -> range:
        """Numbers that nobody had before: `next_network`, `next_console`, `next_channel`."""
        first, = self.db.execute(f"SELECT {counter} FROM meta").fetchone()
        self.db.execute(f"UPDATE meta SET {counter} = ?", (first + count, ))
        return range(first, first + count)

    def note(self, operation: str, arguments: Mapping[str, Any], result: str) -> None:
        """An entry of the audit."""
        audit.append(self.db, at=self.at, cycle=self.cycle, principal=self.principal, operation=operation,
                     arguments=arguments, result=result)


@dataclass(frozen=True)
class Ledger:
    """What all parts of the core work on.

    Parameters
    ----------
    store : Store
    info : MachineInfo
    clock : MachineClock
    wall : callable
    changed : callable
        Called after each change.
    """

    store: Store
    info: MachineInfo
    clock: MachineClock
    wall: Wall
    changed: Callable[[], None]

    @contextmanager
    def transaction(self, caller: Caller | None = None) -> Iterator[Transaction]:
        """A change, whole or not at all; see :meth:`~khhw.cloud.store.Store.write`."""
        with self.store.write() as db:
            self.clock.note(db)
            yield Transaction(db, caller, self.info, self.clock, self.clock.cycles, self.wall())
        self.changed()

    def once(self, caller: Caller, key: str | None, operation: str, arguments: Mapping[str, Any],
             kind: type[_Answer], do: Callable[[Transaction], _Answer], *, kept: set[str] | None = None,
             secret: str | None = None) -> _Answer:
        """Do something on behalf of somebody, once for each key.

        Parameters
        ----------
        caller : Caller
        key : str or None
            Idempotency key; None to do it whenever it is asked for.
        operation : str
            Its name.
        arguments : mapping
            Values of JSON, without secrets: for the audit, and to know a request again.
        kind : type
            Of the answer.
        do : callable
            What to do; a CloudError that it raises undoes all of it.
        kept : set of str, optional
            Fields of the answer that are not given again.
        secret : str, optional
            An argument that the audit does not have.

        Raises
        ------
        CloudError
            CONFLICT if the key came with another request before, or its answer is gone; BAD_REQUEST if the audit, which
            keeps it for ever, would have to keep too much of it; what `do` raises.
        """
        length, most = len(json.dumps(arguments)), _LONGEST_ARGUMENTS + _ARGUMENTS_A_NODE * self.info.nodes
        if length > most:
            raise CloudError.bad(f"the request has {length:,} characters, and the audit keeps at most {most:,} of one; "
                                 "name each node and each network once, or ask in several requests")
        if key is not None:
            check_key(key)
        known = None if key is None else fingerprint(secret, f"{caller.id} {key}")
        text = json.dumps([operation, arguments, known], sort_keys=True)
        request = hashlib.sha256(text.encode()).hexdigest()
        with self.transaction(caller) as tx:
            found = tx.db.execute("SELECT request, body FROM answer WHERE principal = ? AND key = ?",
                                  (caller.id, key)).fetchone()
            if found is not None:
                if found["request"] != request:
                    raise CloudError.conflict(f"the idempotency key {key} came with another request before; each "
                                              "request takes a new one")
                return kind.model_validate_json(found["body"])
            if key is not None:
                check_unspent(tx.db, caller.id, key)
            _check_enabled(tx, caller)
            answer = do(tx)
            tx.note(operation, arguments, "accepted")
            if key is not None:
                tx.db.execute("INSERT INTO answer (principal, key, request, body) VALUES (?, ?, ?, ?)",
                              (caller.id, key, request, answer.model_dump_json(exclude=kept)))
                forget_answers(tx.db, caller.id)
        return answer


def new_uuid() -> str:
    """A new UUID (version 4, RFC 9562)."""
    return str(uuid.uuid4())


def _check_enabled(tx: Transaction, caller: Caller) -> None:
    """Somebody may have been disabled, or deleted, since he proved who he is."""
    row = tx.db.execute("SELECT enabled AND NOT deleted AS good FROM principal WHERE id = ?", (caller.id, )).fetchone()
    if row is None or not row["good"]:
        raise CloudError.unauthorized(f"{caller.name} may not ask for anything any more")
