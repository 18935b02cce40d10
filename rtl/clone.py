"""Many instances of one converted module.

Amaranth copies a submodule every time it is used. A clone stands for a component that is converted
once, under a name, and is only instantiated where it is used.
"""

from collections.abc import Iterable

from amaranth.hdl import ClockSignal, Instance, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["clone", "port_name"]


def port_name(component: wiring.Component, path: Iterable[str | int]) -> str:
    """Name in Verilog of a port of a converted component.

    Parameters
    ----------
    component : wiring.Component
        Its attribute ``port_separator``, if it has one, is put between the parts of the path; else it is ``__``, as
        in Amaranth's own conversion.
    path : iterable of str or int
        Of the port in the component's signature.
    """
    return str(getattr(component, "port_separator", "__")).join(map(str, path))


def clone(module: str, original: wiring.Component, *, domain: str = "sync") -> tuple[wiring.PureInterface, Instance]:
    """An instance of a module that is converted elsewhere.

    Parameters
    ----------
    module : str
        Name the original is converted under.
    original : wiring.Component
        Any component with the ports of that module; only its signature is used.
    domain : str
        Clock domain whose clock and reset it gets.

    Returns
    -------
    interface : wiring.PureInterface
        The original's members, to connect to.
    instance : Instance
        To add as a submodule.
    """
    interface = original.signature.create()
    ports = {"i_clk": ClockSignal(domain), "i_rst": ResetSignal(domain)}
    for path, member, value in original.signature.flatten(interface):
        prefix = "i" if member.flow is In else "o"
        ports[f"{prefix}_{port_name(original, path)}"] = Value.cast(value)
    return interface, Instance(module, **ports)
