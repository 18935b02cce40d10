"""Descriptors, ways and receptions told from what passed, on waves written by hand."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from khhw.node import Shape
from khhw.trace import torus
from khhw.trace.accesses import Write
from khhw.trace.flits import Sighting
from khhw.trace.policy import PolicyHistory
from khhw.trace.reception import NodeReception
from khhw.trace.rings import Fetch, fetches, messages
from khhw.trace.torus import Lanes, TorusPacket, follow_all
from khhw.trace.waves import Waves
from rtl.formats import Descriptor, Direction, Header, PutHeader, Writer, pack
from rtl.parameters import Parameters
from rtl.torus.header import seal
from tests.trace.vcd import write_vcd

SMALL = Parameters(lanes=1, memory_bytes=4096, injection_rings=1, reception_rings=1)
STEPS = 40


def seen(begin: int, *flits: int, bad: bool = False) -> Sighting:
    return Sighting(begin, begin + len(flits) - 1, flits, bad, True, 2)


def levels(*changes: tuple[int, int]) -> list[int]:
    """A value a step, from (step, value) pairs."""
    values, value = [], 0
    for step in range(STEPS):
        value = dict(changes).get(step, value)
        values.append(value)
    return values


def pulses(*steps: int) -> list[int]:
    return [int(step in steps) for step in range(STEPS)]


class TestDescriptors:
    HEADER = pack(Header, x=1, vc=2, dma=1)
    LONG = pack(Descriptor, length=300, base_offset=64, header=HEADER, software=pack(PutHeader, counter=3))
    SHORT = pack(Descriptor, length=8, header=HEADER, software=pack(PutHeader, counter=4))

    def fetched(
        self, folder: Path, words: dict[int, int], *writes: tuple[int, str, int], hold: list[int] | None = None,
    ) -> list[Fetch]:
        """Fetches where the memory gave `words` (by step, of consecutive chunks from 64 on)."""
        values: dict[str, tuple[int, list[int]]] = {
            "memory__read__valid": (1, pulses(*words)), "memory__read__ready": (1, [1] * STEPS),
            "memory__read__payload": (7, levels(*((step, 2 + index) for index, step in enumerate(words)))),
            "memory__data__valid": (1, pulses(*(step + 1 for step in words))), "memory__data__ready": (1, [1] * STEPS),
            "memory__data__payload": (256, levels(*((step + 1, word) for step, word in words.items()))),
            "hold": (1, hold or levels((0, 1), (2, 0))),
        }
        signals = {f"node_0.{name}": signal for name, signal in values.items()}
        file = write_vcd(folder / "dump.vcd", signals, range(STEPS))
        asked = [Write(step, step + 3, f"INJECTION_{name}", 0, value) for step, name, value in writes]
        return list(fetches(Waves(file), "node_0", SMALL, asked))

    RING = ((3, "BASE", 64), (4, "SIZE", 128), (6, "TAIL", 64))

    def test_a_doorbell_announces_what_is_fetched(self, tmp_path: Path) -> None:
        one, two = self.fetched(tmp_path, {10: self.LONG, 20: self.SHORT}, *self.RING)
        assert [(fetch.address, fetch.step, fetch.answered, fetch.fields["length"]) for fetch in (one, two)] == [
            (64, 10, 11, 300), (96, 20, 21, 8)]
        assert one.doorbell == two.doorbell == Write(6, 9, "INJECTION_TAIL", 0, 64)

    def test_a_read_that_no_doorbell_announced_is_something_else(self, tmp_path: Path) -> None:
        assert len(self.fetched(tmp_path, {10: self.LONG, 20: self.SHORT}, *self.RING[:2], (6, "TAIL", 32))) == 1

    @pytest.mark.parametrize(("held_at", "count"), [(5, 0), (0, 1)])
    def test_a_hold_closes_the_ring(self, tmp_path: Path, held_at: int, count: int) -> None:
        writes = ((3, "BASE", 64), (3, "SIZE", 128), (4, "TAIL", 32))
        found = self.fetched(tmp_path, {10: self.LONG}, *writes, hold=levels((held_at, 1), (held_at + 2, 0)))
        assert len(found) == count

    def test_packets_find_their_message_and_skip_what_was_not_sent(self, tmp_path: Path) -> None:
        wrong = pack(Descriptor, length=8, header=pack(Header, x=1, vc=2), software=7)
        found = self.fetched(tmp_path, {10: wrong, 12: self.LONG, 14: self.SHORT}, *self.RING[:1],
                             (4, "SIZE", 256), (6, "TAIL", 96))
        first = pack(Header, x=1, vc=2, dma=1, size=7)
        rest = pack(Header, x=1, vc=2, dma=1, size=2)
        lane = [seen(20, first, pack(PutHeader, counter=3, valid_bytes=240)),
                seen(25, rest, pack(PutHeader, counter=3, valid_bytes=60, put_offset=240)),
                seen(30, self.HEADER, pack(PutHeader, counter=4, valid_bytes=8))]
        parts = messages(found, [lane])
        assert [(parts[0, index].fetch.step, parts[0, index].first, parts[0, index].length) for index in range(3)] == [
            (12, 0, 240), (12, 240, 60), (14, 0, 8)]


class TestWays:
    """A ring of four nodes: what was seen on cables and lanes, and what is made of it."""

    SHAPE = Shape(4, 1, 1)

    def follow(
        self, monkeypatch: pytest.MonkeyPatch, sent: Iterable[Sighting], links: dict[int, list[Sighting]],
        ejected: dict[int, list[Sighting]], passed: dict[int, list[Sighting]],
    ) -> list[TorusPacket]:
        """Packets of node 0; `links` are those that left a node by X+."""
        nodes = []
        for rank in range(4):
            lanes = Lanes.__new__(Lanes)
            start = list(sent) if rank == 0 else []
            lanes.from_ni = [[seen(s.begin - 1, *s.flits) for s in start]]
            lanes.to_router, lanes.from_router = [start], [ejected.get(rank, [])]
            lanes.to_ni = [passed.get(rank, [])]
            nodes.append(lanes)
        cables = {f"node_{rank}.tx__0": sightings for rank, sightings in links.items()}
        monkeypatch.setattr(torus, "cable", lambda _, prefix: cables.get(prefix, []))
        policies = [PolicyHistory(self.SHAPE, rank, SMALL, []) for rank in range(4)]
        whole = SimpleNamespace(ranks=frozenset(range(4)), from_start=True)
        return follow_all(whole, self.SHAPE, nodes, policies, [{}] * 4)

    def test_a_deposit_packet_leaves_copies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here, there = (seal(pack(Header, x=2, vc=2, deposit=1, hint=hint)) for hint in (0x20, 0))
        (packet,) = self.follow(
            monkeypatch, [seen(10, here, 5)], {0: [seen(12, here, 5)], 1: [seen(16, here, 5)]},
            {1: [seen(16, here, 5)], 2: [seen(19, there, 5)]}, {1: [seen(17, here, 5)], 2: [seen(20, there, 5)]})
        assert [(hop.rank, hop.output) for hop in packet.hops] == [
            (0, Direction.XP), (1, None), (1, Direction.XP), (2, None)]
        assert [(one.rank, one.passed is not None) for one in packet.deliveries] == [(1, True), (2, True)]
        # Leaving a copy takes a cycle, in which it waits for nobody.
        assert [hop.waited for hop in packet.hops] == [0, 0, 0, 0]

    def test_equal_packets_keep_their_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here, there = (seal(pack(Header, x=1, vc=2, hint=hint)) for hint in (0x20, 0))
        packets = self.follow(
            monkeypatch, [seen(10, here, 5), seen(20, here, 5)], {0: [seen(22, here, 5), seen(12, here, 5)]},
            {1: [seen(15, there, 5), seen(25, there, 5)]}, {1: [seen(16, there, 5), seen(26, there, 5)]})
        assert [packet.deliveries[0].ejected.begin for packet in packets] == [15, 25]

    def test_the_ingress_guard_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here, there = (seal(pack(Header, x=1, vc=2, hint=hint)) for hint in (0x20, 0))
        (packet,) = self.follow(
            monkeypatch, [seen(10, here, 5)], {0: [seen(12, here, 5)]}, {1: [seen(15, there, 5)]}, {})
        (delivery,) = packet.deliveries
        assert (delivery.passed, delivery.held) == (None, True)

    def test_a_packet_that_a_router_discards_ends_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here = seal(pack(Header, x=1, vc=2, hint=0x20))
        (packet,) = self.follow(monkeypatch, [seen(10, here, 5)], {0: [seen(12, here, 5)]}, {}, {})
        assert [hop.rank for hop in packet.hops] == [0]
        assert packet.deliveries == []


class TestReception:
    PUT = pack(Header, dma=1, vc=2), pack(PutHeader, counter=1, valid_bytes=8, put_offset=8)

    def received(self, folder: Path, sighting: Sighting, writes: list[Write], **signals: tuple[int, list[int]]):
        """What became of a packet that node 0 retired in step 20."""
        quiet = {"memory__write__valid": (1, pulses()), "memory__write__ready": (1, [1] * STEPS),
                 "memory__write__payload": (7 + 256 + 32, pulses()), "irq": (1, pulses()), "hold": (1, pulses()),
                 "retired": (1, pulses(20))}
        named = {f"node_0.{name}": signal for name, signal in (quiet | signals).items()}
        waves = Waves(write_vcd(folder / "dump.vcd", named, range(STEPS)))
        return NodeReception(waves, "node_0", SMALL, writes, [[sighting]]).received(0, 0, sighting)

    @staticmethod
    def armed(**values: int) -> list[Write]:
        settings = {"WINDOW": 64, "LIMIT": 128, "VALUE": 8, "WRITER": pack(Writer, armed=1, any=1), **values}
        return [Write(2, 5, f"RECEPTION_{name}", 1, value) for name, value in settings.items()]

    def stored(self) -> dict[str, tuple[int, list[int]]]:
        """The write of eight bytes at 72."""
        address, mask, content = 2, 0xFF << 16, 0xABCD << 128
        return {"memory__write__valid": (1, pulses(18)),
                "memory__write__payload": (295, levels((18, address | content << 7 | mask << 263)))}

    def test_a_counter_that_reaches_zero_interrupts(self, tmp_path: Path) -> None:
        found = self.received(tmp_path, seen(10, *self.PUT, 0xABCD, 0), self.armed(), irq=(1, levels((22, 1))),
                              **self.stored())
        assert (found.writes, found.address, found.length, found.dropped) == ([(18, 2)], 72, 8, "")
        assert (found.count.before, found.count.after, found.interrupt) == (8, 0, 22)

    def test_a_counter_that_does_not_interrupts_nobody(self, tmp_path: Path) -> None:
        found = self.received(tmp_path, seen(10, *self.PUT, 0xABCD, 0), self.armed(VALUE=9), irq=(1, levels((22, 1))),
                              **self.stored())
        assert (found.count.after, found.interrupt) == (1, None)

    @pytest.mark.parametrize(("values", "why"), [
        ({"WRITER": 0}, "reception counter 1 is not armed"),
        ({"WRITER": pack(Writer, armed=1, node=7)}, "reception counter 1 is armed for node id 7, not 0"),
        ({"WRITER": pack(Writer, armed=1, any=1, key=9)}, "reception counter 1 is armed with key 9, not 0"),
        ({"LIMIT": 15}, "bytes 8 to 16 leave the window of reception counter 1, 15 bytes"),
    ])
    def test_why_a_put_was_dropped(self, tmp_path: Path, values: dict[str, int], why: str) -> None:
        assert self.received(tmp_path, seen(10, *self.PUT, 0xABCD, 0), self.armed(**values)).dropped == why

    def test_a_hold_forgets_counters(self, tmp_path: Path) -> None:
        found = self.received(tmp_path, seen(10, *self.PUT, 0xABCD, 0), self.armed(), hold=(1, levels((7, 1), (8, 0))))
        assert found.dropped == "reception counter 1 is not armed"

    def test_a_hold_cuts_reception(self, tmp_path: Path) -> None:
        found = self.received(tmp_path, seen(10, *self.PUT, 0xABCD, 0), self.armed(), hold=(1, levels((15, 1))))
        assert found.retired is None

    def test_a_message_that_found_its_ring_full(self, tmp_path: Path) -> None:
        message = seen(10, pack(Header, vc=2, pid1=1), 0, 1, 2)
        assert self.received(tmp_path, message, []).dropped == "reception ring 1 is closed or full"

    def test_a_bad_tail(self, tmp_path: Path) -> None:
        message = seen(10, pack(Header, vc=2), 0, 1, 2, bad=True)
        assert self.received(tmp_path, message, []).dropped == "its tail was marked bad"
