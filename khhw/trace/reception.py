"""What became of packets in the network interface: memory, counters, interrupt."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from khhw.trace.accesses import Write
from khhw.trace.flits import Sighting, transfers
from khhw.trace.ports import members
from khhw.trace.waves import Waves
from rtl.codec import Codec
from rtl.formats import CHUNK_BYTES, FLIT_BYTES, WORD_BYTES, WORD_FLITS, Header, PutHeader, Writer, ring_of, unpack
from rtl.parameters import Parameters
from rtl.signatures import memory_signature

__all__ = ["CounterStep", "NodeReception", "Received"]

_COUNTER_REGISTERS = ("VALUE", "WINDOW", "LIMIT", "WRITER")
_INTERRUPT_STEPS = 4
"""Steps from the retirement of a packet in which its interrupt rises, if it does."""
_HEADER = Codec.of(Header)

_Words = list[tuple[int, int]]
"""Words for memory: the mask of their bytes, and what they hold."""


@dataclass(frozen=True, slots=True)
class CounterStep:
    """A reception counter counting a put: its number, its value before and after; None if the waves do not tell."""

    counter: int
    before: int | None
    after: int | None


@dataclass(slots=True)
class Received:
    """What reception did with a packet.

    Parameters
    ----------
    retired : int or None
        Step in which all it changed was visible; None if hold or the end of the run came first.
    writes : list of (int, int)
        Its memory writes: step and word address.
    address, length : int
        Bytes of memory they went to.
    dropped : str
        Why nothing was stored; empty if it was.
    count : CounterStep or None
    interrupt : int or None
        Step in which the interrupt rose behind it.
    was_up : bool
        The interrupt was up already.
    """

    retired: int | None
    writes: list[tuple[int, int]] = field(default_factory=list)
    address: int = 0
    length: int = 0
    dropped: str = ""
    count: CounterStep | None = None
    interrupt: int | None = None
    was_up: bool = False


class NodeReception:
    """Reception of one node.

    Parameters
    ----------
    waves : Waves
    node : str
        Path of the node.
    parameters : Parameters
    writes : iterable of Write
        Its software's.
    lanes : list of list of Sighting
        What reached the network interface, by ejection lane.
    """

    def __init__(
        self, waves: Waves, node: str, parameters: Parameters, writes: Iterable[Write], lanes: Sequence[list[Sighting]],
    ) -> None:
        self._parameters = parameters
        signature = memory_signature(parameters)
        self._layout = signature.members["write"].signature.members["payload"].shape
        ports = {name.removeprefix("write__"): width for name, width in members(signature).items()}
        steps, self._stored = transfers(waves, f"{node}.memory__write",
                                        {name: ports[name] for name in ("valid", "ready", "payload")})
        self._steps = steps.tolist()
        self._irq = waves.signal(f"{node}.irq", 1)
        hold = waves.signal(f"{node}.hold", 1)
        self._holds = [step for step, level in zip(hold.starts.tolist(), hold.values, strict=True) if level]
        self._settings = _Settings(writes, self._holds, waves.from_start)
        retired = waves.signal(f"{node}.retired", parameters.lanes).every(waves.steps)
        self._retired = [self._pair(sightings, (retired >> lane & 1).nonzero()[0].tolist())
                         for lane, sightings in enumerate(lanes)]
        self._written: dict[tuple[int, int], Received] = {}
        self._counts = self._count(lanes)

    def received(self, lane: int, index: int, sighting: Sighting) -> Received:
        """What became of packet `index` of an ejection lane."""
        retired = self._retired[lane][index]
        if retired is None:
            return Received(None)
        result = replace(self._found_writes(lane, index, sighting, retired))
        result.count = self._counts.get((lane, index))
        fields = unpack(Header, sighting.flits[0])
        if fields["dma"] and (result.count is None or result.count.after):
            # Nothing of this raises an interrupt.
            return result
        result.was_up = bool(self._irq.at(retired))
        if not result.was_up:
            steps = range(retired + 1, retired + 1 + _INTERRUPT_STEPS)
            result.interrupt = next((step for step in steps if self._irq.at(step)), None)
        return result

    def _pair(self, sightings: list[Sighting], pulses: list[int]) -> list[int | None]:
        """Retirements of packets: in order, and not across a hold."""
        found: list[int | None] = []
        index = 0
        for sighting in sightings:
            following = bisect_right(self._holds, sighting.begin)
            end = self._holds[following] if following < len(self._holds) else None
            index = max(index, bisect_right(pulses, sighting.end))
            good = sighting.whole and index < len(pulses) and (end is None or pulses[index] < end)
            found.append(pulses[index] if good else None)
            index += good
        return found

    def _found_writes(self, lane: int, index: int, sighting: Sighting, retired: int) -> Received:
        """What a packet changed in memory; looked for once."""
        if (lane, index) not in self._written:
            self._written[lane, index] = Received(retired)
            self._find_writes(self._written[lane, index], sighting, retired)
        return self._written[lane, index]

    def _find_writes(self, result: Received, sighting: Sighting, retired: int) -> None:
        options, why = self._wanted(sighting)
        for words in options:
            self._match(result, words, bisect_left(self._steps, sighting.begin), bisect_right(self._steps, retired))
            if result.writes:
                break
        if sighting.bad:
            result.dropped = "its tail was marked bad"
        elif not result.writes and any(options):
            result.dropped = why

    def _match(self, result: Received, words: _Words, index: int, end: int) -> None:
        """Find the writes of these words among those from `index` to `end`."""
        for mask, content in words:
            bits = _spread(mask)
            while index < end:
                write = unpack(self._layout, self._stored[index])
                index += 1
                if write["mask"] == mask and not (write["data"] ^ content) & bits:
                    if not result.writes:
                        first = mask.bit_length()
                        result.address = write["address"] * WORD_BYTES + WORD_BYTES - first
                    result.writes.append((self._steps[index - 1], write["address"]))
                    result.length += mask.bit_count()
                    break

    def _wanted(self, sighting: Sighting) -> tuple[list[_Words], str]:
        """What a packet has for memory, all that it may be, and why it was dropped if none of that was written."""
        header = unpack(Header, sighting.flits[0])
        if len(sighting.flits) < WORD_FLITS:
            return [], ""
        if not header["dma"]:
            return [_words(sighting.flits, 0, (header["size"] + 1) * CHUNK_BYTES)], \
                f"reception ring {ring_of(header)} is closed or full"
        put = unpack(PutHeader, sighting.flits[1])
        payload = sighting.flits[2:]
        if put["remote_get"]:
            stamp, kept = _HEADER.pack(source=header["source"]), ~_HEADER.mask("source")
            flits = [flit & kept | stamp if index % WORD_FLITS == 2 else flit for index, flit in enumerate(payload)]
            return [_words(flits, 0, header["size"] * CHUNK_BYTES)], \
                f"injection ring {put['ring']} takes no remote gets or is full"
        return self._wanted_put(sighting, header["source"], put, payload)

    def _wanted_put(
        self, sighting: Sighting, source: int, put: dict[str, int], payload: Sequence[int],
    ) -> tuple[list[_Words], str]:
        counter = put["counter"]
        setting = self._settings.at(counter, sighting.begin + 2)
        if setting is None:
            # It may begin anywhere in a word.
            return [_words(payload, start, put["valid_bytes"]) for start in range(WORD_BYTES)], \
                f"reception counter {counter} does not take it as it was set before the waves begin"
        start = setting["WINDOW"] + put["put_offset"]
        writer = unpack(Writer, setting["WRITER"])
        if not writer["armed"]:
            why = f"reception counter {counter} is not armed"
        elif not writer["any"] and writer["node"] != source:
            why = f"reception counter {counter} is armed for node id {writer['node']}, not {source}"
        elif writer["key"] != put["key"]:
            why = f"reception counter {counter} is armed with key {writer['key']}, not {put['key']}"
        elif put["put_offset"] + put["valid_bytes"] > setting["LIMIT"]:
            why = f"bytes {put['put_offset']} to {put['put_offset'] + put['valid_bytes']} leave the window of " \
                  f"reception counter {counter}, {setting['LIMIT']} bytes"
        else:
            why = "it does not fit into memory, or is more than the packet carries"
        return [_words(payload, start % WORD_BYTES, put["valid_bytes"])], why

    def _count(self, lanes: Sequence[list[Sighting]]) -> dict[tuple[int, int], CounterStep]:
        """Puts that were counted, with the values of their counters: software's writes and puts in order."""
        puts = []
        for lane, sightings in enumerate(lanes):
            for index, sighting in enumerate(sightings):
                retired = self._retired[lane][index]
                fields = unpack(Header, sighting.flits[0])
                if retired is None or not fields["dma"] or len(sighting.flits) < 2 or sighting.bad:
                    continue
                put = unpack(PutHeader, sighting.flits[1])
                if not put["remote_get"] and self._found_writes(lane, index, sighting, retired).writes:
                    puts.append((retired, put["counter"], put["valid_bytes"], lane, index))
        found: dict[tuple[int, int], CounterStep] = {}
        counted: dict[int, tuple[int, int | None]] = {}
        for retired, counter, length, lane, index in sorted(puts):
            since, value = self._settings.written(counter, "VALUE", retired)
            last, left = counted.get(counter, (-1, None))
            before = left if last >= since else value
            after = None if before is None else before - length & 0xFFFFFFFF
            counted[counter] = retired, after
            found[lane, index] = CounterStep(counter, before, after)
        return found


