"""The console: what a node may send, and what it gets to see."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import FLIT_BITS, STALE_COMMITS, Flit, LinkHeader, Protocol, TreeHeader
from rtl.parameters import Parameters
from rtl.signatures import FlitStream

__all__ = ["ConsoleDrain", "ConsoleFilter", "ConsoleStamp", "link_flit"]


def link_flit(flit: data.View, half: int) -> data.View:
    """A link header of which half 0 (keys) or 1 (protocol and the rest) is in `flit`, the other half 0."""
    zero = C(0, FLIT_BITS)
    return data.View(LinkHeader, Cat(flit.data, zero) if half else Cat(zero, flit.data))


class ConsoleStamp(wiring.Component):
    """Overwrites what software must not choose in the packets it sends. Combinational.

    The header loses `owner` and `external` and gets the class that the owner chose, the node id as `source` and the
    count of commits as `epoch`; the link header gets the send id as `dst_key`, the rank as `src_key`, and the console's
    protocol. Vector, length, connection and packet numbers stay the software's.

    Members
    -------
    node_id, rank, send_id, tree_class, epoch : In
        What is stamped.
    i, o : FlitStream
    """

    node_id: In(16)
    rank: In(16)
    send_id: In(32)
    tree_class: In(4)
    epoch: In(8)
    i: In(FlitStream)
    o: Out(FlitStream)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        position = Signal(2)
        index = Signal(2)
        m.d.comb += index.eq(Mux(self.i.payload.first, 0, position))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += position.eq(Mux(index == 3, 3, index + 1))

        header = Signal(TreeHeader)
        protocol = Signal(LinkHeader)
        stamped = Signal(FLIT_BITS)
        m.d.comb += [
            header.eq(self.i.payload.data),
            header.tree_class.eq(self.tree_class),
            header.owner.eq(0),
            header.external.eq(0),
            header.epoch.eq(self.epoch),
            header.source.eq(self.node_id),
            protocol.eq(link_flit(self.i.payload, 1)),
            protocol.protocol.eq(Protocol.CONSOLE),
            stamped.eq(self.i.payload.data),
        ]
        with m.Switch(index):
            with m.Case(0):
                m.d.comb += stamped.eq(header)
            with m.Case(1):
                m.d.comb += stamped.eq(Cat(self.rank, C(0, 16), self.send_id))
            with m.Case(2):
                m.d.comb += stamped.eq(protocol.as_value()[:FLIT_BITS])
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.eq(self.i.payload),
            self.o.payload.data.eq(stamped),
        ]
        return m


class ConsoleFilter(wiring.Component):
    """Decides, while a packet arrives, whose it is.

    A console packet is accepted if its key is a receive id in use, it does not come from this node, and, unless it
    came from outside, the column allows its source and it was sent less than :data:`~rtl.formats.STALE_COMMITS`
    commits ago, or one commit ahead: nodes commit a little after each other. A control packet is accepted if it bears
    the stamps of the outside and of the owner. Everything else is nobody's. Decides in the cycle of the last flit.

    What was sent before the last `hold` ended, by the count of commits, was sent to the tenant before: it is neither
    accepted nor refused, as in hold.

    Parameters
    ----------
    parameters : Parameters
        `receive_ids` is used.

    Members
    -------
    valid, flit : In
        Flits of packets of at least 3, at most one a cycle.
    node_id, receive_ids, receive_valid, hold : In
        As in :func:`~rtl.signatures.guard_signature`. In hold no console packet is accepted or refused.
    tree_source, tree_allowed, tree_epoch, tree_refused, tree_stale
        Column lookup: as in :func:`~rtl.signatures.guard_signature`, seen from its other side.
    console, control : Out(1)
        With the last flit: the packet is accepted as that.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__({
            "valid": In(1),
            "flit": In(Flit),
            "node_id": In(16),
            "receive_ids": In(data.ArrayLayout(32, parameters.receive_ids)),
            "receive_valid": In(parameters.receive_ids),
            "hold": In(1),
            "tree_source": Out(16),
            "tree_allowed": In(1),
            "tree_epoch": In(8),
            "tree_refused": Out(1),
            "tree_stale": Out(1),
            "console": Out(1),
            "control": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        header = data.View(TreeHeader, self.flit.data)
        index = Signal(2)
        found = Signal(16)
        protocol = Signal(16)
        external = Signal()
        owner = Signal()
        other = Signal()
        matched = Signal()
        epoch = Signal(8)
        age = Signal(8)
        with m.If(self.valid & self.flit.first):
            m.d.sync += [
                index.eq(1),
                external.eq(header.external),
                owner.eq(header.owner),
                # The outside has no id; 0 is that of a node.
                other.eq(header.external | (header.source != self.node_id)),
                self.tree_source.eq(header.source),
                epoch.eq(header.epoch),
            ]
        with m.Elif(self.valid & (index == 1)):
            m.d.sync += [index.eq(2), matched.eq(self._listens(m))]
        with m.Elif(self.valid & (index == 2)):
            m.d.sync += [index.eq(3), found.eq(protocol)]

        # The shortest packet ends with the flit that names its protocol.
        last = Signal()
        kind = Signal(16)
        mine = Signal()
        fresh = Signal()
        told = self._told(m, age)
        m.d.comb += [
            protocol.eq(link_flit(self.flit, 1).protocol),
            kind.eq(Mux(index == 2, protocol, found)),
            last.eq(self.valid & self.flit.last & ~self.flit.first & index[1]),
            mine.eq(last & (kind == Protocol.CONSOLE) & matched & other & ~self.hold & (external | told)),
            # With the last flit, as the column: a commit may come while the packet does.
            age.eq(self.tree_epoch - epoch),
            fresh.eq((age < STALE_COMMITS) | age.all()),
            self.console.eq(mine & (external | (self.tree_allowed & fresh))),
            self.control.eq(last & (kind == Protocol.CONTROL) & external & owner),
        ]
        m.d.sync += [
            self.tree_refused.eq(mine & ~external & ~(self.tree_allowed & fresh)),
            self.tree_stale.eq(self.tree_allowed),
        ]
        return m

    def _told(self, m: Module, age: Signal) -> Value:
        """Whether a packet of this age was sent after the last hold, or a commit ahead of this node."""
        began = Signal(8)
        since = Signal(8)
        long = Signal()
        m.d.comb += since.eq(self.tree_epoch - began)
        with m.If(self.hold):
            m.d.sync += [began.eq(self.tree_epoch), long.eq(0)]
        with m.Elif(since.all()):
            m.d.sync += long.eq(1)
        return long | (age <= since) | age.all()

    def _listens(self, m: Module) -> Value:
        """Whether the keys in this cycle's flit are of a channel this node listens to."""
        key = Signal(32)
        m.d.comb += key.eq(link_flit(self.flit, 0).dst_key)
        return Cat(used & (key == self.receive_ids[i]) for i, used in enumerate(self.receive_valid)).any()


class ConsoleDrain(wiring.Component):
    """Hands packets to the network interface, and takes them itself while that is in reset.

    A packet that is under way when `hold` rises is taken to its end, also when `hold` falls before.
    Adds no cycle.

    Members
    -------
    hold : In(1)
    i, o : FlitStream
        From the store, and to the network interface.
    """

    hold: In(1)
    i: In(FlitStream)
    o: Out(FlitStream)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        sink = Signal()
        inside = Signal()
        drop = Signal()
        ended = Signal()
        m.d.comb += [
            drop.eq(self.hold | sink),
            self.o.payload.eq(self.i.payload),
            self.o.payload.bad.eq(0),
            self.o.valid.eq(self.i.valid & ~drop),
            self.i.ready.eq(self.o.ready | drop),
            ended.eq(~inside),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.comb += ended.eq(self.i.payload.last)
        m.d.sync += [inside.eq(~ended), sink.eq(self.hold | (sink & ~ended))]
        return m
