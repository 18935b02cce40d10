"""How many bytes of the store a lease costs for ever: ``python -m tests.cloud.growth [LEASES]``.

A principal rents one node and hands it back, each with an idempotency key and carried out, as often as is asked for
(100), behind so many leases that what is bounded has reached its bound. Printed is by how much each table, with its
indices, has grown a lease: bytes of rows, so without what pages are not filled with; and the whole database.
"""

import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path

from khhw.cloud import retention
from khhw.cloud.counters import NAMES
from khhw.cloud.machine import Applied, Reading
from khhw.cloud.models import Acquire
from tests.cloud.clouds import Cloud
from tests.cloud.recorded import RecordedMachine

__all__ = ["growth"]

_BOUND = 10
"""Of answers and changes; reached behind a few leases, instead of behind a thousand changes."""
_COUNTED = 10**9


class _Counting(RecordedMachine):
    """Reads as many counters as a simulator, as large as they get."""

    def _answer(self, number: int, state: dict) -> Applied:
        found = super()._answer(number, state)
        readings = tuple(Reading(one.tag, one.rank, one.clock, dict.fromkeys(NAMES, _COUNTED))
                         for one in found.readings)
        return Applied(found.number, found.started, found.revoked, found.finished, readings)


def growth(folder: Path, leases: int) -> dict[str, float]:
    """Bytes a lease, by table; ``all`` is the whole database."""
    retention.ANSWERS = retention.INTENTS = _BOUND
    cloud = Cloud(folder)
    cloud.core.connect(_Counting(folder))
    alice = cloud.person("alice")

    def turn(number: int) -> None:
        made = cloud.core.leases.acquire(alice, f"00000000-0000-4000-8000-0000{number:08}", Acquire(new_networks=0))
        cloud.settle()
        cloud.core.leases.release(alice, f"00000000-0000-4000-8000-1111{number:08}", made.lease_uuid)
        cloud.settle()

    for number in range(_BOUND):
        turn(number)
    before = _bytes(cloud.state / "cloud.db")
    for number in range(leases):
        turn(_BOUND + number)
    after = _bytes(cloud.state / "cloud.db")
    cloud.core.close()
    return {name: (after[name] - before[name]) / leases for name in after}


def _bytes(file: Path) -> Counter[str]:
    db = sqlite3.connect(file)
    found: Counter[str] = Counter(dict(db.execute(
        "SELECT tbl_name, sum(payload) FROM dbstat JOIN sqlite_schema USING (name) GROUP BY tbl_name")))
    pages, = db.execute("PRAGMA page_count").fetchone()
    size, = db.execute("PRAGMA page_size").fetchone()
    db.close()
    found["all"] = pages * size
    return found


def main(leases: int) -> None:
    """Print it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        found = growth(Path(folder) / "cloud", leases)
    for name, size in sorted(found.items(), key=lambda pair: -pair[1]):
        if size:
            print(f"{name:<12} {size:8,.0f} bytes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