class _Settings:
    """Registers of the reception counters, as software wrote them; `whole`: from the beginning on."""

    def __init__(self, writes: Iterable[Write], holds: Sequence[int], whole: bool) -> None:
        self._whole = whole
        self._history: dict[tuple[int, str], list[tuple[int, int]]] = {}
        self._holds = holds
        for write in writes:
            name = write.name.removeprefix("RECEPTION_")
            if write.name.startswith("RECEPTION_") and name in _COUNTER_REGISTERS:
                self._history.setdefault((write.index, name), [(0, 0)]).append((write.shown, write.value))

    def written(self, counter: int, name: str, step: int) -> tuple[int, int | None]:
        """Since when a register has been what software last made it, and that, if it is known; a hold clears all."""
        history = self._history.get((counter, name), [(0, 0)])
        since, value = history[bisect_right(history, (step, 1 << 32)) - 1]
        index = bisect_right(self._holds, step) - 1
        held = self._holds[index] if index >= 0 else 0
        if not since and index < 0 and not self._whole:
            return 0, None
        return (since, value) if since >= held else (held, 0)

    def at(self, counter: int, step: int) -> dict[str, int] | None:
        """All registers of a counter; None if one is not known."""
        values = {name: self.written(counter, name, step)[1] for name in _COUNTER_REGISTERS}
        known = {name: value for name, value in values.items() if value is not None}
        return known if len(known) == len(values) else None


def _words(flits: Sequence[int], offset: int, length: int) -> _Words:
    """Memory words of `length` bytes from byte `offset` of the first: (mask, content), most significant byte first."""
    content = b"".join(flit.to_bytes(FLIT_BYTES, "big") for flit in flits)[:length]
    image = bytes(offset) + content
    image += bytes(-len(image) % WORD_BYTES)
    words = []
    for base in range(0, len(image), WORD_BYTES):
        # Offsets of the first enabled byte and behind the last, in this word.
        begin, end = max(offset - base, 0), min(offset + len(content) - base, WORD_BYTES)
        mask = (1 << end - begin) - 1 << WORD_BYTES - end
        words.append((mask, int.from_bytes(image[base:base + WORD_BYTES], "big")))
    return words


@cache
def _spread(mask: int) -> int:
    """The bits of the bytes a mask enables."""
    return sum(0xFF << 8 * byte for byte in range(WORD_BYTES) if mask >> byte & 1)
