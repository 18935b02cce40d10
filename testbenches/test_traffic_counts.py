"""The traffic checker's totals across the carry between their halves, and a read of both halves as one."""

from random import choice, getrandbits, random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import CHUNK_FLITS
from rtl.registers import REGISTERS, TrafficError, joined
from rtl.traffic.lane import Received
from rtl.traffic.totals import WIDE, Sent
from testbenches.kit.registerbus import RegisterInitiator
from testbenches.worn_designs import start_of

DUT = "testbenches.worn_designs:TrafficCounts"
PARAMETERS = [{}]

FLAGS = ("record", "generated", "overrun", "omitted", "omitted_recorded")


class Events:
    """Drives random events in every cycle, and adds them up."""

    def __init__(self, dut):
        self.dut = dut
        self.totals = {name: start_of(name) for name in (*WIDE, "overruns", "omitted")}
        self.errors = [0] * 8
        self.latest = self.window = 0
        self.now = getrandbits(63)
        self.history = [self._seen()]
        """What was true in every cycle so far."""
        self.busy = True

    def _seen(self):
        return {**self.totals, "errors": list(self.errors), "latency_max": self.latest, "window": self.window}

    def _packets(self, name, packets):
        self.totals[name] += len(packets)
        self.totals[f"{name}_flits"] += sum(CHUNK_FLITS * (packet["size"] + 1) for packet in packets)

    async def run(self):
        """For ever; the window opens with the first event."""
        dut, record = self.dut, False
        while True:
            # What a cycle sees was decided before it; the window's time counts while `record` was on in the last one.
            self.window += record
            self.history.append(self._seen())
            await RisingEdge(dut.clk)
            self.now += 1
            dut.now.value = self.now
            record = self.busy and random() < 0.9
            up = {name: self.busy and random() < 0.5 for name in FLAGS} | {"record": record}
            size = getrandbits(3)
            for name, value in up.items():
                getattr(dut, name).value = int(value)
            dut.generated_size.value = size
            if up["generated"] and record:
                self._packets("generated", [{"size": size}])
            self.totals["overruns"] += up["overrun"] and record
            self.totals["omitted"] += up["omitted"] and up["omitted_recorded"]
            sent = [{"strobe": self.busy * getrandbits(1), "recorded": getrandbits(1), "size": getrandbits(3)}
                    for _ in range(2)]
            for lane, one in enumerate(sent):
                getattr(dut, f"sent__{lane}").value = Sent.const(one).as_bits()
            self._packets("injected", [one for one in sent if one["strobe"] and one["recorded"]])
            self._receive(record)

    def _receive(self, record):
        fine = []
        for bank in range(2):
            counted = self.busy * getrandbits(1)
            packet = {"failed": choice((0, 0, 1)), "recorded": getrandbits(1), "size": getrandbits(3),
                      "latency": getrandbits(choice((4, 32))), "error": choice(list(TrafficError))}
            getattr(self.dut, f"counted__{bank}").value = counted
            getattr(self.dut, f"packet__{bank}").value = Received.const(packet).as_bits()
            if counted and packet["failed"]:
                self.errors[packet["error"]] += 1
            elif counted:
                fine.append(packet)
        recorded = [packet for packet in fine if packet["recorded"]]
        self._packets("accepted", fine if record else [])
        self._packets("received", recorded)
        self.totals["latency_sum"] += sum(packet["latency"] for packet in recorded)
        self.latest = max([self.latest, *(packet["latency"] for packet in recorded)])


@cocotb.test()
async def halves_belong_together(dut):
    """Events go on while a total is read: its high half is that of the moment its low half was read."""
    ports = ["clear", "now", "generated_size", "bus__valid", *(f"{n}__{i}" for n in ("sent", "counted") for i in "01")]
    for name in (*FLAGS, *ports):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    events, bus = Events(dut), RegisterInitiator(dut, "bus")
    cocotb.start_soon(events.run())

    async def read(name, index=0):
        answer = await bus.read(REGISTERS[f"TRAFFIC_{name.upper()}"].at(index))
        assert not answer.error
        return answer.value

    for name in (*WIDE, "window", *WIDE, "window"):
        before = len(events.history) - 1
        low = await read(name)
        possible = {seen[name] for seen in events.history[before:]}
        await ClockCycles(dut.clk, choice((1, 60)))
        assert joined(low, await read(name, 1)) in possible, name
    events.busy = False
    await ClockCycles(dut.clk, 3)
    seen = events.history[-1]
    for name in (*WIDE, "window"):
        assert joined(await read(name), await read(name, 1)) == seen[name], name
    assert await read("overruns") == seen["overruns"] % 2**32
    assert await read("self") == seen["omitted"] % 2**32
    assert await read("latency_max") == seen["latency_max"]
    assert [await read("errors", index) for index in range(8)] == seen["errors"]
