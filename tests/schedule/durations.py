"""How long each test takes, as recorded and committed: ``tests/durations.json``.

A test of less than :data:`LITTLE` seconds has no entry of its own; its file says what all of those take together.
Building simulators is no part of it: durations are recorded where everything was built before.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FILE", "LITTLE", "UNKNOWN", "Durations", "Took"]

FILE = Path(__file__).parents[1] / "durations.json"
LITTLE = 0.2
UNKNOWN = 1.0
"""Seconds a test is taken to need that was never recorded."""
_REST = "*"


@dataclass(frozen=True)
class Took:
    """Seconds: `wall`, and `cpu` of all processes, which other work on the machine changes less."""

    wall: float
    cpu: float

    def __add__(self, other: "Took") -> "Took":
        return Took(self.wall + other.wall, self.cpu + other.cpu)


@dataclass
class Durations:
    """What was recorded.

    Parameters
    ----------
    machine : dict
        Where and when, for readers.
    tests : dict
        Name within the file by file; ``*`` is the rest of the file.
    items : dict
        Seconds of wall of what ``make test-all`` runs beside tests, by item.
    builds : list of dict
        What ``make test`` has to build, the longest first: ``seconds`` of CPU and what to build.
    """

    machine: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, dict[str, Took]] = field(default_factory=dict)
    items: dict[str, float] = field(default_factory=dict)
    builds: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path = FILE) -> "Durations":
        """What `file` holds; nothing where there is none."""
        if not file.is_file():
            return cls()
        read = json.loads(file.read_text())
        tests = {name: {test: Took(*took) for test, took in tests.items()} for name, tests in read["tests"].items()}
        return cls(read["machine"], tests, read["items"], read["builds"])

    def save(self, file: Path = FILE) -> None:
        """Write them, a test a line, so that a change shows in a diff."""
        tests = {name: {test: [round(took.wall, 1), round(took.cpu, 1)] for test, took in sorted(tests.items())}
                 for name, tests in sorted(self.tests.items())}
        lines = [f'"machine": {json.dumps(self.machine)}', '"tests": ' + _nested(tests),
                 '"items": ' + _block("{}", [f"{json.dumps(k)}: {round(v)}" for k, v in sorted(self.items.items())]),
                 '"builds": ' + _block("[]", [json.dumps(build) for build in self.builds])]
        file.write_text("{" + ",\n".join(lines) + "}\n")

    def put(self, took: Mapping[str, Took]) -> None:
        """Take over a run's durations by node id. Of a file only the tests that ran are replaced."""
        for name, tests in _by_file(took.items()).items():
            known = self.tests.setdefault(name, {})
            rest = Took(0, 0)
            for test, each in tests:
                known.pop(test, None)
                if each.wall >= LITTLE:
                    known[test] = each
                else:
                    rest += each
            # A run of a few tests of a file knows little of its rest.
            if rest.wall and (_REST not in known or rest.wall > known[_REST].wall / 2):
                known[_REST] = rest

    def of(self, node: str) -> float:
        """Seconds of wall a test takes; :data:`UNKNOWN` in a file never recorded."""
        name, _, test = node.partition("::")
        if name not in self.tests:
            return UNKNOWN
        took = self.tests[name].get(test)
        return took.wall if took else LITTLE / 10

    def of_all(self, nodes: Iterable[str]) -> float:
        """Seconds all of some tests take."""
        return sum(map(self.of, nodes))

    def slower(self, took: Mapping[str, Took]) -> float:
        """How many times as long tests took as is recorded of them, at least 1: a machine may be slow, or busy."""
        known = [(each.wall, self.tests[name][test].wall) for name, tests in _by_file(took.items()).items()
                 for test, each in tests if test in self.tests.get(name, {})]
        now, recorded = (sum(side) for side in zip(*known, strict=True)) if known else (0, 0)
        return max(1.0, now / recorded) if recorded else 1.0


def _by_file(took: Iterable[tuple[str, Took]]) -> dict[str, list[tuple[str, Took]]]:
    files: dict[str, list[tuple[str, Took]]] = {}
    for node, each in took:
        name, _, test = node.partition("::")
        files.setdefault(name, []).append((test, each))
    return files


def _block(brackets: str, entries: list[str]) -> str:
    return brackets[0] + "".join(f"\n  {entry}{',' * (entry is not entries[-1])}" for entry in entries) + brackets[1]


def _nested(tests: Mapping[str, Mapping[str, Any]]) -> str:
    return _block("{}", [f"{json.dumps(name)}: " + _block("{}", [f"  {json.dumps(test)}: {json.dumps(took)}"
                         for test, took in each.items()]) for name, each in tests.items()])
