"""A machine whose registers are a file, for tests of the store that need many. Real ones are in other tests.

What it holds survives the process that asks it, as a simulator survives the service. It is strict: it refuses what the
hardware could not tell apart, and forgets everything at a power cut.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from khhw.cloud.counters import NAMES
from khhw.cloud.machine import (
    NO_KEYS,
    Applied,
    Clock,
    ConsoleKeys,
    MachineGoneError,
    MachineInfo,
    NodeState,
    Reading,
    RequestRefusedError,
    Revision,
)
from khhw.control.domains import Domains
from khhw.control.tables import table_crc, table_writes
from khhw.control.tree_classes import ROUTED_CLASSES, texts_to
from khhw.node.shape import Shape

__all__ = ["RecordedMachine"]

COUNTED = 1000
"""Packets a leased node sends from one hand-over to the next."""


class RecordedMachine:
    """A :class:`khhw.cloud.machine.Machine`; see the protocol for its methods."""

    def __init__(self, folder: Path, shape: tuple[int, int, int] = (2, 2, 2), *, clock_hz: int = 1000) -> None:
        self.info = MachineInfo(shape, clock_hz, 1 << 16, 0x1000, 4, "d" * 64)
        self.alive = False
        self.gone: int | None = None
        """Calls after which it does not answer any more, for tests."""
        self._file = folder / "machine.json"
        if not self._file.exists():
            self._write({"boot": 0})

    def connect(self) -> Clock:
        self._asked()
        self.alive = True
        if not self._read().get("on"):
            nothing = {str(rank): [0, 15] for rank in range(self.info.nodes)}
            self._write({"on": True, "boot": self._read()["boot"] + 1, "cycle": 0, "number": 0, "allowed": {},
                         "leases": {}, "keys": nothing, "routes": {}, "held": list(range(self.info.nodes)),
                         "images": [], "applied": {}, "sent": {}, "log": []})
        return self.clock()

    def close(self) -> None:
        self.alive = False

    def switch_off(self) -> None:
        """As a power cut."""
        self.alive = False
        self._write({"boot": self._read()["boot"]})

    def pass_time(self, cycles: int) -> None:
        """Run on, if it is on."""
        state = self._read()
        if state.get("on"):
            self._write(state | {"cycle": state["cycle"] + cycles})

    def clock(self) -> Clock:
        state = self._state()
        return Clock(state["boot"], state["cycle"])

    def apply(self, revision: Revision) -> Applied:
        self._asked()
        state = self._state()
        text = repr((sorted(revision.allowed.items()), sorted(revision.keys.items()), sorted(revision.leases.items())))
        if revision.number < state["number"]:
            raise RequestRefusedError(f"the machine has revision {state['number']}")
        if revision.number == state["number"]:
            if state["text"] != text:
                raise RequestRefusedError(f"the machine has another revision {revision.number}")
            return self._answer(revision.number, state)
        started = state["cycle"]
        state |= {"cycle": started + 100, "number": revision.number, "text": text, "applied": {},
                  "allowed": {str(source): list(there) for source, there in revision.allowed.items()},
                  "leases": {str(rank): lease for rank, lease in revision.leases.items()}}
        for rank in sorted(revision.hand_over):
            keys = revision.keys.get(rank)
            state["applied"][str(rank)] = state["sent"].get(str(rank), 0)
            state["keys"][str(rank)] = [0, 15] if keys is None else [keys.send, keys.tree_class, *keys.receive]
            state["sent"][str(rank)] = state["sent"].get(str(rank), 0) + (COUNTED if keys is not None else 0)
            state["held"] = [other for other in state["held"] if other != rank] + ([rank] if keys is None else [])
        for rank, number in revision.classes.items():
            # Of all keys the class alone may change while a node runs.
            state["keys"][str(rank)][1] = number
        state["routes"] = {number: ways.tolist() for number, (ways, _) in texts_to(
            revision.domains(self.info.nodes).matrix, revision.classes).items()}
        state["log"].append([revision.number, sorted(revision.hand_over)])
        self._write(state)
        return self._answer(revision.number, state)

    def _answer(self, number: int, state: dict) -> Applied:
        end = Clock(state["boot"], state["cycle"])
        return Applied(number, end, end, end, tuple(
            Reading(number, int(rank), end, _counters(sent)) for rank, sent in state["applied"].items()))

    def nodes(self) -> list[NodeState]:
        self._asked()
        state = self._state()
        revision = Revision(state["number"], {int(s): tuple(d) for s, d in state["allowed"].items()}, {},
                            {int(rank): lease for rank, lease in state["leases"].items()})
        domains: Domains = revision.domains(self.info.nodes)
        shape = Shape(*self.info.shape)
        found = []
        for rank in range(self.info.nodes):
            send, tree_class, *heard = state["keys"][str(rank)]
            found.append(NodeState(
                rank, state["number"] > 0, state["number"],
                table_crc(table_writes(domains, shape, rank, state["number"])), rank in state["held"],
                ConsoleKeys(send, tuple(heard), tree_class) if send else NO_KEYS,
                tuple(state["routes"].get(str(number), [0] * self.info.nodes)[rank] for number in ROUTED_CLASSES)))
        return found

    def read(self, tag: int, ranks: Iterable[int] | None = None) -> list[Reading]:
        state = self._state()
        return [Reading(tag, rank, self.clock(), _counters(state["sent"].get(str(rank), 0)))
                for rank in (range(self.info.nodes) if ranks is None else ranks)]

    def approve(self, images: Iterable[str]) -> None:
        self._write(self._state() | {"images": sorted(images)})

    @property
    def allowed(self) -> dict[int, list[int]]:
        """Who may send to whom."""
        return {int(source): there for source, there in self._state()["allowed"].items()}

    @property
    def log(self) -> list[list]:
        """Revisions that were carried out since it was switched on, with who changed hands."""
        return self._state()["log"]

    @property
    def images(self) -> list[str]:
        """What may boot."""
        return self._state()["images"]

    def _asked(self) -> None:
        if self.gone is not None:
            self.gone -= 1
            if self.gone < 0:
                self.alive = False
                raise MachineGoneError("the machine does not answer")

    def _state(self) -> dict:
        state = self._read()
        if not self.alive or not state.get("on"):
            self.alive = False
            raise MachineGoneError("the machine is off")
        return state

    def _read(self) -> dict:
        return json.loads(self._file.read_text(encoding="utf-8"))

    def _write(self, state: dict) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(state), encoding="utf-8")
        new.replace(self._file)


def _counters(sent: int) -> dict[str, int]:
    """Of a node that has only sent, and only to its own lease."""
    return dict.fromkeys(NAMES, 0) | {"own_sent_packets": sent}
