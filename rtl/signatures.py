"""The ports blocks meet at, once.

A part of a node may be replaced (``router = "mypkg:MyRouter"`` in a machine file) by any component that
has the signature of the part it replaces: :func:`router_signature`, :func:`guard_signature`,
:func:`ni_signature` or :func:`memory_signature`. Its constructor takes one :class:`~rtl.parameters.Parameters`.

A part may have a static method ``observables(parameters)`` that yields (submodule, variable) by their names in
Verilog, submodules below its own: registers a simulator shall keep readable. Names the Verilog lacks are passed
over. A router that keeps the names of :meth:`rtl.torus.router.Router.observables`, as a subclass does, has its
packets named in a run that locks; of any other such a run says which nodes are busy.
"""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import WORD_BITS, WORD_BYTES, Flit, Straps, TreeChannel
from rtl.meter import TreePacket
from rtl.parameters import Parameters
from rtl.tree.routing import ClassRoutes

__all__ = [
    "DIRECTIONS", "HOST_ADDRESS_BITS", "AxiLite", "CableUnits", "FlitStream", "LinkReport", "PORT_LAYOUTS",
    "ReceiverReport", "Refusal", "RegisterBus", "TorusLink", "TransmitterReport", "TreeFlit", "TreeLink", "TreeStream",
    "memory_signature", "memory_write", "router_signature", "guard_signature", "ni_signature",
]

DIRECTIONS = 6
HOST_ADDRESS_BITS = 24

FlitStream = stream.Signature(Flit)
"""Packets inside a node: `first` and `last` mark their ends, payload is stable while it waits."""

TorusLink = wiring.Signature({
    "valid": Out(1),
    "vc": Out(2),
    "flit": Out(Flit),
    "credit": In(4),
})
"""One direction of a torus cable, seen from its transmitter. There is no ready: a flit is sent only into
room that credits promised. `credit` is one bit a virtual channel: the receiver freed one allocation unit
(a packet slot; a chunk for adaptive channels). Every signal comes from a register."""

_UNIT_BITS = 7
CableUnits = data.StructLayout({"escape": _UNIT_BITS, "priority": _UNIT_BITS})
"""Allocation units of the channels of a cable: packet slots, or chunks."""

TransmitterReport = data.StructLayout({"sent": 2, "sending": 1, "free": CableUnits})
"""What the transmitting end of a torus cable says in every cycle. `sent`: the header of a packet of this epoch parity
is on the cable, one bit a parity. `sending`: a packet has begun and not ended. `free`: room it knows of."""

ReceiverReport = data.StructLayout({"received": 2, "receiving": 1, "damaged": 1, "held": CableUnits})
"""What the receiving end says. `received`: a header of this epoch parity has come whole, where one was due.
`receiving`: a packet has begun and not ended. `damaged`: a packet has come whose header has a wrong CRC or is missing.
`held`: room of packets that came, until its credit is sent."""

LinkReport = data.StructLayout({"tx": TransmitterReport, "rx": ReceiverReport})
"""Both ends of a torus port. What two ends of one cable say agrees, but for what is on the cable: `sent` with
`received`, `sending` with `receiving`, and `free` and `held` make up the whole buffer."""

TreeLink = wiring.Signature({
    "valid": Out(1),
    "channel": Out(TreeChannel),
    "flit": Out(Flit),
    "credit": In(2),
})
"""One direction of a tree cable, seen from its transmitter. `credit` is one bit a channel: room for one
packet was freed. Every signal comes from a register."""

TreeFlit = data.StructLayout({"flit": Flit, "channel": TreeChannel})
"""A flit of a tree packet, with the packet's channel."""

TreeStream = stream.Signature(TreeFlit)
"""Tree packets inside a node. A packet's flits carry one channel and are not interleaved with others."""

AxiLite = wiring.Signature({
    "awaddr": Out(HOST_ADDRESS_BITS), "awvalid": Out(1), "awready": In(1),
    "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
    "bresp": In(2), "bvalid": In(1), "bready": Out(1),
    "araddr": Out(HOST_ADDRESS_BITS), "arvalid": Out(1), "arready": In(1),
    "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
})
"""AXI4-Lite, 32-bit data, seen from the manager (the host)."""

RegisterBus = wiring.Signature({
    "valid": Out(1),
    "write": Out(1),
    "address": Out(16),
    "data": Out(32),
    "done": In(1),
    "error": In(1),
    "value": In(32),
})
"""One register access at a time, seen from the initiator. `valid` and the request stay until `done`,
which lasts one cycle (the same cycle at the earliest) and carries `error` (nothing was changed) and, for a
read, `value`. `address` is in bytes and a multiple of 4; only 32-bit accesses exist."""

