"""Archives of the audit: its first entries, moved to a file by which the chain of hashes can still be followed.

An archive is lines of JSON. The first says of which machine it is, the number of the first and of the last entry, the
hash before the first, and what the principals are called whose ids stand in it; each further line is an entry, with the
columns of the table. The store keeps the number and hash of the last entry, and the file's name and SHA-256; the audit
tells of it, as of every change.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from khhw.cloud import audit
from khhw.cloud.errors import CloudError, StoreError
from khhw.cloud.ledger import Transaction
from khhw.cloud.models import Archive
from khhw.cloud.store import FILE
from khhw.cloud.words import check_text

__all__ = ["OPERATION", "archive", "archive_breaks", "untold"]

OPERATION = "audit archive"
_COLUMNS = ("number", "at", "cycle", "principal", "operation", "arguments", "result", "hash")
_KIND = "audit of a khhw cloud"
_NAME = 200
_LONGEST_LINE = 16 << 20


def archive(tx: Transaction, folder: Path, path: Path, keep: int, failed: ExitStack) -> Archive:
    """Move all entries but the last ones to a file, which is on the disk before they are gone from the store.

    Parameters
    ----------
    tx : Transaction
    folder : Path
        State folder.
    path : Path
        Where nothing is yet.
    keep : int
        How many stay.
    failed : ExitStack
        What is to be done should the transaction fail.

    Raises
    ------
    CloudError
        If there are no more than that.
    StoreError
        If the file cannot be written.
    """
    check_text(path.name, "the name of an archive", most=_NAME)
    if path.name.startswith(FILE) and path.parent.resolve() == folder.resolve():
        # SQLite takes files beside its own, of such names, for its own, and removes them.
        raise CloudError.bad(f"{path} has a name that the store's own files have; choose another name or folder")
    if keep < 0:
        raise CloudError.bad(f"--keep takes a number from 0, not {keep}")
    number, before = audit.archived(tx.db)
    last, = tx.db.execute("SELECT coalesce(max(number), 0) - ? FROM audit", (keep, )).fetchone()
    if last <= number:
        raise CloudError.conflict(f"there is nothing to archive: the audit log has no more than {keep:,} entries here, "
                                  "and so many are to stay")
    try:
        sha256 = _write(tx.db, path, number + 1, last, before)
    except OSError as error:
        raise StoreError(f"{path}: the archive cannot be written: {error.strerror or error}; nothing was changed"
                         ) from None
    failed.callback(path.unlink)
    end, = tx.db.execute("SELECT hash FROM audit WHERE number = ?", (last, )).fetchone()
    made = Archive(first=number + 1, last=last, hash=end, file=path.name, sha256=sha256)
    tx.db.execute("INSERT INTO archive VALUES (?, ?, ?, ?)", (last, end, path.name, sha256))
    tx.db.execute("DELETE FROM audit WHERE number <= ?", (last, ))
    tx.note(OPERATION, made.model_dump(), f"entries {number + 1} to {last} are in {path.name}")
    return made


def _write(db: sqlite3.Connection, path: Path, first: int, last: int, before: str) -> str:
    """The archive of some entries; its SHA-256."""
    machine, = db.execute("SELECT machine FROM meta").fetchone()
    names = {row["id"]: row["name"] for row in db.execute(
        "SELECT id, name FROM principal WHERE id IN (SELECT principal FROM audit WHERE number <= ?)", (last, ))}
    header = {"kind": _KIND, "machine": machine, "first": first, "last": last, "before": before, "principals": names}
    digest = hashlib.sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            rows = db.execute("SELECT * FROM audit WHERE number <= ? ORDER BY number", (last, ))
            _put(file, digest, header)
            for row in rows:
                _put(file, digest, dict(row))
            file.flush()
            os.fsync(file.fileno())
        _sync(path.parent)
    except BaseException:
        path.unlink()
        raise
    return digest.hexdigest()


def _put(file: BinaryIO, digest: "hashlib._Hash", line: dict[str, Any]) -> None:
    data = json.dumps(line).encode() + b"\n"
    digest.update(data)
    file.write(data)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def untold(db: sqlite3.Connection) -> Iterator[str]:
    """The last archive, if the audit does not tell of it: then entries were taken out some other way."""
    last = db.execute("SELECT * FROM archive ORDER BY last DESC LIMIT 1").fetchone()
    if last is None:
        return
    told = (json.loads(row["arguments"]) for row in db.execute(
        "SELECT arguments FROM audit WHERE operation = ? AND principal IS NULL", (OPERATION, )))
    known = dict(last)
    if not any(known.items() <= one.items() for one in told):
        yield f"audit: entries up to {last['last']} are gone, and no entry tells of their archive"


def archive_breaks(db: sqlite3.Connection, paths: Iterable[Path]) -> Iterator[str]:
    """What is wrong with some archives of a store, in words.

    Raises
    ------
    StoreError
        If one cannot be read.
    """
    for path in paths:
        try:
            with path.open("rb") as file:
                yield from (f"{path}: {what}" for what in _breaks(db, file))
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from None


def _breaks(db: sqlite3.Connection, file: BinaryIO) -> Iterator[str]:
    digest, lines = hashlib.sha256(), _Lines(file)
    try:
        header, data = next(lines)
        digest.update(data)
        links = audit.Links(_number(header["first"]) - 1, str(header["before"]))
        machine, = db.execute("SELECT machine FROM meta").fetchone()
        if header["kind"] != _KIND or header["machine"] != machine:
            yield "no archive of this cloud"
            return
        before = db.execute("SELECT last, hash FROM archive WHERE last <= ? ORDER BY last DESC LIMIT 1",
                            (links.number, )).fetchone()
        if (links.number, links.before) != (tuple(before) if before else audit.BEGINNING):
            yield f"it does not begin behind the archive before it: entry {links.number} had another hash"
        for entry, data in lines:
            digest.update(data)
            yield from links.breaks((_number(entry["number"]), *(entry[name] for name in _COLUMNS[1:])))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, StopIteration) as error:
        yield f"no archive of an audit log: {type(error).__name__} in line {lines.number}"
        return
    known = db.execute("SELECT * FROM archive WHERE last = ?", (links.number, )).fetchone()
    if known is None:
        yield f"the store knows of no archive that ends with entry {links.number}"
    elif links.before != known["hash"]:
        yield f"the store's chain goes on from another entry {links.number}"
    elif digest.hexdigest() != known["sha256"]:
        yield "it is not as it was written"


def _number(value: object) -> int:
    """The number of an entry, as the store has them; ValueError if it is none."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return value


class _Lines(Iterator[tuple[dict[str, Any], bytes]]):
    """The lines of an archive, parsed and as they are."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0

    def __next__(self) -> tuple[dict[str, Any], bytes]:
        self.number += 1
        data = self._file.readline(_LONGEST_LINE)
        if not data:
            raise StopIteration
        return json.loads(data), data
