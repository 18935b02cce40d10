"""Fetching and checking injection descriptors."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import DESCRIPTOR_BYTES, Descriptor, Header, PutHeader
from rtl.ni.arbiter import read_client, select
from rtl.ni.counters import Operation, Reader, counter_client
from rtl.parameters import Parameters
from rtl.registers import Fault
from rtl.round_robin import RoundRobin

__all__ = ["DescriptorFetch", "message_layout"]

REMOTE_GET_DESCRIPTORS = 7


def message_layout(parameters: Parameters, rings: int) -> data.StructLayout:
    """A checked descriptor: what to send, from where; or its fault.

    Fields: byte address divided by 8, bytes, the two headers, counter, one-hot ring of `rings`, whether it answers a
    remote get, fault.
    """
    return data.StructLayout({
        "address": range(parameters.memory_bytes // 8),
        "length": range(parameters.memory_bytes + 1),
        "header": Header,
        "software": 64,
        "counter": 8,
        "ring": rings,
        "remote": 1,
        "fault": Fault,
    })


class DescriptorFetch(wiring.Component):
    """Takes descriptors from the rings of one lane, in turn, and checks each against its counter's window.

    The descriptors of a ring for remote gets were not written by this node's software; what they may read is
    what the READER of their counter opens to the requester, whose id reception has put in `header.source`.

    Five cycles and the latency of the memory for a descriptor; the next is fetched while a message is sent.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    rings : int
        Rings of this lane.

    Members
    -------
    pending, remote, restart : In(rings)
        See :class:`~rtl.ni.ring.RingFile`.
    descriptors : In, array of word addresses
    take : Out(rings)
        One pulse a descriptor.
    read : Out(read client)
    counter : Out(counter client)
    message : Out(stream of message)
        See :func:`message_layout`.
    stale : Out(1)
        The message's ring was set up anew since; it is not to be sent.
    busy : Out(1)
        A descriptor is being fetched or waits.
    """

    def __init__(self, parameters: Parameters, rings: int) -> None:
        self._parameters = parameters
        self._rings = rings
        super().__init__({
            "pending": In(rings),
            "remote": In(rings),
            "restart": In(rings),
            "descriptors": In(data.ArrayLayout((parameters.memory_words - 1).bit_length(), rings)),
            "take": Out(rings),
            "read": Out(read_client(parameters)),
            "counter": Out(counter_client(Reader)),
            "message": Out(stream.Signature(message_layout(parameters, rings))),
            "stale": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.arbiter = arbiter = RoundRobin(self._rings, holds=True)
        ring = Signal(self._rings)
        remote = Signal()
        address = Signal.like(self.read.request.payload)
        descriptor = Signal(Descriptor)
        start = Signal(33)
        end = Signal(33)
        limit = Signal(32)
        rights = Signal(Reader)
        exists = Signal()

        # The descriptor names the counter, and that has the window.
        put = PutHeader(descriptor.software)
        m.d.comb += [
            self.read.request.payload.eq(address),
            self.counter.operation.eq(Operation.LOOKUP),
            self.counter.index.eq(descriptor.counter),
        ]
        with m.If((ring & self.restart).any()):
            m.d.sync += self.stale.eq(1)

        # One descriptor at a time: choose a ring, read, look up, check, and hand the message on.
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("CHOOSE"))
            with m.State("CHOOSE"):
                m.d.comb += arbiter.requests.eq(self.pending & ~self.restart)
                m.d.sync += [
                    ring.eq(arbiter.grants),
                    remote.eq((arbiter.grants & self.remote).any()),
                    address.eq(select(arbiter.grants, [self.descriptors[i] for i in range(self._rings)])),
                    self.stale.eq(0),
                ]
                with m.If(arbiter.requests.any()):
                    m.d.comb += [arbiter.advance.eq(1), self.take.eq(arbiter.grants)]
                    m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.read.request.valid.eq(1)
                with m.If(self.read.request.ready):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += Value.cast(descriptor).eq(self.read.word)
                with m.If(self.read.valid):
                    m.next = "LOOKUP"
            with m.State("LOOKUP"):
                m.d.comb += self.counter.valid.eq(1)
                m.d.sync += [
                    start.eq(self.counter.window + descriptor.base_offset),
                    end.eq(descriptor.base_offset + descriptor.length),
                    limit.eq(self.counter.limit),
                    rights.eq(self.counter.rights),
                    exists.eq(self.counter.exists),
                ]
                with m.If(self.counter.ready):
                    m.next = "CHECK"
            # A fault goes along with the message: the lane reports it when the descriptor is retired.
            with m.State("CHECK"):
                self._check(m, descriptor, put, remote=remote, start=start, end=end, limit=limit, rights=rights,
                            exists=exists)
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.message.valid.eq(1)
                with m.If(self.message.ready):
                    m.next = "CHOOSE"

        # The message, as the descriptor asks for it.
        m.d.comb += [
            self.message.payload.address.eq(start >> 3),
            self.message.payload.length.eq(descriptor.length),
            self.message.payload.header.eq(descriptor.header),
            self.message.payload.software.eq(descriptor.software),
            self.message.payload.counter.eq(descriptor.counter),
            self.message.payload.ring.eq(ring),
            self.message.payload.remote.eq(remote),
        ]
        return m

    def _check(self, m: Module, descriptor: data.View, put: data.View, *, remote: Signal, start: Signal, end: Signal,
               limit: Signal, rights: data.View, exists: Signal) -> None:
        """Set the fault of the message, the first that applies."""
        readable = Signal()
        odd_length = Signal()
        outside = Signal()
        get_bytes = REMOTE_GET_DESCRIPTORS * DESCRIPTOR_BYTES
        m.d.comb += [
            readable.eq(rights.open & (rights.any | (rights.node == descriptor.header.source))),
            odd_length.eq(descriptor.header.dma & (
                (descriptor.length == 0)
                | (put.remote_get & (descriptor.length[:5].any() | (descriptor.length > get_bytes))))),
            outside.eq((end > limit) | (start + descriptor.length > self._parameters.memory_bytes)),
        ]
        fault = Fault.NONE
        for condition, code in reversed([
            (descriptor.prefetch | descriptor.local_copy, Fault.UNSUPPORTED),
            (~exists, Fault.COUNTER),
            (descriptor.base_offset[:3].any(), Fault.ALIGNMENT),
            (odd_length, Fault.LENGTH),
            (remote & ~readable, Fault.WINDOW),
            (outside, Fault.RANGE),
        ]):
            fault = Mux(condition, code, fault)
        m.d.sync += Value.cast(self.message.payload.fault).eq(fault)
