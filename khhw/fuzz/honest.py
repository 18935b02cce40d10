"""An honest node: it talks to those it may talk to, and knows what its memory must hold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from khhw.fuzz.memory_map import HONEST, NODE
from khhw.fuzz.scenario import Matrix, Scenario
from khhw.fuzz.taint import Bytes, tainted
from khhw.host.ports import Host
from khhw.net.keys import KEYS
from khhw.node.descriptors import get_descriptor, message_descriptor, put_descriptor
from khhw.node.injection import remote_ring_size
from rtl.formats import DESCRIPTOR_BYTES, PAYLOAD_BYTES
from rtl.registers import REGISTERS, TRAFFIC_PAGE, Access, registers_of

__all__ = ["DROPS", "Honest", "Parcel", "landing", "plan"]

_writer = REGISTERS["RECEPTION_WRITER"].pack
_reader = REGISTERS["INJECTION_READER"].pack
_SENDING = 100
_CHANGING = ("TIME_", "IRQ_STATUS", "LAST_FAULT", "CONSOLE_TX_", "GUARD_STATUS", "REFUSED", "INJECTED", "DELIVERED",
             "DROPPED", "LOG_", "CONSOLE_DROPS", "METER_USED")
DROPS = ("BUS_ERRORS", "FAULTS", "RING_DROPS", "COUNTER_DROPS", "GET_DROPS", "BAD_DROPS", "CONSOLE_DROPS")
"""Registers that stay as they are while nobody sends what this node does not expect."""
_WATCHED = [
    (register.name, index, address) for register, index, address in registers_of(NODE)
    if address < TRAFFIC_PAGE and register.host in (Access.RW, Access.RO) and register.name not in DROPS
    and not register.name.startswith(_CHANGING) and not register.name.endswith(("_HEAD", "_TAIL", "_VALUE"))]
_TRAFFIC_SEEN = [("TRAFFIC_RECEIVED", 0), ("TRAFFIC_ACCEPTED", 0), *(("TRAFFIC_ERRORS", kind) for kind in range(6))]


@dataclass(frozen=True)
class Parcel:
    """Something an honest node sends an honest node.

    Parameters
    ----------
    kind : str
        ``message``, ``put``, ``get`` (the answer is what counts: `source` asks and gets it), ``late`` (a put with the
        key of the round before, which must not arrive) or ``console``.
    source, target : int
        Ranks.
    address : int
        Reception ring of a message, or address of what is written.
    data : bytes
        What arrives.
    origin : int
        Of a get: where it is read at the target.
    """

    kind: str
    source: int
    target: int
    address: int
    data: bytes
    origin: int = 0

    @property
    def receiver(self) -> int:
        """Rank at which it arrives."""
        return self.source if self.kind == "get" else self.target

    def within(self, allowed: Matrix) -> bool:
        """Whether everything it takes is allowed."""
        back = self.kind != "get" or allowed[self.target, self.source]
        return bool(allowed[self.source, self.target] and back)


class Honest:
    """Software of an honest node.

    Parameters
    ----------
    host : Host
    scenario : Scenario
    rank : int
    rng : Generator

    Attributes
    ----------
    image : numpy array of uint8
        What its memory must hold, outside rings.
    """

    def __init__(self, host: Host, scenario: Scenario, rank: int, rng: np.random.Generator) -> None:
        self.rank = rank
        self.scenario = scenario
        self.rng = rng
        self.image: Bytes = np.zeros(NODE.memory_bytes, np.uint8)
        self.registers: dict[tuple[str, int], int] = {}
        self.heads = {"RECEPTION": [0, 0], "CONSOLE": [0]}
        self.counted: dict[int, int] = defaultdict(int)
        self.key = 0
        self._host = host
        self._port = host.nodes[rank]
        self._slot = 0
        self._texts: list[tuple[int, int]] = []

    @property
    def confidant(self) -> int:
        """The only rank that may read what is shared, and write what is confided."""
        honest = self.scenario.honest
        return honest[(honest.index(self.rank) + 1) % len(honest)]

    def poke(self, address: int, data: bytes) -> None:
        """Write its own memory."""
        self.image[address:address + len(data)] = np.frombuffer(data, np.uint8)
        self._host.memory.poke(self.rank, address, data)

    async def read(self, register: str, index: int = 0) -> int:
        """A register of its own."""
        return await self._port.read(REGISTERS[register].at(index))

    async def write(self, register: str, value: int, index: int = 0) -> None:
        """A register of its own."""
        await self._port.write(REGISTERS[register].at(index), value)

    async def set_up(self) -> None:
        """Memory, rings and windows, once."""
        h = HONEST
        for area, shown in (*((window, False) for window in h.windows), (h.staging, False), (h.text, False),
                            (h.shown, True), (h.shared, False), (h.secret, False)):
            self.poke(area.base, tainted(self.rng, self.rank, area.length, shown=shown).tobytes())
        for name, index, base, size in (
            ("INJECTION", h.SEND_RING, h.injection.base, h.injection.length),
            ("INJECTION", h.GET_RING, h.gets.base, remote_ring_size(h.gets.length)),
            *(("RECEPTION", index, area.base, area.length) for index, area in enumerate(h.reception)),
            ("CONSOLE", 0, h.console.base, h.console.length),
        ):
            await self.write(f"{name}_BASE", base, index)
            await self.write(f"{name}_SIZE", size, index)
        shared_with = _reader(open=1, node=self.scenario.shape.node_id(self.confidant))
        for counter, base, limit, reader in (
            (h.OWN, 0, NODE.memory_bytes, 0), (h.SHOWN, h.shown.base, h.shown.length, _reader(open=1, any=1)),
            (h.SHARED, h.shared.base, h.shared.length, shared_with),
        ):
            await self.write("INJECTION_WINDOW", base, counter)
            await self.write("INJECTION_LIMIT", limit, counter)
            await self.write("INJECTION_READER", reader, counter)
        for counter, base, limit in (
            (h.PUTS, h.windows[0].base, h.windows[0].length), (h.CONFIDED, h.windows[2].base, h.windows[2].length),
            (h.CLOSED, 0, NODE.memory_bytes),
            *((counter, _answers(rank), h.SLOT) for counter, rank in zip(h.ANSWERS, self.scenario.honest, strict=True)),
        ):
            await self.write("RECEPTION_WINDOW", base, counter)
            await self.write("RECEPTION_LIMIT", limit, counter)
            await self.write("RECEPTION_VALUE", h.EXPECTED, counter)
        self.registers = await self.watched()

    async def arm(self, key: int) -> None:
        """Let each counter take puts of its writer with a new key. To be called while nothing is under way."""
        self.key = key
        named = {HONEST.CONFIDED: self.confidant, **dict(zip(HONEST.ANSWERS, self.scenario.honest, strict=True))}
        writers = {counter: _writer(armed=1, node=self.scenario.shape.node_id(rank), key=key)
                   for counter, rank in named.items()}
        writers |= {HONEST.PUTS: _writer(armed=1, any=1, key=key), HONEST.CLOSED: _writer(any=1, key=key)}
        for counter, writer in writers.items():
            await self.write("RECEPTION_WRITER", writer, counter)
            self.registers["RECEPTION_WRITER", counter] = writer

    async def watched(self) -> dict[tuple[str, int], int]:
        """Registers that only this node's software changes, by name and index."""
        return {(name, index): await self._port.read(address) for name, index, address in _WATCHED}

    async def drops(self) -> dict[str, int]:
        """What was dropped or skipped here, and what the traffic checker saw, so far."""
        found = {name: await self.read(name) for name in DROPS}
        return found | {f"{name}[{index}]": await self.read(name, index) for name, index in _TRAFFIC_SEEN}

    async def counters(self) -> dict[int, int]:
        """Bytes that reception counters have counted since the last call."""
        taken = {}
        for counter in (HONEST.PUTS, HONEST.CONFIDED, *HONEST.ANSWERS, HONEST.CLOSED):
            value = await self.read("RECEPTION_VALUE", counter)
            taken[counter] = (HONEST.EXPECTED - value - self.counted[counter]) % (1 << 32)
            self.counted[counter] = (HONEST.EXPECTED - value) % (1 << 32)
        return taken

    def prepare(self, parcels: Sequence[Parcel]) -> None:
        """Put what it sends in this round into memory."""
        staged = HONEST.staging.base
        self._texts = []
        for parcel in parcels:
            if parcel.kind == "console":
                address = HONEST.text.base + PAYLOAD_BYTES * len(self._texts)
                self.poke(address, parcel.data)
                self._texts.append((address, parcel.target))
                continue
            descriptor = self._staged(parcel, staged)
            self.poke(HONEST.injection.base + DESCRIPTOR_BYTES * self._slot, descriptor)
            self._slot = (self._slot + 1) % (HONEST.injection.length // DESCRIPTOR_BYTES)
            staged += HONEST.SLOT

    def _staged(self, parcel: Parcel, at: int) -> bytes:
        """Put the data of a parcel at an address, and return its descriptor."""
        coordinate, length = self.scenario.shape.coordinate(parcel.target), len(parcel.data)
        if parcel.kind == "message":
            self.poke(at, parcel.data)
            return message_descriptor(coordinate, at, length, function=self.rank, ring=parcel.address)
        target, offset = landing(self.scenario, parcel)
        if parcel.kind == "get":
            counter = HONEST.SHARED if parcel.origin >= HONEST.shared.base else HONEST.SHOWN
            window = HONEST.shared.base if counter == HONEST.SHARED else HONEST.shown.base
            wanted = put_descriptor(
                self.scenario.shape.coordinate(self.rank), target, offset, parcel.origin - window, length, key=self.key,
                counter=counter)
            self.poke(at, wanted)
            return get_descriptor(coordinate, HONEST.GET_RING, at, 1)
        self.poke(at, parcel.data)
        key = self.key if parcel.kind == "put" else (self.key - 1) % KEYS
        return put_descriptor(coordinate, target, offset, at, length, key=key)

    async def send(self, wait: int) -> None:
        """Everything that was prepared."""
        await self._port.sleep(wait)
        await self.write("INJECTION_TAIL", self._slot * DESCRIPTOR_BYTES, HONEST.SEND_RING)
        for address, target in self._texts:
            while await self.read("CONSOLE_TX_LENGTH"):
                await self._port.sleep(_SENDING)
            await self.write("CONSOLE_TX_ADDRESS", address)
            await self.write("CONSOLE_TX_DEST", target)
            await self.write("CONSOLE_TX_LENGTH", PAYLOAD_BYTES)

    async def tails(self) -> dict[str, list[int]]:
        """Where its reception rings and its console ring end."""
        return {"RECEPTION": [await self.read("RECEPTION_TAIL", ring) for ring in range(2)],
                "CONSOLE": [await self.read("CONSOLE_TAIL")]}

    async def take(self, tails: dict[str, list[int]]) -> None:
        """Empty its rings up to `tails`."""
        for name, areas in (("RECEPTION", HONEST.reception), ("CONSOLE", (HONEST.console,))):
            for ring, (area, tail) in enumerate(zip(areas, tails[name], strict=True)):
                self.poke(area.base, bytes(area.length))
                await self.write(f"{name}_HEAD", tail, ring)
                self.heads[name][ring] = tail
        self.poke(HONEST.gets.base, bytes(HONEST.gets.length))


def _answers(rank: int) -> int:
    """Where answers of a node go."""
    return HONEST.windows[1].base + HONEST.SLOT * rank


def landing(scenario: Scenario, parcel: Parcel) -> tuple[int, int]:
    """Reception counter that a put or an answer is for, and its offset in that counter's window."""
    shared, answers, confided = HONEST.windows
    if parcel.address < shared.end:
        return HONEST.PUTS, parcel.address - shared.base
    if parcel.address >= confided.base:
        return HONEST.CONFIDED, parcel.address - confided.base
    rank, offset = divmod(parcel.address - answers.base, HONEST.SLOT)
    return HONEST.ANSWERS[scenario.honest.index(rank)], offset


def plan(nodes: Sequence[Honest], allowed: Matrix, rng: np.random.Generator) -> list[Parcel]:
    """What honest nodes send each other in a round: to each that may hear it a message, puts, a get, and some text."""
    parcels = []
    for node in nodes:
        for target in nodes:
            if not allowed[node.rank, target.rank]:
                continue
            parcels += _between(node, target, rng)
    return [parcel for parcel in parcels if parcel.within(allowed)]


def _between(node: Honest, target: Honest, rng: np.random.Generator) -> list[Parcel]:
    def data(most: int = PAYLOAD_BYTES) -> bytes:
        return tainted(rng, node.rank, int(rng.integers(1, most + 1))).tobytes()

    window = HONEST.windows[2 if target.confidant == node.rank else 0]
    parcels = [
        Parcel("message", node.rank, target.rank, int(rng.integers(2)), data()),
        Parcel("put", node.rank, target.rank, window.base + HONEST.SLOT * node.rank, data()),
        Parcel("late", node.rank, target.rank, _answers(node.rank), data()),
    ]
    area = HONEST.shared if target.confidant == node.rank else HONEST.shown
    origin = area.base + 8 * int(rng.integers((area.length - PAYLOAD_BYTES) // 8))
    length = int(rng.integers(1, PAYLOAD_BYTES + 1))
    parcels.append(Parcel(
        "get", node.rank, target.rank, _answers(target.rank), target.image[origin:origin + length].tobytes(), origin))
    if target is not node and rng.integers(2):
        text = tainted(rng, node.rank, PAYLOAD_BYTES).tobytes()
        parcels.append(Parcel("console", node.rank, target.rank, 0, text))
    return parcels
