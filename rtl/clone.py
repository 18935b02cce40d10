"""Many instances of one converted module.

Amaranth copies a submodule every time it is used. A clone stands for a component that is converted
once, under a name, and is only instantiated where it is used.
"""

from amaranth.hdl import ClockSignal, Instance, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["clone"]


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
        ports[f"{prefix}_{'__'.join(map(str, path))}"] = Value.cast(value)
    return interface, Instance(module, **ports)
