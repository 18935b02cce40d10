"""What is simulated: Verilog files, a top module, and what of it must stay visible."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from khhw.build.cache import build_once, build_root, digest, lock
from khhw.build.conversions import DESCRIPTION, Conversion, find, import_folders, keep, providers
from khhw.errors import BuildError, RequestError

__all__ = ["Design", "Port", "PublicSignal", "Request", "convert"]

SOURCE_LOCATIONS = "places.json"
"""In a design that is traced: lines of the source, and what of each Verilog file comes from where."""


@dataclass(frozen=True)
class PublicSignal:
    """A signal inside the design that a testbench may read, and may be able to write, by name.

    Parameters
    ----------
    module : str
        Verilog module, e.g. ``khhw_node.memory``.
    name : str
        Variable or array in it, e.g. ``ram``.
    writable : bool
        Whether it may be written. Logic behind such a signal is evaluated a second time in each cycle.
    """

    module: str
    name: str
    writable: bool = True


@dataclass(frozen=True)
class Port:
    """A port of the top module: name in Verilog, bits, and whether the outside drives it."""

    name: str
    width: int
    is_input: bool


@dataclass(frozen=True, kw_only=True)
class Request:
    """What :func:`convert` was asked for: `target`, `values`, `path`, `strict` and `traced`."""

    target: str
    values: Mapping[str, Any]
    path: tuple[Path, ...]
    strict: bool
    traced: bool = False

    def convert(self) -> "Design":
        """The design, converted again if need be."""
        return convert(self.target, self.values, path=self.path, strict=self.strict, traced=self.traced)

    def plain(self) -> dict[str, Any]:
        """It as a JSON object; what is not traced is written as it was before there was a choice."""
        plain = {**asdict(self), "path": [str(folder) for folder in self.path]}
        return plain if self.traced else {name: value for name, value in plain.items() if name != "traced"}


@dataclass(frozen=True, kw_only=True)
class Design:
    """Verilog and how to look at it.

    Parameters
    ----------
    top : str
        Name of the top module.
    sources : tuple of pathlib.Path
        Verilog files, the top module's first.
    ports : tuple of Port
        Ports of the top module. All are public in a simulation.
    public : tuple of PublicSignal
        Signals below the top that are public too.
    untraced : tuple of str
        Scopes, with wildcards, that waves leave out.
    shared : mapping of str to tuple of str
        Modules whose instances share code in a Verilator build, and their inputs.
    source_locations : pathlib.Path or None
        File that says where in the Amaranth source the Verilog comes from, of a design that was converted so.
    request : Request or None
        What it was converted for; None for Verilog from elsewhere.
    """

    top: str
    sources: tuple[Path, ...]
    ports: tuple[Port, ...] = ()
    public: tuple[PublicSignal, ...] = ()
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untraced: tuple[str, ...] = ()
    source_locations: Path | None = None
    warnings: tuple[str, ...] = field(default=(), compare=False)
    request: Request | None = field(default=None, compare=False)

    @property
    def source_of_lines(self) -> dict[str, dict[str, Any]]:
        """By name of a Verilog file, what :meth:`khhw.build.source_locations.SourceMarks.read` found in it."""
        if self.source_locations is None:
            return {}
        found: dict[str, dict[str, Any]] = json.loads(self.source_locations.read_text(encoding="utf-8"))["files"]
        return found

    @classmethod
    def load(cls, folder: Path) -> "Design":
        """Read a design that :func:`convert` left in `folder`."""
        try:
            facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RequestError(f"the Verilog kept in {folder} is damaged ({error}): remove that folder, and it is "
                               "converted again") from error
        return cls(
            top=facts["top"],
            sources=tuple(folder / name for name in facts["sources"]),
            ports=tuple(Port(**port) for port in facts["ports"]),
            public=tuple(PublicSignal(**signal) for signal in facts["public"]),
            shared={module: tuple(inputs) for module, inputs in facts["shared"].items()},
            untraced=tuple(facts["untraced"]),
            source_locations=folder / SOURCE_LOCATIONS if (folder / SOURCE_LOCATIONS).is_file() else None,
            warnings=tuple(facts["warnings"]),
        )


def convert(
    target: str, values: Mapping[str, Any] | None = None, *, path: Sequence[Path] = (), strict: bool = False,
    traced: bool = False,
) -> Design:
    """Convert an Amaranth component to Verilog, or find it converted.

    The conversion runs in a process of its own, so that what it imported is known: the result is used
    again as long as none of those files changed.

    Parameters
    ----------
    target : str
        ``module:Name``: a component class, or a function that returns a component. If it has an argument
        called ``parameters`` it gets a :class:`rtl.parameters.Parameters` there, made from those `values` that are its
        names; other values are passed by keyword, an argument called ``parts`` with each ``module:Name`` in it
        replaced by what it names. The component may have these attributes:
        ``module_name`` (its Verilog name), ``extra_modules`` (dict of name to a component that it
        instantiates by that name, each converted to a file of its own, so that instances share code),
        ``public_signals`` (iterable of module and variable name), ``observable_signals`` (the same, but only
        to be read, and only those that are there) and ``untraced_scopes`` (what waves leave out).
    values : mapping, optional
        JSON values.
    path : sequence of pathlib.Path
        Folders to import from, before all others.
    strict : bool
        Make Python warnings errors.
    traced : bool
        Note where in the source each branch and each wire comes from; the Verilog is the same.

    Raises
    ------
    RequestError
        If `target` cannot be found, is no component, or refuses the values.
    BuildError
        If elaboration fails.
    """
    if ":" not in target:
        raise RequestError(f"a design is named as 'module:Name', not {target!r}")
    asked = Request(target=target, values=dict(values or {}), path=tuple(folder.absolute() for folder in path),
                    strict=strict, traced=traced)
    looked_in = [str(folder.absolute()) for folder in path] + [entry or os.getcwd() for entry in sys.path]
    request = {
        "target": target, "values": dict(values or {}), "strict": strict, "path": looked_in,
        "versions": [importlib.metadata.version("amaranth"), platform.python_version()],
        **({"traced": True} if traced else {}),
    }
    folder = build_root() / "verilog"
    imports = import_folders(looked_in)
    index = folder / "index" / f"{digest({**request, 'path': [], 'environment': sys.prefix})}.json"
    with lock(index):
        name = find(index, folder, imports) or _run_conversion(request, folder, index, imports)
        return replace(Design.load(folder / name), request=asked)


def _run_conversion(request: Mapping[str, Any], folder: Path, index: Path, imports: Sequence[Path]) -> str:
    """Convert, and keep the Verilog; the name of its folder."""
    answer = _converter(request)
    if "refused" in answer:
        raise RequestError(answer["refused"])
    if "failed" in answer:
        raise BuildError(f"{request['target']} could not be converted to Verilog:\n{answer['failed']}")
    files: dict[str, str] = answer["files"]
    facts, source = answer["design"], answer["source"]

    def write(target: Path) -> None:
        for name, text in files.items():
            (target / name).write_text(text, encoding="utf-8")
        (target / DESCRIPTION).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        if source is not None:
            (target / SOURCE_LOCATIONS).write_text(json.dumps(source) + "\n", encoding="utf-8")

    name = f"{facts['top']}-{digest([files, facts] if source is None else [files, facts, source])}"
    build_once(folder / name, {"target": request["target"], "values": request["values"]}, write)
    keep(index, Conversion(name, answer["inputs"], providers(imports, answer["imports"])))
    return name


def _converter(request: Mapping[str, Any]) -> dict[str, Any]:
    # Compiled files tell sources apart by their size and second: a quick edit would be passed over. Imports come from
    # the path alone, and not also from where the process happens to be.
    flags = ["-B", "-P", *(["-W", "error"] if request["strict"] else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(request["path"]), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.run(
        [sys.executable, *flags, "-m", "khhw.build.elaborate"], input=json.dumps(request),
        encoding="utf-8", errors="replace", capture_output=True, env=environment, check=False)
    _, marker, answer = process.stdout.rpartition("\0")
    if process.returncode or not marker:
        return {"failed": process.stderr.strip() or f"the converter ended with code {process.returncode}"}
    facts: dict[str, Any] = json.loads(answer)
    return facts
