"""N nodes, wired: a torus, a tree and the owner's port above its root.

A cable of the torus joins ``tx[d]`` of a node to ``rx[d ^ 1]`` of its neighbour in direction ``d``.
"""

import math
from collections.abc import Iterator
from functools import reduce

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from rtl.clone import clone
from rtl.formats import Direction, Straps
from rtl.misr import CABLES, NodeSignature
from rtl.node import Node
from rtl.parameters import ParameterError, Parameters
from rtl.signatures import AxiLite, TreeStream
from rtl.torus.coordinates import ID_BITS, coordinate_of, id_bits, neighbour_of
from rtl.tree.port import RootPort

__all__ = ["NODE_MODULE", "Fabric", "Shape", "cables", "check_shape", "check_table", "straps_of"]

NODE_MODULE = "khhw_node"

Shape = tuple[int, int, int]


def check_shape(shape: Shape) -> Shape:
    """`shape` itself, if a torus can have it.

    Raises
    ------
    ParameterError
        Unless it is three sizes from 1 to 64 whose ids fit in 16 bits.
    """
    if len(shape) != 3 or not all(isinstance(size, int) and 1 <= size <= 64 for size in shape):
        raise ParameterError(f"a torus has three sizes from 1 to 64, not {list(shape)!r}")
    if (bits := id_bits(shape)) > ID_BITS:
        raise ParameterError(f"node ids of a torus {list(shape)!r} need {bits} bits; {ID_BITS} are the limit")
    return shape


def check_table(shape: Shape, parameters: Parameters) -> None:
    """Refuse permission tables that do not cover every node id of a torus.

    Raises
    ------
    ParameterError
        If ids of `shape` reach past ``parameters.table_nodes``; says what would do.
    """
    ids = 1 << id_bits(shape)
    if ids > parameters.table_nodes:
        raise ParameterError(f"table_nodes is {parameters.table_nodes}, too few for the ids of a torus "
                             f"{list(shape)!r}: make it {max(32, ids)}")


