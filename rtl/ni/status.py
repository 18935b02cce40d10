"""Identification, interrupt, faults and drops."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Straps
from rtl.ni.decode import register_port
from rtl.ni.injection import Report
from rtl.ni.reception import Verdict
from rtl.parameters import Parameters
from rtl.register_bits import register_value
from rtl.registers import MAGIC, VERSION, Irq

__all__ = ["StatusFile"]

DROPS = {
    "RING_DROPS": Verdict.RING, "COUNTER_DROPS": Verdict.COUNTER, "GET_DROPS": Verdict.GET, "BAD_DROPS": Verdict.BAD,
}


class StatusFile(wiring.Component):
    """Registers that say what there is and what happened. Answers in the cycle of the access.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    injection_lanes : int
        Lanes that report faults.

    Members
    -------
    host : In(register port)
    straps, node_id, now : In
        What identification registers show.
    bus_error : In(1)
        A host access was refused in this cycle.
    reports : In(Report), array
        Skipped descriptors.
    finish, verdict : In
        A packet is finished with.
    console_drop : In(1)
    causes : In(16)
        Interrupt causes by :class:`~rtl.registers.Irq`, all but FAULT.
    irq : Out(1)
        One cycle behind its causes.
    """

    registers = (
        "MAGIC", "VERSION", "COORDINATE", "SIZE", "RANK", "NODE_ID", "TIME_LOW", "TIME_HIGH", "MEMORY_BYTES",
        "RESOURCES", "IRQ_STATUS", "IRQ_ENABLE", "BUS_ERRORS", "FAULTS", "LAST_FAULT", *DROPS, "CONSOLE_DROPS",
    )
    """Names of the registers implemented here."""

    def __init__(self, parameters: Parameters, *, injection_lanes: int) -> None:
        self._parameters = parameters
        super().__init__({
            "host": In(register_port(self.registers)),
            "straps": In(Straps),
            "node_id": In(16),
            "now": In(64),
            "bus_error": In(1),
            "reports": In(Report).array(injection_lanes),
            "finish": In(1),
            "verdict": In(Verdict),
            "console_drop": In(1),
            "causes": In(16),
            "irq": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        host = self.host
        time_high = Signal(32)
        irq_enable = Signal(16)
        causes = Signal(16)
        last_fault = Signal(12)
        fault_unread = Signal()
        counts = {name: Signal(32, name=name.lower()) for name in ("BUS_ERRORS", "FAULTS", *DROPS, "CONSOLE_DROPS")}

        # Count what was dropped and what went wrong.
        m.d.sync += [
            counts["BUS_ERRORS"].eq(counts["BUS_ERRORS"] + self.bus_error),
            counts["CONSOLE_DROPS"].eq(counts["CONSOLE_DROPS"] + self.console_drop),
            counts["FAULTS"].eq(counts["FAULTS"] + sum(report.valid for report in self.reports)),
        ]
        for name, verdict in DROPS.items():
            with m.If(self.finish & (Value.cast(self.verdict) == verdict)):
                m.d.sync += counts[name].eq(counts[name] + 1)

        # The last fault, and causes of interrupts.
        with m.If(host.select.LAST_FAULT):
            m.d.sync += fault_unread.eq(0)
        for report in self.reports:
            with m.If(report.valid):
                m.d.sync += [
                    fault_unread.eq(1),
                    last_fault.eq(register_value("LAST_FAULT", fault=report.fault, ring=report.ring)),
                ]
        with m.If(host.select.TIME_LOW):
            m.d.sync += time_high.eq(self.now[32:])
        with m.If(host.select.IRQ_ENABLE & host.write):
            m.d.sync += irq_enable.eq(host.data)
        m.d.comb += causes.eq(self.causes | fault_unread << Irq.FAULT)
        m.d.sync += self.irq.eq((causes & irq_enable).any())

        # What the host reads.
        straps, parameters = self.straps, self._parameters
        values = {
            "MAGIC": MAGIC,
            "VERSION": VERSION,
            "COORDINATE": register_value("COORDINATE", x=straps.x, y=straps.y, z=straps.z),
            "SIZE": register_value("SIZE", x=straps.size_x, y=straps.size_y, z=straps.size_z),
            "RANK": straps.rank,
            "NODE_ID": self.node_id,
            "TIME_LOW": self.now[:32],
            "TIME_HIGH": time_high,
            "MEMORY_BYTES": parameters.memory_bytes,
            "RESOURCES": register_value("RESOURCES", extensions=int(parameters.traffic), counters=parameters.counters,
                                        lanes=parameters.lanes,
                                        injection_rings=parameters.injection_rings,
                                        reception_rings=parameters.reception_rings),
            "IRQ_STATUS": causes,
            "IRQ_ENABLE": irq_enable,
            "LAST_FAULT": last_fault,
            **counts,
        }
        m.d.comb += host.done.eq(host.select.as_value().any())
        for name, value in values.items():
            with m.If(host.select[name]):
                m.d.comb += host.value.eq(value)
        return m
