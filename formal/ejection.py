"""What keeps ejection from waiting: a packet that has begun to leave the router does leave, and no lane keeps a ring.

The router is shown apart from what is behind it, so the first holds whatever guard and network interface do.
"""

from dataclasses import replace

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED, keeps_grants, same
from rtl.formats import PACKET_FLITS, Direction, Flit
from rtl.ni.ni import NI
from rtl.ni.reception import packet_layout
from rtl.signatures import DIRECTIONS
from rtl.torus.router import Router
from rtl.torus.routing import CHANNELS

__all__ = ["EjectionHarness", "RingHarness"]


class EjectionHarness(Harness):
    """A router whose sources are anything but longer than a packet."""

    LANES = (1, 2, 3, 6)
    """Of each part: six, three, two ports to a lane, and one. With four and five lanes each has one or two as well."""
    parts = len(LANES)
    properties = {
        "ejection-flow": "once a packet has an ejection lane, each of its flits moves in the cycle its source gives "
                         "it, to the lane and, if it leaves a copy, by the link, whatever the guard takes; and the "
                         "lane gives the guard what moved, unchanged, once and in order",
    }

    def elaborate(self, platform):
        m = Module()
        lanes = self.LANES[self.part]
        router = Router(replace(SCALED, lanes=lanes))
        m.d.comb += [router.straps.eq(self.any_straps(m)), *(stream.ready.eq(AnySeq(1)) for stream in router.eject)]
        for tx in router.tx:
            m.d.comb += tx.credit.eq(AnySeq(len(tx.credit)))
        m.submodules.dut = dut = Opened(router, (
            *(f"input_{port.name.lower()}" for port in Direction), *(f"injection_{lane}" for lane in range(lanes))))
        self._owners(m, dut)
        for lane in range(lanes):
            self._moves(m, dut, router, lane)
            self._room(m, dut, lane)
            self._keeps(m, dut, router, lane)
        return m

    def _owners(self, m: Module, dut: Opened) -> None:
        """One packet at a time has an output, and one copy at a time is waited for."""
        owners = [register for path, register in dut.registers() if path.endswith(".allocator.owner")]
        for register in (dut.signal("deposit.chosen", width=None), *owners):
            self.help(m, ~(register & (register - 1)).any())

    def _moves(self, m: Module, dut: Opened, router: Router, lane: int) -> None:
        """What has the lane goes there, and on by the link that has it, too."""
        lanes, channels = len(router.eject), len(CHANNELS)
        take = dut.signal("switch.take", width=DIRECTIONS * channels + lanes)
        move = dut.signal("switch.move", width=DIRECTIONS + lanes)
        out = dut.signal(f"switch.out__{DIRECTIONS + lane}", width=Flit.size)
        select = dut.signal(f"ejection_{lane}.allocator.select", width=None)
        sources = router._sources(range(lane, DIRECTIONS, lanes), [lane])
        for index, source in enumerate(sources):
            path, goes = router._paths[source], Signal(name=f"goes_{lane}_{source}")
            m.d.comb += goes.eq(select[index] & path.valid)
            self.claim(m, "ejection-flow", ~goes | (take[source] & move[DIRECTIONS + lane] & same(out, path.flit)))
            if source < DIRECTIONS * channels:
                ahead, channel = source // channels ^ 1, source % channels
                link = dut.signal(f"output_{Direction(ahead).name.lower()}.allocator.select", width=None)
                continuing = (len(link) - lanes) // channels * channel
                self.claim(m, "ejection-flow", ~goes | ~link[continuing] | move[ahead])

    def _room(self, m: Module, dut: Opened, lane: int) -> None:
        """Flits of a packet find room."""
        unit = f"ejection_{lane}"
        busy, start = (dut.signal(f"{unit}.allocator.{name}") for name in ("busy", "start"))
        done, moved = dut.signal(f"{unit}.done"), Signal(range(PACKET_FLITS + 1), name=f"moved_{lane}")
        moves = dut.signal("switch.move", width=None)[DIRECTIONS + lane]
        m.d.sync += moved.eq(Mux((busy | start) & ~done, moved + moves, 0))
        self.assume(m, "whole-packets", ~moves | done | (moved != PACKET_FLITS - 1))
        level = dut.signal(f"{unit}.buffer.level", width=None)
        self.claim(m, "ejection-flow", ~start | (level == 0))
        self.claim(m, "ejection-flow", ~dut.signal(f"{unit}.w_en") | (level != PACKET_FLITS))
        self.help(m, Mux(busy, level <= moved, (moved == 0) & (level <= PACKET_FLITS)))
        self.help(m, moved < PACKET_FLITS)
        produce, consume = (dut.signal(f"{unit}.buffer.{name}", width=None) for name in ("produce", "consume"))
        self.help(m, produce == (consume + level)[:len(produce)])

    def _keeps(self, m: Module, dut: Opened, router: Router, lane: int) -> None:
        """One flit that moves, any, is followed: `position` is 0 in the register, then counts from the buffer's end."""
        unit, stream = f"ejection_{lane}", router.eject[lane]
        storage = dut.memory(f"{unit}.buffer.storage").read_port()
        level, consume = (dut.signal(f"{unit}.buffer.{name}", width=None) for name in ("level", "consume"))
        moves = dut.signal("switch.move", width=None)[DIRECTIONS + lane]
        followed, here = (Signal(name=f"{name}_{lane}") for name in ("followed", "here"))
        flit, position = Signal(Flit, name=f"flit_{lane}"), Signal(range(PACKET_FLITS + 1), name=f"position_{lane}")
        free, behind = Signal(name=f"free_{lane}"), Signal.like(position, name=f"behind_{lane}")
        m.d.comb += [
            free.eq(~stream.valid | stream.ready),
            behind.eq(level + ~free),
            storage.addr.eq(consume + position - 1),
        ]
        with m.If(here & free):
            m.d.sync += [here.eq(position != 0), position.eq(position - 1)]
        with m.If(moves & ~followed & AnySeq(1)):
            m.d.sync += [followed.eq(1), here.eq(1), position.eq(behind)]
            m.d.sync += flit.eq(dut.signal(f"switch.out__{DIRECTIONS + lane}", width=Flit.size))
        self.claim(m, "ejection-flow", ~here | (position != 0) | (stream.valid & same(stream.payload, flit)))
        self.help(m, ~here | (position <= level))
        self.help(m, ~here | (position == 0) | same(storage.data, flit))
        # What a register shows came before: no flit is in the buffer while the register is empty.
        self.help(m, stream.valid | (level == 0))


