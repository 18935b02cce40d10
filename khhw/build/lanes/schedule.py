"""In which order the logic is evaluated, and where every value lies.

Three functions make a cycle. `show` computes what a node shows before the clock edge and changes nothing. `early`
computes the addresses of memories that are read within a cycle; `late`, after these reads, computes the rest and
overwrites flip-flops with what they take next.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from khhw.build.lanes.netlist import ONE, ZERO, FlipFlop, Lut, Netlist, Port

__all__ = ["Function", "VectorRef", "Schedule", "make_schedule"]


class VectorRef(NamedTuple):
    """Where a value lies: vector `number` of an array.

    Parameters
    ----------
    array : str
        ``c``: flip-flops. ``n``: what flip-flops take after the memories' clock edge, under their numbers. ``f``: the
        rest: constants, inputs, outputs, what goes to and comes from memories. ``s``: registers put aside.
    number : int
    """

    array: str
    number: int


@dataclass
class Function:
    """Straight-line code.

    Parameters
    ----------
    operations : list
        Nets and what drives them, in order.
    stores : dict
        Where results go that somebody looks at later.
    takes : list
        (net, number of the flip-flop that takes it).
    """

    operations: list[tuple[int, Lut]] = field(default_factory=list)
    stores: dict[int, VectorRef] = field(default_factory=dict)
    takes: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Schedule:
    """Code, and where values lie.

    Parameters
    ----------
    show, early, late : Function
        See the module.
    refs : dict
        Where values of nets lie that outlive a function. Those of `show` are in `shown`.
    shown : dict
        Of the nets of visible outputs.
    fixed : int
        Vectors in array ``f``.
    deferred : int
        How many flip-flops, the last ones, are looked at by memories' ports: they change behind these, by way of
        array ``n``.
    """

    show: Function
    early: Function
    late: Function
    refs: dict[int, VectorRef]
    shown: dict[int, VectorRef]
    fixed: int
    deferred: int


class _Builder:
    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.refs = {ZERO: VectorRef("f", 0), ONE: VectorRef("f", 1)}
        self.fixed = 2
        self.done: set[int] = set()

    def fix(self, nets: Iterable[int]) -> None:
        """Give nets a vector that have none."""
        for net in nets:
            if net not in self.refs:
                self.refs[net] = VectorRef("f", self.fixed)
                self.fixed += 1

    def visit(self, function: Function, root: int) -> None:
        """Append what net `root` needs, depth first."""
        luts, stack = self.netlist.luts, [(root, False)]
        while stack:
            net, leave = stack.pop()
            if leave:
                function.operations.append((net, luts[net]))
            elif net in luts and net not in self.done:
                self.done.add(net)
                stack.append((net, True))
                stack.extend((source, False) for source in luts[net].inputs)


def make_schedule(netlist: Netlist, visible: frozenset[str]) -> Schedule:
    """Order the logic of a simplified netlist; outputs in `visible` are computed by ``show``.

    Flip-flops are sorted by name, so that those of one block lie together, and deferred ones come last. Other outputs
    get a vector of their own, which stays as it is until the next evaluation.
    """
    outputs = [port for port in netlist.ports if not port.is_input]
    cables = [port for port in outputs if port.name not in visible]
    _buffer(netlist, cables)
    deferred = _sort_flip_flops(netlist)
    builder = _Builder(netlist)
    for index, flip_flop in enumerate(netlist.flip_flops):
        builder.refs[flip_flop.q] = VectorRef("c", index)
    builder.fix(net for port in netlist.ports if port.is_input for net in port.nets)
    builder.fix(net for memory in netlist.memories for net in memory.read_data)
    show, shown = _show(builder, [net for port in outputs if port.name in visible for net in port.nets])
    early, late = _early(builder), Function()
    builder.fix(net for memory in netlist.memories for net in memory.controls)
    builder.fix(net for port in cables for net in port.nets)
    for _, net, flip_flop_number in sorted(_sinks(netlist, cables), key=lambda sink: sink[0]):
        builder.visit(late, net)
        if flip_flop_number is not None:
            late.takes.append((net, flip_flop_number))
    _hand_over(builder, early, late)
    for function in (early, late):
        function.stores = {net: builder.refs[net] for net, _ in function.operations if net in builder.refs}
    return Schedule(show, early, late, builder.refs, shown, builder.fixed, deferred)


def _buffer(netlist: Netlist, cables: Iterable[Port]) -> None:
    """Make results of look-ups of what would change before everybody has looked at it."""
    read = {net for memory in netlist.memories if memory.synchronous for net in memory.read_data}
    sent = {net for port in cables for net in port.nets}
    buffers: dict[int, int] = {}

    def buffered(net: int) -> int:
        if net not in buffers:
            buffers[net] = free + len(buffers)
        return buffers[net]

    free = netlist.new_net()
    unsafe = sent - netlist.luts.keys() - {ZERO, ONE}
    for port in cables:
        port.nets = [buffered(net) if net in unsafe else net for net in port.nets]
    for memory in netlist.memories:
        memory.rewire(lambda net: buffered(net) if net in read else net)
    netlist.luts |= {buffer: Lut(0b10, (net,)) for net, buffer in buffers.items()}


def _sort_flip_flops(netlist: Netlist) -> int:
    controls = {net for memory in netlist.memories for net in memory.controls}

    def key(flip_flop: FlipFlop) -> tuple[bool, str]:
        return flip_flop.q in controls, _block_of(netlist.names.get(flip_flop.q, "~"))

    netlist.flip_flops.sort(key=key)
    return sum(flip_flop.q in controls for flip_flop in netlist.flip_flops)


def _block_of(name: str) -> str:
    return name.rsplit(".", 1)[0]


def _show(builder: _Builder, nets: Iterable[int]) -> tuple[Function, dict[int, VectorRef]]:
    function, shown = Function(), {}
    for net in nets:
        builder.visit(function, net)
        if net not in shown:
            shown[net] = builder.refs.get(net) or VectorRef("f", builder.fixed)
            builder.fixed += net not in builder.refs
    function.stores = {net: ref for net, ref in shown.items() if net not in builder.refs}
    # The other functions compute what they need of this themselves.
    builder.done.clear()
    return function, shown


def _early(builder: _Builder) -> Function:
    function = Function()
    for memory in builder.netlist.memories:
        if not memory.synchronous:
            for net in (net for port in memory.reads for net in port.address):
                builder.visit(function, net)
                builder.fix([net])
    return function


def _sinks(netlist: Netlist, cables: Iterable[Port]) -> Iterable[tuple[str, int, int | None]]:
    """What must be computed: (block, net, flip-flop that takes it)."""
    for index, flip_flop in enumerate(netlist.flip_flops):
        yield _block_of(netlist.names.get(flip_flop.q, "~")), flip_flop.d, index
    for memory in netlist.memories:
        for net in memory.controls:
            yield _block_of(memory.name), net, None
    for port in cables:
        for net in port.nets:
            yield _block_of(port.name), net, None


def _hand_over(builder: _Builder, early: Function, late: Function) -> None:
    """Give vectors to results of `early` that `late` uses."""
    used = {source for _, lut in late.operations for source in lut.inputs} | {net for net, _ in late.takes}
    builder.fix(net for net, _ in early.operations if net in used)
