"""What ``make test-all`` holds beside ``make test``: items, each with a command, and which of them run in a CI run."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.schedule.durations import Durations

__all__ = ["PASSES", "UNKNOWN", "Item", "Pass", "age", "all_items", "begins", "in_order", "load_passes", "recorded",
           "save_passes"]

PASSES = Path(__file__).parents[1] / "last_passes.json"
UNKNOWN = 600.0
"""Seconds an item is taken to need of which nothing was recorded."""
MUTANT_PARTS = 8


@dataclass(frozen=True)
class Item:
    """Something to run, with the arguments of Python for it, and the node ids of its tests if it has any."""

    name: str
    arguments: tuple[str, ...]
    tests: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The whole command."""
        return [sys.executable, *self.arguments]


@dataclass(frozen=True)
class Pass:
    """Where an item passed last: a commit, and the day it was run, YYYY-MM-DD."""

    commit: str
    date: str


def all_items(rare: Iterable[str], properties: Iterable[str]) -> list[Item]:
    """All items.

    Parameters
    ----------
    rare : iterable of str
        Node ids of tests marked so; those of a file are an item.
    properties : iterable of str
        Names of proved properties; those with a common first word are an item.
    """
    files: dict[str, list[str]] = {}
    for node in rare:
        files.setdefault(node.partition("::")[0], []).append(node)
    words = dict.fromkeys(name.partition("-")[0] for name in properties)
    return [
        *(Item(file, ("-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-m", "rare",
                      file), tuple(tests)) for file, tests in files.items()),
        *(Item(f"proofs of {word}", ("-m", "formal.prove", f"{word}-")) for word in words),
        *(Item(f"mutants {part}/{MUTANT_PARTS}", ("-m", "tests.rtl.killers", "--part", f"{part}/{MUTANT_PARTS}"))
          for part in range(1, MUTANT_PARTS + 1)),
        Item("equality of engines", ("-m", "tests.sim.engine.both")),
    ]


def in_order(items: Iterable[Item], passes: Mapping[str, Pass], commit: str) -> list[Item]:
    """Those that never passed, then the longest ago first; a hash with the commit decides between equals."""
    def key(item: Item) -> tuple[str, str]:
        passed = passes.get(item.name)
        return (passed.date if passed else "", hashlib.sha256(f"{commit} {item.name}".encode()).hexdigest())

    return sorted(items, key=key)


def recorded(item: Item, durations: Durations) -> float | None:
    """Seconds of wall an item takes by what is recorded; None if that says nothing.

    What is recorded of the whole item counts, with what it builds. Else its tests do, one after the other, and the
    longest build on record: tests are recorded where everything is built, and an item may have to build its own.
    """
    if item.name in durations.items:
        return durations.items[item.name]
    if not item.tests or any(test.partition("::")[0] not in durations.tests for test in item.tests):
        return None
    return durations.of_all(item.tests) + max((build["seconds"] for build in durations.builds), default=0.0)


def begins(seconds: float | None, elapsed: float, limit: float | None) -> bool:
    """Whether an item of so many seconds that begins now ends before the limit; without a limit all do."""
    return limit is None or elapsed + (UNKNOWN if seconds is None else seconds) <= limit


def age(item: Item, passes: Mapping[str, Pass], today: date) -> str:
    """How long ago it passed, in words."""
    if item.name not in passes:
        return "never passed"
    passed = passes[item.name]
    days = (today - date.fromisoformat(passed.date)).days
    return f"passed {days} day{'s' * (days != 1)} ago at {passed.commit[:10]}"


def load_passes(file: Path = PASSES) -> dict[str, Pass]:
    """Last passes by item."""
    return {name: Pass(**each) for name, each in json.loads(file.read_text()).items()} if file.is_file() else {}


def save_passes(passes: Mapping[str, Pass], known: Sequence[Item], file: Path = PASSES) -> None:
    """Write them, an item a line; items there are no more go."""
    names = {item.name for item in known}
    lines = [f"{json.dumps(name)}: {json.dumps(vars(each))}" for name, each in sorted(passes.items()) if name in names]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")