class RingHarness(Harness):
    """A network interface whose links, host, memory and sending side are anything."""

    LANES = (3, 6)
    """Of each part. Faults show with three, and sooner."""
    parts = len(LANES)
    FREE = ("injection_0", "sender", "sent", "port", "status", "arbiter")
    properties = {
        "reception-locks": "a ring belongs to at most one lane, which is at a packet that has room in it, and to none "
                           "once the last write of that packet was taken; a lane at such a packet refuses a flit only "
                           "while a word of its own waits for the memory; and no lane gets a ring twice while another "
                           "waits for it",
    }

    def elaborate(self, platform):
        m = Module()
        count = self.LANES[self.part]
        parameters = replace(SCALED, lanes=count)
        interface = NI(parameters)
        for stream in (*interface.eject, interface.console_in):
            m.d.comb += [stream.valid.eq(AnySeq(1)), Value.cast(stream.payload).eq(AnySeq(Flit.size))]
        m.submodules.dut = dut = Opened(interface, self.FREE)
        for parent in ("rings", "received"):
            keeps_grants(m, self, dut, parent, "arbiter")

        layout = packet_layout(parameters)
        lanes = [f"reception_{lane}" for lane in range(count)]
        held = [self._held(m, dut, lane, data.View(layout, dut.signal(f"{lane}.packet", width=layout.size)).held)
                for lane in lanes]
        held.append(self._console(m, dut, len(held[0])))
        owned = held[0]
        for other in held[1:]:
            self.claim(m, "reception-locks", ~(owned & other).any())
            owned = owned | other
        self.claim(m, "reception-locks", dut.signal("rings.locked", width=None) == owned)
        for lane in lanes:
            self._flows(m, dut, lane)
        self._takes_turns(m, dut, [*lanes, "receiver"])
        return m

    def _held(self, m: Module, dut: Opened, lane: str, ring: Value) -> Value:
        """The ring a lane has: from the reservation to its last write."""
        last = dut.signal(f"{lane}.gather.full") & dut.signal(f"{lane}.gather.final")
        self.help(m, ~(ring & (ring - 1)).any())
        self.help(m, dut.state(lane, "HEADER") | dut.state(lane, "STORE") | ~ring.any())
        self.help(m, ~last | dut.state(lane, "HEADER"))
        self.help(m, ~dut.signal(f"{lane}.gather.full") | last | dut.state(lane, "STORE"))
        return Mux(last | dut.state(lane, "STORE"), ring, 0)

    def _console(self, m: Module, dut: Opened, rings: int) -> Value:
        """The console's ring, which only the console receiver asks for."""
        full, final, settling = (dut.signal(f"receiver.gather.{name}") for name in ("full", "final", "settling"))
        store, pad, settle = (dut.state("receiver", name) for name in ("STORE", "PAD", "SETTLE"))
        self.help(m, store | pad | settle | ~(full | settling))
        self.help(m, settle | ~settling)
        self.help(m, settle | ~full | ~final)
        self.help(m, ~settle | (full & final & ~settling) | (~full & settling))
        return Mux(store | pad | (settle & full), 1 << rings - 1, 0)

    def _flows(self, m: Module, dut: Opened, lane: str) -> None:
        """Who has a ring waits for nobody else."""
        asks, ready = (dut.signal(f"{lane}.{name}") for name in ("gather.full", "i__ready"))
        self.claim(m, "reception-locks", ~dut.state(lane, "STORE") | ready | asks)

    def _takes_turns(self, m: Module, dut: Opened, clients: list[str]) -> None:
        """Whom another has passed, that one does not pass again."""
        grants = dut.signal("rings.arbiter.grants", width=len(clients))
        asked = dut.signal("rings.asked", width=len(clients))
        valid = [dut.signal(f"{client}.ring__valid") for client in clients]
        which = [dut.signal(f"{client}.ring__which", width=None) for client in clients]
        for waits in range(len(clients)):
            for goes in range(len(clients)):
                if goes == waits:
                    continue
                passed, passes = Signal(name=f"passed_{waits}_{goes}"), Signal(name=f"passes_{waits}_{goes}")
                m.d.comb += passes.eq(valid[waits] & ~grants[waits] & grants[goes] & (which[waits] & which[goes]).any())
                m.d.sync += passed.eq(valid[waits] & ~grants[waits] & (passed | passes))
                self.claim(m, "reception-locks", ~(passed & passes))
                kept = dut.signal(f"rings.kept_{goes}", width=len(clients))
                self.help(m, ~passed | (asked[waits] & (~asked[goes] | kept[waits])))
        for client, wants in enumerate(valid):
            self.help(m, ~asked[client] | wants)
            self.help(m, ~grants[client] | wants)
