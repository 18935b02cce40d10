"""The state folder: one SQLite database, which one process has open, and transactions on it.

Write-ahead log, full synchronisation: what :meth:`Store.write` has committed is on the disk. Readers see one committed
state each, and wait for nobody.
"""

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from khhw.cloud.crash import crash_point
from khhw.cloud.errors import CloudError, StoreError
from khhw.cloud.schema import APPLICATION, SCHEMA, VERSION

__all__ = ["FILE", "Store"]

FILE = "cloud.db"
"""Name of the database; SQLite has more files, whose names begin with it."""
_HOLDER = "lock"
_PATIENCE = 2.0
"""Seconds to wait for a lock that somebody else has on the database: nobody should."""
_PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
}
"""Errors that are no fault of ours, and may be over later."""


class Store:
    """An open state folder; use :meth:`make` and :meth:`open`.

    Parameters
    ----------
    folder : Path
    lock : int
        Descriptor of the folder, locked; closed with the store.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self._writing = threading.RLock()
        self._all: list[sqlite3.Connection] = []
        # Not one for each thread: threads come and go.
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer = self._connection()

    @classmethod
    def make(cls, folder: Path, fill: Callable[[sqlite3.Connection], None]) -> Self:
        """Make a state folder, with the tables and what `fill` puts into them; for its user only.

        Raises
        ------
        StoreError
            If there is one, or it cannot be made.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (folder / FILE).exists():
                raise StoreError(f"{folder} holds a cloud already; name another folder, or remove this one")
            folder.chmod(0o700)
            # The file appears whole or not at all.
            new = folder / f"{FILE}.new"
            new.unlink(missing_ok=True)
            with ExitStack() as made:
                made.callback(new.unlink, missing_ok=True)
                os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
                with closing(_connected(new)) as db:
                    db.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; "
                                     f"PRAGMA journal_mode = WAL; BEGIN; {SCHEMA}")
                    fill(db)
                    db.execute("COMMIT")
                new.rename(folder / FILE)
        except (OSError, ValueError, sqlite3.Error) as error:
            raise StoreError(f"{folder}: no cloud can be made there: {_reason(error)}") from None
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a state folder, alone.

        Raises
        ------
        StoreError
            If there is none, it is of another schema, it is damaged, or another process has it open.
        """
        if not (folder / FILE).is_file():
            raise StoreError(f"{folder} holds no cloud; make one with khhw cloud init")
        with ExitStack() as failed:
            try:
                # Of the folder itself: a file in it could be removed, and a second service would lock another one. And
                # not of the database, whose own locks end when any descriptor of it is closed in this process.
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                failed.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{folder} is served already{_holder(folder)}") from None
            except OSError as error:
                raise StoreError(f"{folder} cannot be locked: {_reason(error)}") from None
            _name_holder(folder)
            try:
                store = cls(folder, lock)
                failed.callback(store._disconnect)
                store._check_schema()
            except sqlite3.Error as error:
                raise StoreError(f"{folder / FILE} cannot be read: {_reason(error)}") from None
            failed.pop_all()
        return store

    def close(self) -> None:
        """Let go of the folder."""
        self._disconnect()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _disconnect(self) -> None:
        with self._writing:
            while self._all:
                self._all.pop().close()

    def _check_schema(self) -> None:
        application, = self._writer.execute("PRAGMA application_id").fetchone()
        version, = self._writer.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise StoreError(f"{self.folder / FILE} is no store of khhw")
        if version != VERSION:
            raise StoreError(f"{self.folder / FILE} has schema {version}, and this khhw reads schema {VERSION}; use "
                             "the khhw that made it")
        found, = self._writer.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreError(f"{self.folder / FILE} is damaged: {found}")

    def _connection(self) -> sqlite3.Connection:
        db = _connected(self.folder / FILE)
        self._all.append(db)
        return db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that changes something: all of it, on the disk, at the end; nothing if an exception leaves it.

        Raises
        ------
        CloudError
            UNAVAILABLE if the disk is full or the database locked. Nothing has been changed.
        """
        with self._writing, _explained():
            db = self._writer
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                crash_point()
                db.execute("COMMIT")
            except BaseException:
                # SQLite has ended the transaction itself where the disk was full.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        crash_point()

    def shrink(self) -> None:
        """Give the disk back what was deleted; while nobody reads, and if there is room to do so."""
        with self._writing, suppress(sqlite3.OperationalError):
            self._writer.execute("VACUUM")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One committed state, from here to the end, whatever is committed meanwhile.

        Raises
        ------
        CloudError
            As :meth:`write`.
        """
        with _explained():
            db = self._reader()
            try:
                db.execute("BEGIN")
                try:
                    yield db
                finally:
                    db.execute("ROLLBACK")
            finally:
                self._idle.append(db)

    def _reader(self) -> sqlite3.Connection:
        """A connection that nobody reads by."""
        try:
            return self._idle.pop()
        except IndexError:
            # As often as readers are at it at once, and not more.
            return self._connection()


def _holder(folder: Path) -> str:
    """Who has the lock, as far as that is written down."""
    try:
        holder = (folder / _HOLDER).read_text(encoding="utf-8", errors="replace")[:20].strip()
    except OSError:
        return ""
    return f", by process {holder}" if holder.isdecimal() else ""


def _name_holder(folder: Path) -> None:
    """Write down who has the lock, for those who have not; the disk may have no room for that."""
    with suppress(OSError), open(folder / _HOLDER, "w", encoding="utf-8", opener=_for_its_user) as file:
        file.write(f"{os.getpid()}\n")


def _for_its_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _connected(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = FULL")
    return db


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        # Anything else is a mistake of ours, and shall be seen.
        # What Python finds out by itself, as text that is no UTF-8, has no code.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _PASSING:
            raise
        raise CloudError.unavailable(
            f"the store cannot be used now: {_reason(error)}; nothing was changed, try again later") from error
    except OverflowError:
        raise CloudError.missing("there is nothing of that number; none here has more than 63 bits") from None
    except UnicodeEncodeError:
        raise CloudError.bad("a text has half a surrogate pair in it, which is no character") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
