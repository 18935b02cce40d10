"""The host port: from AXI4-Lite to registers, the guard's page and the node memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import WORD_BYTES
from rtl.ni.arbiter import read_client, write_client
from rtl.ni.decode import NI_REGISTERS, RegisterDecoder, register_port
from rtl.parameters import Parameters
from rtl.registers import GUARD_END, GUARD_PAGE, MEMORY_WINDOW, TRAFFIC_END
from rtl.signatures import HOST_ADDRESS_BITS, AxiLite, RegisterBus

__all__ = ["HostPort"]

SLVERR = 2


class HostPort(wiring.Component):
    """Serves one host access at a time: four cycles for a register, and the latency of what it reaches.

    What the register map does not allow, an address that is not a multiple of 4, and a register write that
    is not of all four bytes is answered with SLVERR and changes nothing. In reset nothing is accepted.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    host : In(AxiLite)
    registers : Out(register port)
        To the blocks that implement them.
    guard : Out(RegisterBus)
    read : Out(read client)
    write : Out(write client)
    error : Out(1)
        One pulse an access that is refused.
    busy : Out(1)
        An access is in progress or asked for.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__({
            "host": In(AxiLite),
            "registers": Out(register_port(register.name for register in NI_REGISTERS)),
            "guard": Out(RegisterBus),
            "read": Out(read_client(parameters)),
            "write": Out(write_client(parameters)),
            "error": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        host = self.host
        m.submodules.decoder = decoder = RegisterDecoder(self._parameters)
        write = Signal()
        address = Signal(HOST_ADDRESS_BITS)
        value = Signal(32)
        strobe = Signal(4)
        resp = Signal(2)
        live = Signal()
        m.d.sync += live.eq(1)

        # One access at a time, kept in registers that all targets see.
        take_write = Signal()
        take_read = Signal()
        m.d.comb += [
            host.awready.eq(take_write),
            host.wready.eq(take_write),
            host.arready.eq(take_read),
            host.bresp.eq(resp),
            host.rresp.eq(resp),
            host.rdata.eq(value),
            decoder.address.eq(address),
            decoder.write.eq(write),
            self.registers.write.eq(write),
            self.registers.index.eq(decoder.index),
            self.registers.data.eq(value),
            self.guard.write.eq(write),
            self.guard.address.eq(address),
            self.guard.data.eq(value),
        ]
        in_memory, word_index = self._memory_port(m, address, value, strobe)

        # After one access the other kind goes first.
        wants_write = Signal()
        m.d.comb += wants_write.eq(host.awvalid & host.wvalid)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | host.awvalid | host.wvalid | host.arvalid)
            with m.State("IDLE"):
                m.d.comb += [
                    take_write.eq(live & wants_write & ~(host.arvalid & write)),
                    take_read.eq(live & host.arvalid & ~(wants_write & ~write)),
                ]
                with m.If(take_write | take_read):
                    m.d.sync += [
                        write.eq(take_write),
                        address.eq(Mux(take_write, host.awaddr, host.araddr)),
                        value.eq(host.wdata),
                        strobe.eq(host.wstrb),
                        resp.eq(0),
                    ]
                    m.next = "DECODE"
            # Whose the address is; what is nobody's is refused.
            with m.State("DECODE"):
                end = TRAFFIC_END if self._parameters.traffic else GUARD_END
                aligned = Signal()
                complete = Signal()
                m.d.comb += [aligned.eq(~address[:2].any()), complete.eq(~write | strobe.all())]
                with m.If(aligned & in_memory):
                    m.next = "MEMORY"
                with m.Elif(aligned & complete & (address >= GUARD_PAGE) & (address < end)):
                    m.next = "GUARD"
                with m.Elif(aligned & complete & (address < GUARD_PAGE) & decoder.select.as_value().any()):
                    m.next = "REGISTER"
                with m.Else():
                    self._refuse(m, resp, value)
            with m.State("REGISTER"):
                m.d.comb += self.registers.select.eq(decoder.select)
                with m.If(self.registers.done):
                    m.d.sync += value.eq(self.registers.value)
                    m.next = "RESPOND"
                    with m.If(self.registers.error):
                        self._refuse(m, resp, value)
            with m.State("GUARD"):
                m.d.comb += self.guard.valid.eq(1)
                with m.If(self.guard.done):
                    m.d.sync += value.eq(self.guard.value)
                    m.next = "RESPOND"
                    with m.If(self.guard.error):
                        self._refuse(m, resp, value)
            # A word of the memory, and then the answer.
            with m.State("MEMORY"):
                m.d.comb += [self.read.request.valid.eq(~write), self.write.request.valid.eq(write)]
                with m.If((self.read.request.valid & self.read.request.ready)
                          | (self.write.request.valid & self.write.request.ready)):
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += value.eq(self.read.word.word_select(~word_index, 32))
                with m.If(self.read.valid | self.write.written):
                    m.next = "RESPOND"
            with m.State("RESPOND"):
                m.d.comb += [host.bvalid.eq(write), host.rvalid.eq(~write)]
                with m.If((host.bvalid & host.bready) | (host.rvalid & host.rready)):
                    m.next = "IDLE"
        return m

    def _refuse(self, m: Module, resp: Signal, value: Signal) -> None:
        m.d.comb += self.error.eq(1)
        m.d.sync += [resp.eq(SLVERR), value.eq(0)]
        m.next = "RESPOND"

    def _memory_port(self, m: Module, address: Signal, value: Signal, strobe: Signal) -> tuple[Signal, Signal]:
        """Requests to the memory; returns whether the address is in it, and which 32 bits of the word it means."""
        in_memory = Signal()
        word = Signal.like(self.read.request.payload)
        word_index = Signal(range(WORD_BYTES // 4))
        window_bits = MEMORY_WINDOW.bit_length() - 1
        m.d.comb += [
            in_memory.eq((address >= MEMORY_WINDOW) & (address[:window_bits] < self._parameters.memory_bytes)),
            word.eq(address[5:]),
            word_index.eq(address[2:]),
            self.read.request.payload.eq(word),
            self.write.request.payload.address.eq(word),
            self.write.request.payload.data.eq(value.replicate(WORD_BYTES // 4)),
            self.write.request.payload.mask.word_select(~word_index, 4).eq(strobe),
        ]
        return in_memory, word_index
