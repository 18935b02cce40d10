"""A node as one piece of a machine that is evaluated piece by piece.

The register of a cable stands at the receiving end here, not at the sending one: what a cell puts out is what the
register takes at the next clock edge, what comes in goes into a register and nowhere else. Between two cells that is
the same cable, cycle for cycle, as between two nodes; inside a cell nothing depends on another one in the same cycle.
"""

from collections.abc import Iterator

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.fabric import NODE_MODULE
from rtl.node import Node
from rtl.parameters import Parameters
from rtl.tree.port import RootPort

__all__ = ["Cell", "NodeCell", "RootCell"]


class Cell(wiring.Component):
    """A component with the registers of its cables at its inputs.

    Parameters
    ----------
    name : str
        Verilog name of the component.
    original : wiring.Component
        What it is a cell of. Outputs among its cables leave from registers.
    cables : tuple of str
        Members of `original` that lead to other cells.
    registered : tuple of str
        Further inputs that are taken a cycle ahead.

    Attributes
    ----------
    extra_modules : dict of str to Component
        The component, to be converted beside the cell under the name it is instantiated by.
    next_values : dict of str to tuple of str
        Outputs of the component whose registers' next values the cell needs (``khhw/build/ahead.py``).

    Members
    -------
    All of `original`, under their names. What goes in by a cable or is `registered` works one cycle late, so does
    ``rst``; what goes out by a cable comes one cycle early. The rest is as it was.
    """

    def __init__(
        self, name: str, original: wiring.Component, cables: tuple[str, ...], registered: tuple[str, ...] = (),
    ):
        self.original = original
        self._name = name
        self._registered = frozenset(cables) | frozenset(registered)
        self.extra_modules = {name: original}
        outputs = tuple(port for port, path, member, _ in self._ports() if member.flow is Out and path[0] in cables)
        self.next_values = {name: outputs}
        super().__init__(original.signature)

    def _ports(self) -> Iterator[tuple[str, tuple[str | int, ...], wiring.Member, Value]]:
        for path, member, value in self.original.signature.flatten(self.original):
            yield "__".join(map(str, path)), path, member, Value.cast(value)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        reset = Signal(init=1, reset_less=True)
        m.d.sync += reset.eq(ResetSignal())
        ports: dict[str, Value] = {"i_clk": ClockSignal(), "i_rst": reset}
        ours = {path: Value.cast(value) for path, _, value in self.signature.flatten(self)}
        early = {name for names in self.next_values.values() for name in names}
        for name, path, member, _ in self._ports():
            value = ours[path]
            if member.flow is In and path[0] in self._registered:
                taken = Signal(len(value), name=f"{name}_taken", reset_less=True)
                m.d.sync += taken.eq(value)
                ports[f"i_{name}"] = taken
            elif member.flow is In:
                ports[f"i_{name}"] = value
            else:
                ports[f"o_{name}__next" if name in early else f"o_{name}"] = value
        m.submodules.inside = Instance(self._name, **ports)
        return m


class NodeCell(Cell):
    """A node as a cell.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    parts : dict, optional
        Replacements for parts of the node, see :class:`~rtl.node.Node`.

    Attributes
    ----------
    public_signals, observable_signals
        As of :class:`rtl.fabric.Fabric`.
    """

    module_name = "khhw_cell"
    public_signals = ((f"{NODE_MODULE}.memory", "ram"),)

    def __init__(self, parameters: Parameters, parts=None):
        node = Node(parameters, parts)
        self.observable_signals = tuple((f"{NODE_MODULE}.{part}", name) for part, name in node.observables())
        super().__init__(NODE_MODULE, node, ("tx", "rx", "parent_tx", "parent_rx", "child_tx", "child_rx"), ("now",))


class RootCell(Cell):
    """The owner's port above the root of the tree as a cell.

    Parameters
    ----------
    parameters : Parameters
        Of the nodes below.
    """

    module_name = "khhw_root_cell"

    def __init__(self, parameters: Parameters):
        super().__init__("khhw_root_port", RootPort(parameters), ("tx", "rx"))
