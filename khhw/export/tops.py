"""What ``khhw verilog`` can write, under the module names it has in a design of somebody else."""

from collections.abc import Sequence

from amaranth.lib import wiring

from rtl.fabric import NODE_MODULE, Fabric
from rtl.guard.guard import Guard
from rtl.ni.ni import NI
from rtl.node import Node
from rtl.parameters import Parameters
from rtl.torus.router import Router

__all__ = ["fabric", "guard", "ni", "node", "router"]


def ni(parameters: Parameters) -> wiring.Component:
    """The network interface."""
    return _named("khhw_ni", NI(parameters))


def router(parameters: Parameters) -> wiring.Component:
    """The torus router."""
    return _named("khhw_router", Router(parameters))


def guard(parameters: Parameters) -> wiring.Component:
    """The permission guard."""
    return _named("khhw_guard", Guard(parameters))


def node(parameters: Parameters) -> wiring.Component:
    """A node."""
    return _named(NODE_MODULE, Node(parameters))


def fabric(parameters: Parameters, shape: Sequence[int]) -> wiring.Component:
    """A machine of `shape` nodes."""
    x, y, z = shape
    machine = Fabric((x, y, z), parameters)
    # Its nodes have the ports of a node that is written by itself.
    _named(NODE_MODULE, machine.extra_modules[NODE_MODULE])
    return _named("khhw_fabric", machine)


def _named(name: str, component: wiring.Component) -> wiring.Component:
    component.module_name = name  # type: ignore[attr-defined]
    # One underscore: two are an escape sequence in the C++ that Verilator makes of a name.
    component.port_separator = "_"  # type: ignore[attr-defined]
    return component
