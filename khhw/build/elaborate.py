"""The process that elaborates: a request as JSON on standard input, Verilog as JSON on standard output.

The answer follows a NUL, so that what RTL code prints while it elaborates does no harm.
"""

import hashlib
import importlib
import inspect
import json
import re
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Shape, Signal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from khhw.build.ahead import next_values_shown
from khhw.build.memories import large_memories_uninitialised
from khhw.build.source_locations import SourceLocations, marked
from khhw.build.verilog_fixups import wake_constants
from khhw.errors import RequestError
from khhw.tracebacks import own_traceback
from rtl.clone import port_name
from rtl.parameters import ParameterError, Parameters

__all__ = ["construct", "describe", "main", "module_name"]


def construct(target: str, values: Mapping[str, Any]) -> wiring.Component:
    """The component that `target` and `values` mean; see :func:`khhw.build.design.convert`."""
    made_by = _named(target)
    component = made_by(**_arguments(made_by, target, values))
    if not isinstance(component, wiring.Component):
        raise RequestError(f"{target} makes a {type(component).__name__}, not an amaranth.lib.wiring.Component")
    return component


def _named(target: str) -> Any:
    module, _, name = target.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise RequestError(f"no module {error.name!r} for the design {target!r}; looked in {sys.path}") from error
        raise
    try:
        return getattr(found, name)
    except AttributeError:
        raise RequestError(f"module {module!r} has no {name!r}") from None


def _arguments(made_by: Any, target: str, values: Mapping[str, Any]) -> dict[str, Any]:
    accepted = inspect.signature(made_by).parameters
    arguments = dict(values)
    if "parts" in accepted and arguments.get("parts"):
        arguments["parts"] = {name: _named(part) for name, part in arguments["parts"].items()}
    if "parameters" in accepted:
        chosen = {name: arguments.pop(name) for name in Parameters.names()
                  if name in arguments and name not in accepted}
        try:
            arguments["parameters"] = Parameters(**chosen)
        except ParameterError as error:
            raise RequestError(f"{target}: {error}") from error
    try:
        inspect.signature(made_by).bind(**arguments)
    except TypeError as error:
        raise RequestError(f"{target}: {error}; it takes {', '.join(accepted) or 'no arguments'}") from error
    return arguments


def module_name(component: wiring.Component) -> str:
    """Verilog name of a component: its ``module_name``, or its class name in snake case."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(component).__name__).lower()
    return str(getattr(component, "module_name", snake))


def describe(
    component: wiring.Component, traced: bool = False,
) -> tuple[dict[str, str], dict[str, Any], dict[str, Any] | None]:
    """Verilog text by file name, the facts a :class:`khhw.build.design.Design` is made of, and its source.

    The last is None unless `traced`: ``places`` are lines of the source, ``files`` what of each file comes from where.
    """
    extra: Mapping[str, wiring.Component] = getattr(component, "extra_modules", {})
    parts = {module_name(component): component, **extra}
    ahead: Mapping[str, Sequence[str]] = getattr(component, "next_values", {})
    locations = SourceLocations() if traced else None
    converted = {f"{name}.v": _verilog(name, part, ahead.get(name, ()), locations) for name, part in parts.items()}
    files = {name: text for name, (text, _) in converted.items()}
    ports = [
        {"name": port_name(component, path), "width": Shape.cast(member.shape).width,
         "is_input": member.flow is wiring.In}
        for path, member, _ in component.signature.flatten(component)
    ]
    named = {port["name"] for port in ports}
    ports += [{"name": name, "width": 1, "is_input": True} for name in ("clk", "rst") if name not in named
              and re.search(rf"^  input {name};", files[f"{module_name(component)}.v"], re.MULTILINE)]
    text = "".join(files.values())
    public: list[tuple[str, str]] = list(getattr(component, "public_signals", ()))
    for module, name in public:
        if not _has_signal(text, module, name):
            # Verilator ignores a control file's line that matches nothing.
            raise RequestError(f"public_signals names {name!r} of module {module!r}, which the Verilog has not")
    observable = [signal for signal in getattr(component, "observable_signals", ()) if _has_signal(text, *signal)]
    where = {name: found for name, (_, found) in converted.items()}
    source = None if locations is None else {"places": locations.rows, "files": where}
    return files, {
        "top": module_name(component), "sources": list(files), "ports": ports,
        "public": [{"module": module, "name": name, "writable": writable}
                   for signals, writable in ((public, True), (observable, False)) for module, name in signals],
        "untraced": list(getattr(component, "untraced_scopes", ())),
        "shared": {name: [port_name(part, path) for path, member, _ in part.signature.flatten(part)
                          if member.flow is wiring.In] for name, part in sorted(extra.items())},
    }, source


def _verilog(
    name: str, part: wiring.Component, ahead: Sequence[str], locations: SourceLocations | None,
) -> tuple[str, dict[str, Any]]:
    with large_memories_uninitialised(), next_values_shown(ahead), marked(locations) as marks:
        text = wake_constants(verilog.convert(part, name=name, ports=_named_ports(part), emit_src=False,
                                              strip_internal_attrs=True))
    return marks.read(text) if locations is not None else (text, {})


def _named_ports(part: wiring.Component) -> dict[str, tuple[Value, PortDirection]]:
    """Ports for Amaranth's conversion; their signals have the same names, or both would be written."""
    ports = {}
    for path, member, member_value in part.signature.flatten(part):
        name, value = port_name(part, path), Value.cast(member_value)
        if name in ports:
            raise RequestError(f"two ports of {module_name(part)} have the name {name}")
        if isinstance(value, Signal) and hasattr(part, "port_separator"):
            value.name = name
        ports[name] = (value, PortDirection.Input if member.flow is wiring.In else PortDirection.Output)
    return ports


def _has_signal(text: str, module: str, name: str) -> bool:
    body = re.search(rf"^module \\?{re.escape(module)} ?\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    return body is not None and re.search(rf"\s\\?{re.escape(name)}[\s;]", body[0]) is not None


def _inputs() -> dict[str, str]:
    """Digests of the Python files this process imported, the standard library's left out."""
    standard = sysconfig.get_path("stdlib")
    packages = sysconfig.get_path("purelib")
    files = {str(Path(file).resolve()) for module in list(sys.modules.values())
             if (file := getattr(module, "__file__", None)) and file.endswith(".py")}
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in sorted(files)
            if file.startswith(packages) or not file.startswith(standard)}


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with warnings.catch_warnings(record=not request["strict"]) as caught:
            files, facts, source = describe(construct(request["target"], request["values"]), "traced" in request)
    except RequestError as error:
        return {"refused": str(error)}
    except Exception as error:
        return {"failed": own_traceback(error) or traceback.format_exc()}
    facts["warnings"] = [warnings.formatwarning(w.message, w.category, w.filename, w.lineno, "").strip()
                         for w in caught or ()]
    imports = sorted({name.partition(".")[0] for name in sys.modules} - {"__main__"})
    return {"files": files, "design": facts, "source": source, "inputs": _inputs(), "imports": imports}


def main() -> None:
    """Answer the request on standard input."""
    json_answer = json.dumps(_answer(json.load(sys.stdin)))
    sys.stdout.write("\0" + json_answer)


if __name__ == "__main__":
    main()
