"""The core of the cloud: who has which nodes, decided in transactions and carried out by a machine.

It is synchronous and has no sockets. Every operation takes who calls, and one that changes something takes a key that
makes it repeatable (idempotency key): asked again with the same key it gives the same answer and does nothing. For
whatever somebody may have asked it raises :class:`~khhw.cloud.errors.CloudError`, and nothing else.

An operation that the machine must carry out answers with an :class:`~khhw.cloud.models.Intent` once the store has it;
:meth:`Core.step` carries it out. All may be called from any thread.
"""

import dataclasses
import datetime
import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from khhw.cloud.approvals import Approvals
from khhw.cloud.archive import archive
from khhw.cloud.callers import Caller
from khhw.cloud.channels import Channels
from khhw.cloud.check import check
from khhw.cloud.credentials import digest_of, new_token
from khhw.cloud.errors import CloudError, StoreError
from khhw.cloud.intents import Intents
from khhw.cloud.leases import Leases
from khhw.cloud.ledger import Ledger, Transaction, new_uuid
from khhw.cloud.machine import Machine, MachineInfo
from khhw.cloud.models import Archive, AuditEntry, Check, MachineTime, Quota
from khhw.cloud.networks import Networks
from khhw.cloud.nodes import Nodes
from khhw.cloud.principals import Principals, add_principal, add_token
from khhw.cloud.progress import Progress
from khhw.cloud.relatives import BELOW, name_of
from khhw.cloud.store import Store
from khhw.cloud.times import MachineClock, Wall
from khhw.cloud.worker import Worker

__all__ = ["Core"]

