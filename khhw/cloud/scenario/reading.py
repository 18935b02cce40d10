"""Reading a scenario: TOML in, a checked description out, every error with its line and its remedy."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from khhw.cloud.errors import CloudError
from khhw.cloud.scenario.file import OPERATIONS, OWNER, Event, Scenario
from khhw.cloud.words import check_name
from khhw.machine.document import DocumentError, Wrong, read_document
from khhw.machine.file import MachineFile
from khhw.machine.kernel_checks import wrong_arguments, wrong_kernel
from khhw.machine.reading import MachineFileError
from khhw.machine.reading import load as load_machine
from khhw.machine.repair import Faults, StandIns
from khhw.node.commands import LineError, written

__all__ = ["ScenarioError", "load"]

_MOST_NAMED = 30
"""Names of a file that a message about another one lists."""
_REQUIRED = {"lease": "unnamed", "of": "unnamed", "to": OWNER, "network": "unnamed", "guest": OWNER, "line": "",
             "kernel": "probe", "seconds": 1.0, "nodes": [0]}
_STAND_INS: StandIns = {
    ("machine",): "", ("principals",): {"nobody": {}}, ("events", None, "cycle"): 0,
    **{("events", None, name, key): value for name in OPERATIONS for key, value in _REQUIRED.items()},
}


class ScenarioError(DocumentError):
    """A scenario that cannot be played."""


def load(source: Path | str) -> tuple[Scenario, MachineFile]:
    """Read and check a scenario and the machine file that it names; nothing is built or run.

    Parameters
    ----------
    source : Path or str
        A TOML file.

    Raises
    ------
    ScenarioError
        With all that is wrong, each with its line.
    """
    folder, found = Path(source).parent, list[MachineFile]()

    def check(scenario: Scenario, faults: Faults) -> Iterator[Wrong]:
        machine = None
        if not faults.unknown("machine"):
            try:
                machine = load_machine(folder / scenario.machine)
                found.append(machine)
            except MachineFileError as error:
                yield ("machine",), str(error)
        yield from _Check(scenario, machine, folder, faults).all()

    scenario = read_document(source, Scenario, check, whole="scenario", error=ScenarioError, stand_ins=_STAND_INS)
    return scenario, found[0]


@dataclass
class _Check:
    """What is wrong and takes more than one key, or another file, to see."""

    scenario: Scenario
    machine: MachineFile | None
    folder: Path
    faults: Faults
    # In the order of the file; a set would have another one each time.
    leases: dict[str, None] = field(default_factory=dict)
    networks: dict[str, None] = field(default_factory=dict)
    probes: set[str] = field(default_factory=set)
    hidden: dict[str, bool] = field(default_factory=dict)

    def all(self) -> Iterator[Wrong]:
        """Of the whole scenario."""
        yield from self._principals()
        before = 0
        for index, event in enumerate(self.scenario.events):
            here = ("events", index)
            if not self.faults.unknown(*here, "cycle"):
                if event.cycle < before:
                    yield (*here, "cycle"), (f"{event.cycle:,} comes before {before:,}, the cycle of an event above; "
                                             "put events in the order of their cycles")
                before = max(before, event.cycle)
            yield from (((*here, *path), message) for path, message in self._event(event, index)
                        if not self.faults.unknown(*here, *path))

    def _principals(self) -> Iterator[Wrong]:
        names, taken = self.scenario.principals, {OWNER: "the owner of the machine"}
        for name, tenant in names.items():
            # The store tells no names apart that differ in case only.
            if name.lower() in taken:
                yield ("principals", name), f"is there already: {taken[name.lower()]}; choose another name"
            taken[name.lower()] = name
            try:
                check_name(name)
            except CloudError as error:
                yield ("principals", name), error.sentence
            chain, above = {name}, tenant.below
            while above in names and above not in chain:
                chain.add(above)
                above = names[above].below
            if above in names:
                yield ("principals", name, "below"), f"{name} would be below himself"
            elif tenant.below is not None and tenant.below not in names and tenant.below != OWNER:
                yield ("principals", name, "below"), self._nobody(tenant.below)

    def _nobody(self, name: str) -> str:
        return f"no principal {name!r}; there are {_listed((OWNER, *self.scenario.principals))}"

    def _event(self, event: Event, index: int) -> Iterator[Wrong]:
        found = event.operations
        if len(found) != 1:
            if not self.faults.touch("events", index):
                yield (), (f"does {' and '.join(found)}; make an event of each" if found else
                           f"does nothing; it needs one of {', '.join(OPERATIONS)}")
            return
        (name, value), = found.items()
        yield from self._actor(event, name)
        if isinstance(value, str):
            yield from self._named(name, value)
            return
        for key, text in value:
            yield from (((name, *path), message) for path, message in self._value(name, value, key, text))

    def _actor(self, event: Event, name: str) -> Iterator[Wrong]:
        if name == "probe":
            for key in ("who", "refused"):
                if getattr(event, key) is not None:
                    yield (key,), "a probe is nobody's, and never refused; leave it out"
        elif event.who is None:
            yield ("who",), f"is missing: who does {name}? There are {_listed((OWNER, *self.scenario.principals))}"
        elif event.who != OWNER and event.who not in self.scenario.principals:
            yield ("who",), self._nobody(event.who)

    def _named(self, name: str, value: str) -> Iterator[Wrong]:
        """An operation that is only a name of something."""
        if name == "probe":
            if value in self.probes:
                yield (name,), f"there is a probe {value!r} above; choose another name"
            self.probes.add(value)
        elif name == "create":
            if value in self.networks:
                yield (name,), f"there is a network {value!r} above; choose another name"
            self.networks[value] = None
        elif name == "consent":
            yield from self._known(name, value, "network", self.networks)
        else:
            yield from self._known(name, value, "lease", self.leases)

    def _known(self, key: str, value: str, what: str, known: Collection[str]) -> Iterator[Wrong]:
        if value not in known and not self._may_be_hidden(what):
            yield (key,), f"no {what} {value!r} above; " + (
                f"there are {_listed(known)}" if known else
                f"{'create' if what == 'network' else 'acquire'} one first")

    def _may_be_hidden(self, what: str) -> bool:
        """Whether an event that is not what the file says could have made it."""
        if what not in self.hidden:
            self.hidden[what] = self._hides(what)
        return self.hidden[what]

    def _hides(self, what: str) -> bool:
        makes = ("create",) if what == "network" else ("acquire", "sublet")
        return self.faults.cut("events") or any(
            self.faults.touch("events", index, name) for index in range(len(self.scenario.events)) for name in makes)

    def _value(self, name: str, event: Any, key: str, value: Any) -> Iterator[Wrong]:
        """A key of an operation that is a table."""
        if key == "lease" and name in ("acquire", "sublet"):
            self.leases[value] = None
        elif key in ("lease", "of"):
            yield from self._known(key, value, "lease", self.leases)
        elif key in ("to", "guest") and value is not None and value not in (OWNER, *self.scenario.principals):
            yield (key,), self._nobody(value)
        elif key == "network":
            yield from self._known(key, value, "network", self.networks)
        elif key == "networks":
            for index, network in enumerate(value):
                yield from (((key, index), message) for _, message in self._known(
                    key, network, "network", self.networks))
        elif key == "nodes" and value is not None:
            yield from self._ranks(value)
            if getattr(event, "count", None) is not None:
                yield ("count",), "says what nodes say already; leave one of them out"
        elif self.machine is not None:
            yield from self._software(event, key, value)

    def _ranks(self, ranks: list[int]) -> Iterator[Wrong]:
        most, above = None if self.machine is None else self.machine.nodes, set[int]()
        for index, rank in enumerate(ranks):
            if most is not None and rank >= most:
                yield ("nodes", index), f"no node {rank}; nodes are 0 to {most - 1}"
            elif rank in above:
                yield ("nodes", index), f"node {rank} is named twice"
            above.add(rank)

    def _software(self, event: Any, key: str, value: Any) -> Iterator[Wrong]:
        assert self.machine is not None
        if key == "line":
            try:
                written(value)
            except LineError as error:
                yield (key,), str(error)
        elif key == "kernel":
            if wrong := wrong_kernel(value, self.machine, self.folder, Faults()):
                yield (key,), wrong
        elif key == "arguments":
            if wrong := wrong_arguments(value, event.nodes, self.machine, Faults()):
                yield (key,), wrong


def _listed(names: Iterable[str]) -> str:
    """Names, and how many more there are: a file can have very many."""
    found = list(names)
    more = len(found) - _MOST_NAMED
    return ", ".join(found[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
