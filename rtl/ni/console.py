"""The console: packets of the tree into a ring, text from memory onto the tree."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import CHUNK_FLITS, TREE_PAYLOAD_BYTES, LinkHeader, Protocol, TreeClass, TreeHeader
from rtl.ni.arbiter import read_client, write_client
from rtl.ni.decode import is_misaligned, register_port
from rtl.ni.gather import WordGather
from rtl.ni.reader import MessageReader
from rtl.ni.ring import ring_client, ring_count
from rtl.parameters import Parameters
from rtl.registers import REGISTERS
from rtl.signatures import FlitStream

__all__ = ["ConsoleReceiver", "ConsoleSender"]

LINK_FLITS = 2


class ConsoleReceiver(wiring.Component):
    """Stores tree packets in the console ring, each padded with zeros to 32 bytes.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    i : In(FlitStream)
        Always drained.
    ring : Out(ring client)
    restart : In(rings)
    write : Out(write client)
    drop : Out(1)
        A packet found the ring full, or its tail was bad.
    retired : Out(1)
        One pulse a packet: all it changes is visible.
    busy : Out(1)
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__({
            "i": In(FlitStream),
            "ring": Out(ring_client(parameters)),
            "restart": In(ring_count(parameters)),
            "write": Out(write_client(parameters)),
            "drop": Out(1),
            "retired": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.gather = gather = WordGather(self._parameters)
        connect(m, flipped(self.write), gather.write)
        which = 1 << ring_count(self._parameters) - 1

        # Flits still to come; `good` as long as the packet is being stored.
        remaining = Signal(len(TreeHeader(self.i.payload.data).words))
        slot = Signal(2)
        good = Signal()
        stale = Signal()
        address, base, last = (Signal.like(gather.address, name=name) for name in ("address", "base", "last"))
        following = Signal.like(self.ring.following)
        restarted = Signal()
        # Words go to the ring one behind the other, and from its end to its base.
        m.d.comb += [
            restarted.eq(self.restart[-1]),
            gather.address.eq(address),
            gather.bytes.eq(0xFF),
            gather.slot.eq(slot),
            self.ring.which.eq(which),
            self.ring.chunks.eq((remaining + CHUNK_FLITS) >> 2),
        ]
        with m.If(gather.taken):
            m.d.sync += address.eq(Mux(address == last, base, address + 1))
        with m.If(restarted):
            m.d.sync += stale.eq(1)
        with m.If(gather.put):
            m.d.sync += slot.eq(slot + 1)

        # A packet: its first flit says how long, then room is reserved, and it is stored and published, or sunk.
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("HEADER"))
            with m.State("HEADER"):
                m.d.comb += [self.i.ready.eq(1), gather.flit.eq(self.i.payload.data), gather.put.eq(self.i.valid)]
                m.d.sync += [remaining.eq(TreeHeader(self.i.payload.data).words), stale.eq(0)]
                with m.If(self.i.valid & self.i.payload.last):
                    # Without a link header it is no console packet.
                    m.d.comb += [self.drop.eq(1), self.retired.eq(1), gather.discard.eq(1)]
                    m.d.sync += slot.eq(0)
                with m.Elif(self.i.valid):
                    m.next = "RESERVE"
            with m.State("RESERVE"):
                m.d.comb += self.ring.valid.eq(1)
                m.d.sync += [
                    address.eq(self.ring.first),
                    base.eq(self.ring.base),
                    last.eq(self.ring.last),
                    following.eq(self.ring.following),
                ]
                with m.If(self.ring.ready & self.ring.accepted):
                    m.next = "STORE"
                with m.Elif(self.ring.ready):
                    m.next = "SINK"
            with m.State("STORE"):
                arrives = Signal()
                m.d.comb += [
                    self.i.ready.eq(gather.room),
                    arrives.eq(self.i.valid & gather.room),
                    gather.flit.eq(self.i.payload.data),
                    gather.put.eq(arrives & (remaining != 0)),
                    gather.close.eq(gather.put & (slot == 3)),
                ]
                with m.If(gather.put):
                    m.d.sync += remaining.eq(remaining - 1)
                with m.If(arrives & self.i.payload.last):
                    m.d.sync += good.eq(~self.i.payload.bad & (remaining == 1))
                    m.next = "PAD"
            with m.State("PAD"):
                with m.If(gather.room):
                    m.d.comb += [
                        gather.put.eq(slot != 0),
                        gather.close.eq((slot == 3) | (slot == 0)),
                        gather.final.eq(1),
                    ]
                    with m.If(gather.close):
                        m.next = "SETTLE"
            with m.State("SETTLE"):
                with m.If(gather.finish):
                    m.d.comb += [
                        self.ring.unlock.eq(which),
                        self.ring.reserve.eq(good & ~stale),
                        self.ring.reserve_to.eq(following),
                    ]
                m.d.comb += gather.settle.eq(gather.settled)
                with m.If(gather.settled):
                    with m.If(good & ~stale):
                        m.d.comb += [self.ring.publish.eq(which), self.ring.publish_to.eq(following)]
                    m.d.comb += [self.drop.eq(~good), self.retired.eq(1)]
                    m.d.sync += slot.eq(0)
                    m.next = "HEADER"
            with m.State("SINK"):
                m.d.comb += [self.i.ready.eq(1), gather.discard.eq(1)]
                m.d.sync += slot.eq(0)
                with m.If(self.i.valid & self.i.payload.last):
                    m.d.comb += [self.drop.eq(1), self.retired.eq(1)]
                    m.next = "HEADER"
        return m


class ConsoleSender(wiring.Component):
    """Sends up to 240 bytes of text as one console packet; the endpoint overwrites stamp, source and keys.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    host : In(register port)
        CONSOLE_TX_ADDRESS, CONSOLE_TX_DEST, CONSOLE_TX_LENGTH.
    read : Out(read client)
    o : Out(FlitStream)
    busy : Out(1)
    """

    registers = ("CONSOLE_TX_ADDRESS", "CONSOLE_TX_DEST", "CONSOLE_TX_LENGTH")
    """Names of the registers implemented here."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__({
            "host": In(register_port(self.registers)),
            "read": Out(read_client(parameters)),
            "o": Out(FlitStream),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # What the host asks for: an address, a destination and a length, which starts it.
        m.submodules.reader = reader = MessageReader(self._parameters, depth=2)
        connect(m, flipped(self.read), reader.read)
        address = Signal(32)
        length = Signal(8)
        destination = Signal(REGISTERS["CONSOLE_TX_DEST"].kept)
        ring = self._serve_host(m, address, destination, length)

        # The text comes from memory while headers go out.
        flits = Signal(6)
        m.d.comb += [
            flits.eq((length + 7) >> 3),
            reader.start.eq(ring),
            reader.address.eq(address >> 3),
            reader.length.eq(self.host.data),
            self.busy.eq(length != 0),
        ]
        sent = Signal(6)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += sent.eq(sent + 1)
            with m.If(self.o.payload.last):
                m.d.sync += [sent.eq(0), length.eq(0)]

        # Headers: one flit for the tree, two for the link; then the text.
        tree = Signal(TreeHeader)
        link = Signal(LinkHeader)
        m.d.comb += [
            tree.tree_class.eq(TreeClass.BROADCAST),
            tree.p2p.eq(~destination.broadcast),
            tree.vector.eq(destination.vector),
            tree.words.eq(flits + LINK_FLITS),
            link.total_pkt.eq(1),
            link.protocol.eq(Protocol.CONSOLE),
            link.opt.eq(length),
            self.o.payload.first.eq(sent == 0),
            self.o.payload.last.eq(sent == flits + LINK_FLITS),
            self.o.valid.eq(self.busy & ((sent <= LINK_FLITS) | reader.o.valid)),
            reader.o.ready.eq((sent > LINK_FLITS) & self.o.ready),
        ]
        with m.Switch(sent):
            with m.Case(0):
                m.d.comb += self.o.payload.data.eq(tree)
            with m.Case(1):
                m.d.comb += self.o.payload.data.eq(link.as_value()[64:])
            with m.Case(2):
                m.d.comb += self.o.payload.data.eq(link.as_value()[:64])
            with m.Default():
                m.d.comb += self.o.payload.data.eq(reader.o.payload)
        return m

    def _serve_host(self, m: Module, address: Signal, destination: data.View, length: Signal) -> Signal:
        """The registers; returns the doorbell."""
        host = self.host
        on_address, on_destination, on_length = (host.select[name] for name in self.registers)
        write = Signal()
        refused = Signal()
        ring = Signal()
        end = Signal(33)
        m.d.comb += [
            end.eq(address + host.data),
            host.done.eq(host.select.as_value().any()),
            host.error.eq(refused & host.write),
            write.eq(host.write & ~refused),
            ring.eq(write & on_length),
        ]
        with m.If(on_address):
            m.d.comb += [host.value.eq(address), refused.eq(is_misaligned(host.data, 8))]
            with m.If(write):
                m.d.sync += address.eq(host.data)
        with m.If(on_destination):
            m.d.comb += host.value.eq(destination)
            with m.If(write):
                m.d.sync += destination.eq(host.data)
        with m.If(on_length):
            m.d.comb += [
                host.value.eq(length),
                refused.eq((length != 0) | (host.data == 0) | (host.data > TREE_PAYLOAD_BYTES)
                           | (end > self._parameters.memory_bytes)),
            ]
            with m.If(write):
                m.d.sync += length.eq(host.data)
        return ring
