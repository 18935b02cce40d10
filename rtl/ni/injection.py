"""An injection lane: from descriptors to packets."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import (
    ANSWER_COMMITS,
    CHUNK_BYTES,
    CHUNK_FLITS,
    FLIT_BYTES,
    PACKET_FLITS,
    PAYLOAD_BYTES,
    Header,
    PutHeader,
    asked_at,
)
from rtl.ni.arbiter import read_client
from rtl.ni.counters import Operation, Reader, counter_client
from rtl.ni.descriptor import DescriptorFetch, message_layout
from rtl.ni.reader import MessageReader
from rtl.parameters import Parameters
from rtl.registers import Fault
from rtl.signatures import FlitStream

__all__ = ["InjectionLane", "Report"]

Report = data.StructLayout({"valid": 1, "fault": Fault, "ring": 8})
"""A descriptor was skipped."""

HEADER_FLITS = 2


class InjectionLane(wiring.Component):
    """Cuts the messages of some rings in packets and sends them, one flit a cycle.

    A message is cut in packets of 240 bytes and a rest. Hardware sets `size`, counts `put_offset` up by 240 a
    packet and sets `valid_bytes` of puts; the last chunk is filled with zeros. The counter goes down by a
    packet's bytes, and HEAD moves on behind the message, once they have left the memory. No cycle is lost
    between the packets of a message, about six between messages.

    A remote get is answered as long as it is young (:data:`~rtl.formats.ANSWER_COMMITS`). What is left of an answer
    then is not sent, and reported as a fault.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    rings : sequence of int
        Injection rings of this lane; at least one.

    Members
    -------
    pending, remote, restart, descriptors, take : see :class:`~rtl.ni.descriptor.DescriptorFetch`
    commits : In(8)
        Since the fabric reset, modulo 256.
    retire : Out(rings)
        One pulse a descriptor that is finished.
    fetch, read : Out(read client)
        For descriptors and for messages.
    lookup, count : Out(counter client)
        To the injection counters.
    report : Out(Report)
    o : Out(FlitStream)
    busy : Out(1)
    """

    def __init__(self, parameters: Parameters, rings: list[int]) -> None:
        self._parameters = parameters
        self._rings = rings
        count = len(rings)
        super().__init__({
            "pending": In(count),
            "remote": In(count),
            "restart": In(count),
            "descriptors": In(data.ArrayLayout((parameters.memory_words - 1).bit_length(), count)),
            "take": Out(count),
            "commits": In(8),
            "retire": Out(count),
            "fetch": Out(read_client(parameters)),
            "read": Out(read_client(parameters)),
            "lookup": Out(counter_client(Reader)),
            "count": Out(counter_client(Reader)),
            "report": Out(Report),
            "o": Out(FlitStream),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.descriptor = fetch = DescriptorFetch(self._parameters, len(self._rings))
        m.submodules.reader = reader = MessageReader(self._parameters)
        connect(m, flipped(self.fetch), fetch.read)
        connect(m, flipped(self.lookup), fetch.counter)
        connect(m, flipped(self.read), reader.read)
        m.d.comb += [
            fetch.pending.eq(self.pending),
            fetch.remote.eq(self.remote),
            fetch.restart.eq(self.restart),
            fetch.descriptors.eq(self.descriptors),
            self.take.eq(fetch.take),
        ]

        # The message being sent, and the next packet of it.
        message = Signal(message_layout(self._parameters, len(self._rings)))
        stale = Signal()
        size = Signal(3)
        bytes_ = Signal(range(PAYLOAD_BYTES + 1))
        whole = Signal()
        m.d.comb += [
            whole.eq(message.length <= PAYLOAD_BYTES),
            bytes_.eq(Mux(whole, message.length, PAYLOAD_BYTES)),
            size.eq((bytes_ + CHUNK_BYTES // 2 - 1) >> 5),
        ]
        with m.If((message.ring & self.restart).any()):
            m.d.sync += stale.eq(1)

        # The age of a get counts from when the guard let it in, and for each packet of its answer anew.
        age = Signal(8)
        late = Signal()
        m.d.comb += [
            age.eq(self.commits - asked_at(message.header)),
            late.eq(message.remote & (age >= ANSWER_COMMITS)),
        ]

        # Payload flits of the packet still to come, and how many of them hold data.
        slots = Signal(range(PACKET_FLITS))
        filled = Signal(range(PACKET_FLITS))
        counting = self.count.valid
        with m.If(self.count.ready):
            m.d.sync += counting.eq(0)

        # Out through a register.
        flit = Signal(self.o.payload.shape())
        offered = Signal()
        free = Signal()
        step = Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            step.eq(offered & free),
            self.count.operation.eq(Operation.COUNT),
        ]
        with m.If(free):
            m.d.sync += [self.o.valid.eq(offered), self.o.payload.eq(flit)]

        # A packet: header, second header, payload; and again until the message is whole.
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += fetch.message.ready.eq(1)
                m.d.sync += [
                    message.eq(fetch.message.payload),
                    stale.eq((fetch.message.payload.ring & self.restart).any()),
                ]
                with m.If(fetch.message.valid & ~fetch.stale):
                    self._begin(m, fetch.message.payload, reader)
            with m.State("HEADER"):
                header = Header(flit.data)
                m.d.comb += [offered.eq(~late), flit.first.eq(1), header.eq(message.header), header.size.eq(size)]
                m.d.sync += [
                    slots.eq(CHUNK_FLITS * (size + 1) - HEADER_FLITS),
                    filled.eq((bytes_ + 7) >> 3),
                ]
                with m.If(late):
                    self._report(m, message.ring, Fault.LATE)
                    m.next = "SINK"
                with m.Elif(step):
                    m.next = "SOFTWARE"
            with m.State("SOFTWARE"):
                m.d.comb += [offered.eq(1), flit.data.eq(message.software)]
                with m.If(message.header.dma):
                    m.d.comb += PutHeader(flit.data).valid_bytes.eq(bytes_)
                with m.If(step):
                    m.next = "PAYLOAD"
            with m.State("PAYLOAD"):
                last = Signal()
                m.d.comb += [
                    last.eq(slots == 1),
                    offered.eq(((filled == 0) | reader.o.valid) & ~(last & counting)),
                    flit.last.eq(last),
                    flit.data.eq(Mux(filled == 0, 0, reader.o.payload)),
                    reader.o.ready.eq((filled != 0) & step),
                ]
                with m.If(step):
                    m.d.sync += [slots.eq(slots - 1), filled.eq(filled - (filled != 0))]
                with m.If(step & last):
                    put = PutHeader(message.software)
                    m.d.sync += [
                        put.put_offset.eq(put.put_offset + PAYLOAD_BYTES),
                        message.length.eq(message.length - bytes_),
                        counting.eq(1),
                        self.count.index.eq(message.counter),
                        self.count.amount.eq(bytes_),
                    ]
                    with m.If(whole):
                        m.d.comb += self.retire.eq(message.ring & ~(self.restart | stale.replicate(len(self._rings))))
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "HEADER"
            with m.State("SINK"):
                # What the reader has asked memory for comes, and goes nowhere.
                m.d.comb += reader.o.ready.eq(1)
                with m.If(reader.o.valid):
                    m.d.sync += message.length.eq(message.length - FLIT_BYTES)
                with m.If((message.length == 0) | (reader.o.valid & (message.length <= FLIT_BYTES))):
                    m.d.comb += self.retire.eq(message.ring & ~(self.restart | stale.replicate(len(self._rings))))
                    m.next = "IDLE"
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | fetch.busy | self.o.valid | counting)
        return m

    def _begin(self, m: Module, message: data.View, reader: MessageReader) -> None:
        """Start on a message, or report and skip it."""
        m.d.comb += [
            reader.address.eq(message.address),
            reader.length.eq(message.length),
        ]
        with m.If(Value.cast(message.fault) != Fault.NONE):
            self._report(m, message.ring, message.fault)
            m.d.comb += self.retire.eq(message.ring & ~self.restart)
        with m.Else():
            m.d.comb += reader.start.eq(message.length != 0)
            m.next = "HEADER"

    def _report(self, m: Module, rings: Value, fault: Value | Fault) -> None:
        """Say that a descriptor of these rings, one-hot, is skipped."""
        number = Value.cast(0)
        for index, ring in enumerate(self._rings):
            number |= Mux(rings[index], ring, 0)
        m.d.comb += [
            self.report.valid.eq(1), Value.cast(self.report.fault).eq(fault), self.report.ring.eq(number),
        ]