_MOST_ENTRIES = 1000


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Core:
    """All of it: a state folder that is open; see :meth:`init` and :meth:`open`.

    Parameters
    ----------
    store : Store
    info : MachineInfo
    wall : callable
        Tells the time of the wall.

    Attributes
    ----------
    principals : Principals
    leases : Leases
    networks : Networks
    channels : Channels
    approvals : Approvals
    nodes : Nodes
    intents : Intents
    """

    def __init__(self, store: Store, info: MachineInfo, wall: Wall) -> None:
        self._store = store
        self._wake = threading.Event()
        self._worker: Worker | None = None
        self._progress = Progress()
        ledger = self._ledger = Ledger(store, info, MachineClock(info.clock_hz), wall, self._wake.set)
        with store.read() as db:
            ledger.clock.recall(db)
        self.principals = Principals(ledger)
        self.leases = Leases(ledger)
        self.networks = Networks(ledger)
        self.channels = Channels(ledger)
        self.approvals = Approvals(ledger)
        self.nodes = Nodes(ledger, self._progress)
        self.intents = Intents(ledger, self._progress)

    @classmethod
    def init(cls, state: Path, info: MachineInfo, *, owner: str = "owner", token: str | None = None,
             wall: Wall = _now) -> str:
        """Make a state folder for a machine; the token of its owner, which is shown nowhere else.

        Parameters
        ----------
        state : Path
        info : MachineInfo
        owner : str
            Name of the owner of the machine.
        token : str, optional
            His token, of :func:`~khhw.cloud.credentials.new_token`, where it is kept already; else one is made.
        wall : callable, optional

        Raises
        ------
        StoreError
            If there is one already, or it cannot be made.
        """
        secret = token or new_token()

        def fill(db: sqlite3.Connection) -> None:
            tx = Transaction(db, None, info, MachineClock(info.clock_hz), 0, wall())
            db.execute("INSERT INTO meta (one, machine, info) VALUES (1, ?, ?)", (new_uuid(), _described(info)))
            db.executemany("INSERT INTO node (rank) VALUES (?)", ((rank, ) for rank in range(info.nodes)))
            unlimited = Quota(nodes=None, networks=None, leases=None)
            add_token(tx, add_principal(tx, owner, None, unlimited), "made by khhw cloud init", digest_of(secret))
            tx.note("init", {"owner": owner}, f"a machine of {info.nodes} nodes")

        Store.make(state, fill).close()
        return secret

    @classmethod
    def open(cls, state: Path, info: MachineInfo, *, wall: Wall = _now) -> Self:
        """Open a state folder, alone.

        Raises
        ------
        StoreError
            If there is none, it is of another schema or another machine, or somebody has it open.
        """
        store = Store.open(state)
        try:
            try:
                with store.read() as db:
                    stored = dict(json.loads(db.execute("SELECT info FROM meta").fetchone()[0]))
            except (sqlite3.Error, TypeError, ValueError) as error:
                raise StoreError(f"{state} is damaged: its machine cannot be read from it: {error}") from None
            _compare(state, stored, json.loads(_described(info)))
            return cls(store, info, wall)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        self._store.close()

    def connect(self, machine: Machine) -> None:
        """The machine that carries things out; :meth:`step` connects with it, again and again if it must."""
        self._worker = Worker(self._ledger, machine, self._progress)

    def step(self) -> bool:
        """Do what is to be done: find a power cut, let leases end, carry out intents; whether anything was done.

        Only one thread calls it, again and again. Where the machine does not answer, the intents' `error` says why, and
        the next step tries again.
        """
        if self._worker is None:
            return False
        self._wake.clear()
        return self._worker.step()

    def switch_off(self, machine: Machine) -> list[int]:
        """End a machine that is connected, while nobody serves, and keep what leases have used in this boot.

        See :meth:`~khhw.cloud.worker.Worker.switch_off`.
        """
        return Worker(self._ledger, machine, self._progress).switch_off()

    def wait(self, seconds: float) -> bool:
        """Until somebody has changed something since :meth:`step` began, or so long; whether somebody has."""
        return self._wake.wait(seconds)

    def time(self) -> MachineTime:
        """What time it is in the machine."""
        return self._ledger.clock.time

    def audit(self, caller: Caller, *, after: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """The last entries, or the first behind a number; for the owner all, for others what they and those below did.

        Parameters
        ----------
        caller : Caller
        after : int, optional
            Number of an entry.
        limit : int
            How many at most.

        Returns
        -------
        list of AuditEntry
            The oldest first.
        """
        if not 1 <= limit <= _MOST_ENTRIES:
            raise CloudError.bad(f"limit is 1 to {_MOST_ENTRIES}, not {limit}")
        with self._store.read() as db:
            rows = db.execute(
                f"{BELOW} SELECT * FROM audit WHERE number > :after AND (:owner OR principal IN below) "
                f"ORDER BY number {'DESC' if after is None else 'ASC'} LIMIT :limit",
                {"principal": caller.id, "owner": caller.is_owner, "after": after or 0, "limit": limit}).fetchall()
            return [AuditEntry(
                number=row["number"], at=datetime.datetime.fromisoformat(row["at"]),
                machine_time=self._ledger.clock.seconds(row["cycle"]), principal=name_of(db, row["principal"]) or "-",
                operation=row["operation"], arguments=json.loads(row["arguments"]), result=row["result"],
                hash=row["hash"]) for row in sorted(rows, key=lambda row: int(row["number"]))]

    def archive_audit(self, path: Path, *, keep: int) -> Archive:
        """Move all entries of the audit but the last `keep` to a file; see :func:`~khhw.cloud.archive.archive`."""
        with ExitStack() as failed:
            with self._ledger.transaction() as tx:
                made = archive(tx, self._store.folder, path, keep, failed)
            failed.pop_all()
        self._store.shrink()
        return made

    def check(self, machine: Machine | None = None, archives: Sequence[Path] = ()) -> Check:
        """Whether the store agrees with itself, with its archives as far as they are given, and with a machine that is
        connected; changes nothing."""
        with self._store.read() as db:
            return check(db, self._ledger.info, machine, archives)


def _described(info: MachineInfo) -> str:
    return json.dumps(dataclasses.asdict(info))


def _compare(state: Path, stored: dict[str, object], given: dict[str, object]) -> None:
    """Whether a folder is for this machine."""
    differ = [f"{name} {stored.get(name)}, not {value}" for name, value in given.items() if stored.get(name) != value]
    if differ:
        raise StoreError(f"{state} was made for another machine: {'; '.join(differ)}. Serve it with the machine file "
                         "that it was made with, or make a new one with khhw cloud init")
