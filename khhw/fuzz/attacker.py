"""A hostile node: its software fills rings, rings doorbells and touches registers as fast as it can."""

from collections import Counter

import numpy as np

from khhw.fuzz.accesses import Poke, console_text, forbidden, kinds, page, pokes
from khhw.fuzz.hostile import Aim, batch, carried
from khhw.fuzz.memory_map import HOSTILE, NODE
from khhw.fuzz.packing import as_bytes
from khhw.fuzz.taint import Bytes, tainted
from khhw.host.ports import Host
from khhw.host.transport import BusError
from khhw.node.injection import remote_ring_size
from rtl.formats import DESCRIPTOR_BYTES, Writer, pack
from rtl.registers import MEMORY_WINDOW, REGISTERS

__all__ = ["Attacker"]

_LOOK = 400
_LOOKS = 40
"""Looks at the rings before the next lap begins, whatever they hold."""
_BREAKING = ("ring", "register")
"""Ways after which rings are seldom where they were: more laps would find them closed."""
_SENDING = 60
"""Cycles after which a console packet has been taken, when nothing is in its way."""
_ANYBODY = REGISTERS["INJECTION_READER"].pack(open=1, any=1)
_CONSOLE_TX, _TRAFFIC_COUNT = REGISTERS["CONSOLE_TX_LENGTH"].at(), REGISTERS["TRAFFIC_COUNT"].at()
_FEW = 0xFFF
"""Counts above are not for the generator to end on its own."""