Refusal = data.StructLayout({"source": 16, "destination": 16, "reason": 4})
"""What a guard says of a packet it refused. Ids of a deposit packet's destination are its last node."""


PORT_LAYOUTS: dict[str, data.StructLayout] = {
    "CableUnits": CableUnits, "TransmitterReport": TransmitterReport, "ReceiverReport": ReceiverReport,
    "LinkReport": LinkReport, "TreeFlit": TreeFlit,
}
"""Layouts of ports beside those of :mod:`rtl.formats`, by name, those that others are made of first."""


def memory_write(parameters: Parameters) -> data.StructLayout:
    """A write request of the node memory, see :func:`memory_signature`."""
    return data.StructLayout({"address": range(parameters.memory_words), "data": WORD_BITS, "mask": WORD_BYTES})


def memory_signature(parameters: Parameters) -> wiring.Signature:
    """Port of the node memory, seen from the memory.

    A request that has not been taken when the tenant is reset is withdrawn; one that has is answered.

    Members
    -------
    read : In(stream of word address)
        Read requests. Any latency; answers come in request order.
    data : Out(stream of 256 bits)
        Answers.
    write : In(stream of {address, data, mask})
        Write requests; bit ``i`` of `mask` enables bits ``8 i`` to ``8 i + 7`` of `data`. Byte address
        ``32 w`` is in the most significant byte of word ``w``, so mask bit 31.
    written : Out(1)
        One pulse a write request whose data can now be read, in request order.
    """
    return wiring.Signature({
        "read": In(stream.Signature(range(parameters.memory_words))),
        "data": Out(stream.Signature(WORD_BITS)),
        "write": In(stream.Signature(memory_write(parameters))),
        "written": Out(1),
    })


def router_signature(parameters: Parameters) -> wiring.Signature:
    """Ports of a torus router.

    Members
    -------
    straps : In(Straps)
        Where this node is, and how large the torus.
    tx, rx : TorusLink, arrays of 6
        Cables to the neighbours, by :class:`~rtl.formats.Direction`.
    inject : In(FlitStream), array of `lanes`
        Packets that enter the torus here. Their header is normalised, stamped and checked.
    eject : Out(FlitStream), array of `lanes`
        Packets that arrived here, and copies of deposit packets that pass. The receiver always drains, but a packet
        may have to wait for those of all other lanes in the middle: a router keeps room for it, and holds up nothing.
    discards : Out, array of 2 counts
        Packets discarded in this cycle because they had no legal output, by epoch parity. Not those that came over
        a cable with a damaged header: what that says of the parity cannot be trusted.
    links : Out, array of 6 :data:`LinkReport`
        What the owner needs to find a cable that lost something. A router that leaves it 0 works, but its cables cannot
        be named.
    quiescent : Out(1)
        No flit is in the router.
    """
    return wiring.Signature({
        "straps": In(Straps),
        "tx": Out(TorusLink).array(DIRECTIONS),
        "rx": In(TorusLink).array(DIRECTIONS),
        "inject": In(FlitStream).array(parameters.lanes),
        "eject": Out(FlitStream).array(parameters.lanes),
        "discards": Out(data.ArrayLayout(5, 2)),
        "links": Out(data.ArrayLayout(LinkReport, DIRECTIONS)),
        "quiescent": Out(1),
    })


