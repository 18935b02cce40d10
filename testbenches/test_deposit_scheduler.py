"""The deposit scheduler by itself, its outputs busy on their own, as no router makes them."""

from random import choice, getrandbits, random, randrange

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from rtl.signatures import DIRECTIONS
from rtl.torus.routing import CHANNELS

DUT = "rtl.torus.deposit:DepositScheduler"
PARAMETERS = [{"lanes": 2}]

SOURCES = DIRECTIONS * len(CHANNELS)


def bits(value):
    """Numbers of the bits that are 1."""
    return {number for number in range(value.bit_length()) if value >> number & 1}


class Outputs:
    """Links, or lanes: what is busy in this cycle, and which have served a deposit packet and nobody since."""

    def __init__(self, dut, kind, of):
        self.of = of
        """The output of a source."""
        self._busy, self._withhold = getattr(dut, f"{kind}_busy"), getattr(dut, f"withhold_{kind}")
        self.busy = self.owes = self.kept = set()

    def drive(self, share):
        self.busy = bits(sum((random() < share) << number for number in range(len(self._busy)))) - self.kept
        self._busy.value = sum(1 << number for number in self.busy)

    def check(self, forced):
        """What is withheld in this cycle; `forced` is the sources that got it."""
        withheld = bits(int(self._withhold.value))
        assert not withheld & self.owes, "the next deposit packet before anybody else could go"
        outputs = {self.of(source) for source in forced}
        assert outputs <= withheld - self.busy
        self.owes = self.owes & (self.busy | withheld) | outputs
        return withheld


@cocotb.test()
@cocotb.parametrize(share=[0, 0.3, 0.8])
async def one_at_a_time_and_others_between(dut, share):
    """A packet gets both its outputs at once, with room; each serves others before the next; all get their turn."""
    for name in ("want", "room", "link_busy", "lane_busy"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    links = Outputs(dut, "link", lambda source: source // len(CHANNELS) ^ 1)
    lanes = Outputs(dut, "lane", lambda source: source // len(CHANNELS) % len(dut.lane_busy))
    want, served, lost = set(), dict.fromkeys(range(SOURCES), 0), False
    for cycle in range(3000):
        if cycle % 32 == 0:
            # All ports, or one that has all its outputs to itself.
            eager = choice(((1 << SOURCES) - 1, ((1 << len(CHANNELS)) - 1) << len(CHANNELS) * randrange(DIRECTIONS)))
        want |= bits(getrandbits(SOURCES) & getrandbits(SOURCES) & eager)
        room = bits(getrandbits(SOURCES) | getrandbits(SOURCES))
        dut.want.value = sum(1 << source for source in want)
        dut.room.value = sum(1 << source for source in room)
        for outputs in (links, lanes):
            # Now and then all are free for a while: then it must go on.
            outputs.drive(share if cycle % 64 < 48 else 0)
        await ReadOnly()
        forced = bits(int(dut.force.value))
        assert len(forced) <= 1 and forced <= room & want
        held = links.check(forced), lanes.check(forced)
        # The lane first; the link when the lane is free, which it then stays.
        lanes.kept = held[1] - lanes.busy if not forced else set()
        assert (not held[1] and not held[0]) or any(
            held == ({links.of(source)} if held[1] - lanes.busy else set(), {lanes.of(source)}) for source in want)
        # Who has lost its room has stepped back a cycle later.
        assert not (lost and held[1])
        lost = held[1] and not any(lanes.of(source) in held[1] for source in room & want)
        for source in forced:
            served[source] += 1
        want -= forced
        await RisingEdge(dut.clk)
    assert min(served.values()) > max(served.values()) // 3 > 5, served