class Attacker:
    """Software of a hostile node. It never sees its owner's plans; what it is told is only whom to aim at.

    Parameters
    ----------
    host : Host
    rank : int

    Attributes
    ----------
    image : numpy array of uint8
        What it wrote to its memory itself; what differs from it came by the network.
    tried : Counter
        Descriptors and register accesses of this round, by kind.
    said : int
        Console packets the hardware took from it, in this round.
    refused : Counter
        Register accesses that were answered with an error, by page.
    accepted : list of str
        Register accesses that should have been, and were not.
    silent : bool
        Its owner holds it, or has held it in this round.
    """

    def __init__(self, host: Host, rank: int) -> None:
        self.rank = rank
        self.image: Bytes = np.zeros(NODE.memory_bytes, np.uint8)
        self._host = host
        self._port = host.nodes[rank]
        self._tails: dict[int, int] = {}
        self.begin()

    def begin(self) -> None:
        """A new round."""
        self.tried: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.said = 0
        self.silent = False

    def _poke(self, address: int, data: bytes) -> None:
        self.image[address:address + len(data)] = np.frombuffer(data, np.uint8)
        self._host.memory.poke(self.rank, address, data)

    async def play(self, aim: Aim) -> None:
        """One round."""
        self._background(aim)
        await self._set_up(aim)
        laps = aim.stimulus.laps
        if aim.stimulus.way in _BREAKING:
            laps = min(laps, 2)
        for _ in range(laps):
            if self.silent:
                return
            self._fill(aim)
            for ring in HOSTILE.rings:
                await self._ring(ring)
            await self._touch(aim)
            await self._drain()

    def _background(self, aim: Aim) -> None:
        """All memory with this node's taint, with descriptors for gets to carry and text for the console in it."""
        self._poke(0, tainted(aim.rng, self.rank, NODE.memory_bytes).tobytes())
        payload = carried(aim, HOSTILE.payload.length // DESCRIPTOR_BYTES)
        self._poke(HOSTILE.payload.base, as_bytes(payload).tobytes())
        text = HOSTILE.text
        self._poke(text.base, console_text(aim.rng, bytes(self.image[text.base:text.end])))

    def _fill(self, aim: Aim) -> None:
        """New descriptors in all rings."""
        for ring, area in HOSTILE.rings.items():
            filled = batch(aim, area.length // DESCRIPTOR_BYTES, ring)
            self._poke(area.base, as_bytes(filled.rows).tobytes())
            self.tried += filled.kinds

    async def _set_up(self, aim: Aim) -> None:
        """Rings, windows and counters as a driver sets them up, some of them moved about."""
        for ring, area in HOSTILE.rings.items():
            await self.write("INJECTION_BASE", area.base, ring)
            await self.write("INJECTION_SIZE", area.length, ring)
            self._tails[ring] = 0
        await self.write("INJECTION_BASE", HOSTILE.gets.base, HOSTILE.GET_RING)
        await self.write("INJECTION_SIZE", remote_ring_size(HOSTILE.gets.length), HOSTILE.GET_RING)
        for ring, area in enumerate(HOSTILE.reception):
            await self.write("RECEPTION_BASE", area.base, ring)
            await self.write("RECEPTION_SIZE", area.length, ring)
        await self.write("CONSOLE_BASE", HOSTILE.console.base)
        await self.write("CONSOLE_SIZE", HOSTILE.console.length)
        for counter in range(NODE.counters):
            await self._set_counters(aim, counter)

    async def _set_counters(self, aim: Aim, counter: int) -> None:
        payload, windows = HOSTILE.payload, HOSTILE.windows
        base, limit, reader = {
            HOSTILE.OWN: (0, NODE.memory_bytes, 0), HOSTILE.PAYLOAD: (payload.base, payload.length, 0),
        }.get(counter, (windows.base, windows.length, _ANYBODY))
        await self.write("INJECTION_WINDOW", base, counter)
        await self.write("INJECTION_LIMIT", limit, counter)
        await self.write("INJECTION_READER", reader, counter)
        await self.write("RECEPTION_WINDOW", windows.base + 2048 * (counter % 4), counter)
        await self.write("RECEPTION_LIMIT", int(aim.rng.choice([2048, 4096, 0xFFFFFFFF])), counter)
        await self.write("RECEPTION_VALUE", int(aim.rng.choice([0, 512, 0x7FFFFFFF])), counter)
        await self.write("RECEPTION_WRITER", pack(Writer, armed=1, any=1, key=aim.key), counter)

    async def write(self, register: str, value: int, index: int = 0) -> bool:
        """A register of its own; whether that was allowed."""
        return await self._access(Poke(REGISTERS[register].at(index), value, ""))

    async def _access(self, poke: Poke) -> bool:
        """Make an access, and note if it should have been refused but was not; none while the owner has the node."""
        if self.silent:
            return False
        write = poke.value is not None
        try:
            if poke.value is None:
                await self._port.read(poke.address)
            else:
                await self._port.write(poke.address, poke.value)
        except BusError:
            self.refused[page(poke.address)] += 1
            return False
        if forbidden(poke.address, write=write):
            self.accepted.append(f"a {'write' if write else 'read'} of {poke.address:#08x}")
        if poke.value is not None and poke.address >= MEMORY_WINDOW:
            at = poke.address - MEMORY_WINDOW
            self.image[at:at + 4] = np.frombuffer(poke.value.to_bytes(4, "big"), np.uint8)
        return True

    async def _ring(self, ring: int) -> None:
        """All descriptors of a ring but one, from where the last lap ended."""
        slots = HOSTILE.rings[ring].length // DESCRIPTOR_BYTES
        self._tails[ring] = (self._tails[ring] - 1) % slots
        await self.write("INJECTION_TAIL", self._tails[ring] * DESCRIPTOR_BYTES, ring)

    async def _touch(self, aim: Aim) -> None:
        """Register accesses of the round's way."""
        chosen = pokes(aim, aim.stimulus.accesses)
        self.tried += kinds(chosen)
        for poke in chosen:
            if self.silent:
                return
            done = await self._access(poke)
            if poke.address == _CONSOLE_TX and poke.value is not None:
                self.tried["console"] += 1
                if not done:
                    await self._port.sleep(_SENDING)
                    done = await self._access(poke)
                self.said += done
            if poke.address == _TRAFFIC_COUNT and poke.value is not None and done:
                self.tried["traffic"] += poke.value & _FEW

    async def _drain(self) -> None:
        """Wait until the rings are empty, or do not move any more."""
        last: list[int] = []
        for _ in range(_LOOKS):
            await self._port.sleep(_LOOK)
            if self.silent:
                return
            try:
                heads = [await self._port.read(REGISTERS["INJECTION_HEAD"].at(ring)) for ring in self._tails]
            except BusError:
                return
            if heads == last or heads == [tail * DESCRIPTOR_BYTES for tail in self._tails.values()]:
                return
            last = heads

    async def stop(self) -> None:
        """Close all rings and stop the generator."""
        for ring in range(NODE.injection_rings):
            await self.write("INJECTION_SIZE", 0, ring)
        await self.write("TRAFFIC_CONTROL", 0)