def guard_signature(parameters: Parameters) -> wiring.Signature:
    """Ports of the permission guard of a node: between network interface and router on every lane.

    Members
    -------
    straps : In(Straps)
        Where this node is, and how large the torus.
    now : In(64)
        Cycles since the machine started; stamps log entries.
    node_id : Out(16)
        This node's id, {z, y, x} packed: what is stamped as source.
    from_ni, to_router : FlitStream, arrays of `lanes`
        Injection lanes: before and behind the egress guard.
    from_router, to_ni : FlitStream, arrays of `lanes`
        Ejection lanes: before and behind the ingress guard.
    retired : In(lanes)
        One pulse a packet the network interface has taken from ejection lane ``i`` and finished with:
        everything it changes in memory and counters is visible.
    discards : In, array of 2 counts
        The router's, by epoch parity.
    links : In, array of 6 :data:`LinkReport`
        The router's.
    owner : In(RegisterBus)
        The owner's accesses, from the tree. Reaches every guard register.
    host : In(RegisterBus)
        The host port's accesses: what the register map opens to a tenant; the rest is an error.
    tree_source : In(16)
        A source id to look up in the column, for tree packets.
    tree_allowed : Out(1)
        The column bit of the `tree_source` of the cycle before.
    commits : Out(8)
        Commits since the fabric reset, modulo 256: what tree packets and remote gets are stamped with, and their age is
        counted from.
    tree_refused, tree_stale : In(1)
        A tree packet from `tree_source` was refused in this cycle: count and log it. `tree_stale`: for its age.
    tree_passed, tree_retired : In(1)
        A tree packet was accepted for the network interface, by the `tree_allowed` of this cycle; one is finished.
    tree_sent, tree_received : In(TreePacket)
        For the meter: packets that the console sends, and those of `tree_passed`.
    busy : In(1)
        For the meter: the network interface is not quiescent.
    send_id, receive_ids, receive_valid : Out
        Console keys the owner gave this node.
    console_class : Out(4)
        Tree class the owner gave what this node's console sends.
    class_routes : Out(ClassRoutes)
        Ways of the tree's classes at this node, see :data:`~rtl.tree.routing.ClassRoutes`.
    hold : Out(1)
        Tenant reset, level: network interface, host port and console DMA are in reset.
    clear : Out(1)
        One cycle, in `hold`: the node memory is to be set to 0.
    unfinished : In(1)
        What `hold` cut, or `clear` began, is not over: `hold` lasts.
    quiescent : Out(1)
        No packet is in a guard and no access in progress.
    """
    lanes = parameters.lanes
    return wiring.Signature({
        "straps": In(Straps),
        "now": In(64),
        "node_id": Out(16),
        "from_ni": In(FlitStream).array(lanes),
        "to_router": Out(FlitStream).array(lanes),
        "from_router": In(FlitStream).array(lanes),
        "to_ni": Out(FlitStream).array(lanes),
        "retired": In(lanes),
        "discards": In(data.ArrayLayout(5, 2)),
        "links": In(data.ArrayLayout(LinkReport, DIRECTIONS)),
        "owner": In(RegisterBus),
        "host": In(RegisterBus),
        "tree_source": In(16),
        "tree_allowed": Out(1),
        "commits": Out(8),
        "tree_refused": In(1),
        "tree_stale": In(1),
        "tree_passed": In(1),
        "tree_retired": In(1),
        "tree_sent": In(TreePacket),
        "tree_received": In(TreePacket),
        "busy": In(1),
        "send_id": Out(32),
        "receive_ids": Out(data.ArrayLayout(32, parameters.receive_ids)),
        "receive_valid": Out(parameters.receive_ids),
        "console_class": Out(4),
        "class_routes": Out(ClassRoutes),
        "hold": Out(1),
        "clear": Out(1),
        "unfinished": In(1),
        "quiescent": Out(1),
    })


def ni_signature(parameters: Parameters) -> wiring.Signature:
    """Ports of a network interface. All of it, host port included, is controlled by the tenant's software.

    Members
    -------
    straps, node_id, now : In
        What identification registers show.
    commits : In(8)
        The guard's: remote gets are answered by their age.
    inject : Out(FlitStream), array of `lanes`
        Packets to the egress guard.
    eject : In(FlitStream), array of `lanes`
        Packets from the ingress guard. Always drained, whatever software does or leaves undone.
    retired : Out(lanes)
        One pulse a packet of ejection lane ``i`` that is finished: stored, counted or dropped.
    memory : Out(memory port)
        Client side of :func:`memory_signature`.
    host : In(AxiLite)
        Registers below 0x800000, the node memory from there.
    guard : Out(RegisterBus)
        Accesses to the register map from the guard's page on, the traffic generator's included if there is one.
    console_in : In(FlitStream)
        Tree packets the console endpoint accepted for this node. Always drained; dropped and counted
        when the console ring is full.
    console_retired : Out(1)
        One pulse a packet of `console_in` that is finished: stored or dropped.
    console_out : Out(FlitStream)
        Tree packets this node sends; the endpoint overwrites stamp, source and keys.
    irq : Out(1)
        Level-sensitive interrupt.
    quiescent : Out(1)
        Nothing to send, nothing in flight, no access in progress.
    """
    lanes = parameters.lanes
    return wiring.Signature({
        "straps": In(Straps),
        "node_id": In(16),
        "now": In(64),
        "commits": In(8),
        "inject": Out(FlitStream).array(lanes),
        "eject": In(FlitStream).array(lanes),
        "retired": Out(lanes),
        "memory": In(memory_signature(parameters)),
        "host": In(AxiLite),
        "guard": Out(RegisterBus),
        "console_in": In(FlitStream),
        "console_retired": Out(1),
        "console_out": Out(FlitStream),
        "irq": Out(1),
        "quiescent": Out(1),
    })
