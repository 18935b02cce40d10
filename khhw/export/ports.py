"""The ports of what is exported, so that they can be read: in order, with direction, type and meaning.

Amaranth's conversion names ports in a line and declares them below, in the order of their names.
"""

import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from amaranth.hdl import Shape, UnusedElaboratable
from amaranth.lib import wiring

from khhw.errors import BuildError
from khhw.export.documented import port_docs
from khhw.export.sv_package import PACKAGE, structs, sv_type
from rtl.clone import port_name
from rtl.parameters import Parameters

__all__ = ["ExportedPort", "declared", "instance", "ports_of"]

_CLOCKED = (("clk", "The only clock; everything happens at its rising edge."),
            ("rst", "Synchronous reset of everything, active high."))


@dataclass(frozen=True, kw_only=True)
class ExportedPort:
    """A port of a module.

    Parameters
    ----------
    name : str
        In Verilog.
    is_input : bool
        Whether the outside drives it.
    width : int
        Bits.
    kind : str
        Its type in SystemVerilog; that of a struct, or of its elements, is one of the package.
    member : str
        Of the component's signature; an array of interfaces is many ports of one member.
    meaning : str
        What the sources say of the member, on one line; may be empty.
    """

    name: str
    is_input: bool
    width: int
    kind: str
    member: str
    meaning: str

    @property
    def direction(self) -> str:
        """``input`` or ``output``."""
        return "input" if self.is_input else "output"


def ports_of(make: Callable[[], wiring.Component], documentation: str, parameters: Parameters) -> list[ExportedPort]:
    """Clock and reset, then the ports of a component in the order of its signature.

    Parameters
    ----------
    make : callable
        Makes the component; it is asked for its ports only.
    documentation : str
        Docstring with a section *Members* that explains them.
    parameters : Parameters
        What the component is made with.
    """
    docs, known = port_docs(documentation), structs(parameters)
    ports = [ExportedPort(name=name, is_input=True, width=1, kind="logic", member=name, meaning=meaning)
             for name, meaning in _CLOCKED]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        component = make()
        for path, member, _ in component.signature.flatten(component):
            ports.append(ExportedPort(
                name=port_name(component, path), is_input=member.flow is wiring.In,
                width=Shape.cast(member.shape).width, kind=sv_type(member.shape, known),
                member=str(path[0]), meaning=_meaning(str(path[0]), docs)))
        del component
    return ports


def _meaning(member: str, docs: Mapping[str, str]) -> str:
    return docs.get(member) or next(
        (text for name, text in docs.items() if name.endswith("*") and member.startswith(name[:-1])), "")


def declared(verilog: str, module: str, ports: Sequence[ExportedPort]) -> str:
    """Verilog in which a module declares its ports where it names them, in the order of `ports`.

    Raises
    ------
    BuildError
        If the module has other ports.
    """
    head = re.search(rf"^module {module}\(([^;]*)\);\n", verilog, re.MULTILINE)
    if head is None:
        raise BuildError(f"the Verilog has no module {module}")
    end = verilog.index("\nendmodule", head.end())
    body = verilog[head.end():end]
    if differing := {port.name for port in ports} ^ set(re.findall(r"[\w$.]+", head[1])):
        raise BuildError(f"ports of {module} are not those of its signature: {', '.join(sorted(differing))}")
    lines = {}
    for port in ports:
        body, lines[port.name] = _without(body, module, port)
    listed = "\n".join(_commented(
        ports, "  ", lambda port, last: lines[port.name] + ("" if last else ",") + _type(port)))
    return f"{verilog[:head.start()]}module {module} (\n{listed}\n);\n{body}{verilog[end:]}"


def instance(module: str, ports: Sequence[ExportedPort]) -> str:
    """SystemVerilog that declares a signal of its type for each port, and an instance connected to them.

    Types are imported: Icarus Verilog 11 fails on a struct that is named with its package.
    """
    signals = _commented(ports, "", lambda port, _: f"{port.kind} {port.name};  // {port.direction}")
    connections = ",\n".join(f"  .{port.name}({port.name})" for port in ports)
    return "\n".join([f"import {PACKAGE}::*;", "", *signals, "", f"{module} {module}_i (", connections, ");", ""])


def _without(body: str, module: str, port: ExportedPort) -> tuple[str, str]:
    """A module's body without the declarations of a port, and what declares it in the head."""
    size = f"[{port.width - 1}:0] " if port.width > 1 else ""
    found = re.findall(rf"^  {port.direction} {re.escape(size)}{port.name};\n  (wire|reg) {re.escape(size)}{port.name}"
                       rf"( = [^;\n]+)?;\n", body, re.MULTILINE)
    if len(found) != 1:
        raise BuildError(f"{module} does not declare its port {port.name} once, as {port.direction} of "
                         f"{port.width} bits")
    (kind, value), = found
    text = f"  {port.direction} {size}{port.name};\n  {kind} {size}{port.name}{value};\n"
    return body.replace(text, "", 1), f"{port.direction:6} {kind:4} {size}{port.name}{value}"


def _commented(
    ports: Sequence[ExportedPort], indent: str, line: Callable[[ExportedPort, bool], str],
) -> Iterator[str]:
    """A line a port, those of a member below what it means."""
    for member, group in groupby(ports, lambda port: port.member):
        of_member = list(group)
        if of_member[0] is not ports[0]:
            yield ""
        yield from textwrap.wrap(f"{member}: {of_member[0].meaning}", 110, initial_indent=f"{indent}// ",
                                 subsequent_indent=f"{indent}// ")
        yield from (f"{indent}{line(port, port is ports[-1])}" for port in of_member)


def _type(port: ExportedPort) -> str:
    return "" if port.kind.startswith("logic") else f"  // {port.kind}"