def cables(shape: Shape) -> Iterator[tuple[int, Direction, int]]:
    """All torus cables, one direction each: (rank, direction it leaves by, rank of the neighbour).

    A dimension of size 1 has none; its ports stay tied off.
    """
    for rank in range(math.prod(shape)):
        for direction in Direction:
            if shape[direction // 2] > 1:
                yield rank, direction, neighbour_of(rank, direction, shape)


def straps_of(rank: int, shape: Shape) -> dict[str, int]:
    """Strap values of a node, by field of :data:`~rtl.formats.Straps`."""
    nodes = math.prod(shape)
    x, y, z = coordinate_of(rank, shape)
    return {"x": x, "y": y, "z": z, "size_x": shape[0], "size_y": shape[1], "size_z": shape[2], "rank": rank,
            "children": sum(1 << side for side in (0, 1) if 2 * rank + 1 + side < nodes)}


def _member(interface, name):
    return interface[name] if isinstance(name, int) else getattr(interface, name)


class Fabric(wiring.Component):
    """A machine: `shape` nodes, instances of one module.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z; 1 to 64 each, 16 id bits together.
    parameters : Parameters
        Of every node.
    parts : dict, optional
        Replacements for parts of the node, see :class:`~rtl.node.Node`.
    signatures : bool
        With a :class:`~rtl.misr.NodeSignature` beside every node.

    Members
    -------
    now : Out(64)
        Cycles since reset, or since what was loaded; every node's `now`.
    rst : In(1)
        Of everything; works one cycle late.
    time_load, time_value : In
        Set the time: the next cycle has the number `time_value`.
    host_* : AXI4-Lite vectors
        Host ports: the signal of the node with rank ``r`` starts at bit ``r`` times its width.
    irq, held, quiescent : Out(N)
        One bit a node, by rank.
    idle : Out(1)
        All nodes and the owner's port are quiescent.
    signatures : Out(64 N)
        Only where asked for: of node ``r`` from bit 64 ``r`` on.
    owner_in, owner_out : TreeStream
        The port above the root of the tree. What enters on the owner channel is owner-stamped.

    Attributes
    ----------
    module_name : str
        Verilog name of the fabric.
    extra_modules : dict of str to Component
        The node, to be converted beside the fabric under the name it is instantiated by.
    public_signals : tuple of (str, str)
        Module and variable of what a simulator must keep: the node memories for their back door.
    observable_signals : tuple of (str, str)
        What a simulator shall keep if it is there, to say where packets are; see :meth:`rtl.node.Node.observables`.
    untraced_scopes : tuple of str
        What waves leave out: everything below the blocks of a node. A block's testbench traces all of it.
    """

    module_name = "khhw_fabric"
    public_signals = ((f"{NODE_MODULE}.memory", "ram"),)
    untraced_scopes = (f"{module_name}.node_*.*.*",)

    def __init__(self, shape: Shape, parameters: Parameters, parts=None, *, signatures: bool = False):
        self.shape = check_shape(tuple(shape))
        self.parameters = parameters
        self.nodes = math.prod(shape)
        check_table(shape, parameters)
        node = Node(parameters, parts)
        self.extra_modules = {NODE_MODULE: node}
        self.observable_signals = tuple((f"{NODE_MODULE}.{part}", name) for part, name in node.observables())
        host = {}
        for name, member in AxiLite.members.items():
            # AxiLite is seen from the manager: what it drives is an input of the machine.
            flow = In if member.flow is Out else Out
            host[f"host_{name}"] = flow(self.nodes * member.shape)
        super().__init__({
            "now": Out(64), "time_load": In(1), "time_value": In(64),
            **host,
            "irq": Out(self.nodes), "held": Out(self.nodes), "quiescent": Out(self.nodes), "idle": Out(1),
            **({"signatures": Out(64 * self.nodes)} if signatures else {}),
            "owner_in": In(TreeStream), "owner_out": Out(TreeStream),
        })

    def elaborate(self, _platform: object) -> Module:
        # The reset reaches every next-state function. From a register, it does not make all of them functions of an
        # input, which a simulator would evaluate at every change of any input and at both edges of the clock.
        m = Module()
        m.domains.machine = machine = ClockDomain(local=True)
        reset = Signal(init=1, reset_less=True)
        m.d.sync += reset.eq(ResetSignal())
        m.d.comb += [machine.clk.eq(ClockSignal()), machine.rst.eq(reset)]
        original = self.extra_modules[NODE_MODULE]
        nodes = []
        for rank in range(self.nodes):
            node, m.submodules[f"node_{rank}"] = clone(NODE_MODULE, original, domain="machine")
            nodes.append(node)
        port = RootPort(self.parameters)
        m.submodules.root_port = DomainRenamer("machine")(port)
        m.d.machine += self.now.eq(self.now + 1)
        with m.If(self.time_load):
            m.d.machine += self.now.eq(self.time_value)

        # Time, straps, and the host port of every node.
        for rank, node in enumerate(nodes):
            m.d.comb += [node.now.eq(self.now), node.straps.eq(Straps.const(straps_of(rank, self.shape)))]
        self._wire_hosts(m, nodes)
        if "signatures" in self.signature.members:
            self._sign(m, nodes)
        # Cables: the torus, then the tree, with the owner above its root.
        for rank, direction, neighbour in cables(self.shape):
            connect(m, nodes[rank].tx[direction], nodes[neighbour].rx[direction ^ 1])
        for rank, node in enumerate(nodes[1:], 1):
            parent, side = nodes[(rank - 1) // 2], (rank - 1) % 2
            connect(m, node.parent_tx, parent.child_rx[side])
            connect(m, parent.child_tx[side], node.parent_rx)

        connect(m, nodes[0].parent_tx, port.rx)
        connect(m, port.tx, nodes[0].parent_rx)
        connect(m, wiring.flipped(self.owner_in), port.owner_in)
        connect(m, port.owner_out, wiring.flipped(self.owner_out))
        # What the outside sees of the nodes.
        m.d.comb += [
            self.irq.eq(Cat(node.irq for node in nodes)),
            self.held.eq(Cat(node.held for node in nodes)),
            self.quiescent.eq(Cat(node.quiescent for node in nodes)),
            self.idle.eq(self.quiescent.all() & port.quiescent),
        ]
        return m

    def _sign(self, m, nodes):
        for rank, node in enumerate(nodes):
            m.submodules[f"signature_{rank}"] = DomainRenamer("machine")(watcher := NodeSignature())
            m.d.comb += [
                watcher.now.eq(self.now), watcher.irq.eq(node.irq),
                self.signatures.word_select(rank, 64).eq(watcher.value),
            ]
            for path, _, seen in watcher.signature.flatten(watcher):
                if path[0] in CABLES:
                    m.d.comb += seen.eq(reduce(_member, path[1:], getattr(node, path[0])))

    def _wire_hosts(self, m, nodes):
        for name, member in AxiLite.members.items():
            vector, width = getattr(self, f"host_{name}"), member.shape
            for rank, node in enumerate(nodes):
                part = vector[rank * width:(rank + 1) * width]
                signal = getattr(node.host, name)
                m.d.comb += signal.eq(part) if member.flow is Out else part.eq(signal)
