"""Verilog that also shows what the registers behind its outputs take next.

A node's cables leave from registers. A simulator that evaluates one node after the other wants these registers at
the other end of the cable: then nothing inside a node depends on an input in the same cycle, and one evaluation
a cycle does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amaranth.hdl import _ir, _nir

from khhw.errors import RequestError

__all__ = ["next_of", "next_values_shown"]

_ALWAYS = _nir.Net.from_const(1)


def next_of(port: str) -> str:
    """Name of the port that shows what the register behind output `port` takes at the next clock edge."""
    return f"{port}__next"


@contextmanager
def next_values_shown(ports: Sequence[str]) -> Iterator[None]:
    """While entered, what Amaranth converts has a port :func:`next_of` for each of its output ports in `ports`.

    Raises
    ------
    RequestError
        In the conversion, if a port does not come from a register alone.
    """
    flows: Any = _ir._compute_net_flows

    def show(netlist: Any) -> None:
        outputs = netlist.top.ports_o
        for port in ports:
            outputs[next_of(port)] = _nir.Value(_data(netlist, port, net) for net in outputs[port])
        flows(netlist)

    _ir._compute_net_flows = show
    try:
        yield
    finally:
        _ir._compute_net_flows = flows


def _data(netlist: Any, port: str, net: Any) -> Any:
    """The data input of the flip-flop that drives a net."""
    source = _behind_assignments(netlist, net)
    if source.is_const:
        return source
    cell = netlist.cells[source.cell]
    if not isinstance(cell, _nir.FlipFlop):
        raise RequestError(f"output {port} does not come from a register: cables must (rtl.signatures.TorusLink)")
    return cell.data[source.bit]


def _behind_assignments(netlist: Any, net: Any) -> Any:
    """What a net is a copy of: assignments of a signal's parts that hold always are looked through."""
    while not net.is_const and isinstance(cell := netlist.cells[net.cell], _nir.AssignmentList):
        here = [a for a in cell.assignments if 0 <= net.bit - a.start < len(a.value)]
        if here and here[-1].cond != _ALWAYS:
            return net
        net = here[-1].value[net.bit - here[-1].start] if here else cell.default[net.bit]
    return net
