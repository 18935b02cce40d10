"""The machine file: TOML in, a checked description out, every error with its line and its mend."""

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from khhw.control.domains import DomainError, Domains
from khhw.machine.locate import line_of
from khhw.machine.lookup import find_class, find_kernel
from rtl.fabric import check_shape, check_table
from rtl.node import check_part
from rtl.parameters import ParameterError, Parameters

__all__ = ["DomainSection", "KernelEntry", "MachineFile", "MachineFileError", "Phase", "load", "schema"]

_LINE = re.compile(r"at line (\d+)")


class MachineFileError(ValueError):
    """A machine file that cannot be run.

    Parameters
    ----------
    file : str
        Path as the user gave it.
    line : int
        Line from 1.
    message : str
        What is wrong, and what would be right.
    """

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file, self.line, self.message = file, line, message
        super().__init__(f"{file}:{line}: {message}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Torus(_Section):
    """The torus."""

    shape: tuple[int, int, int] = (2, 2, 2)
    """Nodes in x, y and z; 1 to 64 each, 16 id bits together."""


class Host(_Section):
    """The software side."""

    cpu: Literal["ideal"] = "ideal"
    """CPU model that charges software time; `ideal` charges none."""
    clock_hz: int = Field(default=53_125_000, gt=0)
    """Hardware clock; the default makes a link of 64-bit flits carry 425 MB/s."""
    max_cycles: int = Field(default=50_000_000, gt=0)
    """Cycles after which a run is stopped and its stuck packets are named."""


class DomainSection(_Section):
    """Communication domains, in exactly one of three forms."""

    matrix: list[list[Literal[0, 1]]] | None = None
    """`matrix[source][destination]` is isAllowed, by rank."""
    groups: dict[str, list[int]] | None = None
    """Named sets of ranks; two nodes of one set may send to each other, and each to itself."""
    rules: list[str] | None = None
    """Directed rules, `"0 -> 3 4"`."""


class KernelEntry(_Section):
    """Which nodes boot a kernel."""

    nodes: Literal["all"] | list[int] = "all"
    """Ranks."""
    kernel: str
    """Name of a kernel of khhw, or the path of a Python file relative to the machine file."""
    arguments: str = ""
    """Text behind the address on the loader's boot line; `{seed}` becomes the seed of the run."""
    service: bool = False
    """Booted before the others, and awaited until it says `open`; told to `stop` when the others have ended."""

    def ranks(self, nodes: int) -> list[int]:
        """Ranks that boot it in a machine of `nodes`."""
        return list(range(nodes)) if self.nodes == "all" else list(self.nodes)

    def __hash__(self) -> int:
        return id(self)


class Phase(_Section):
    """One experiment on the running machine: domains, then kernels, until all of them have ended."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Names its part of the results."""
    domains: str | None = None
    """Domains to change to before the kernels boot; without it those in force stay."""
    kernels: list[KernelEntry] = []
    """What boots where; every other node stays at its loader."""
    measure: Literal["matrix", "attacks", "latency", "console"] | None = None
    """What is read from the nodes' memories when all kernels have ended; `console` loads the first kernel into
    1, 2, 4, ... nodes before."""


class MachineFile(_Section):
    """A machine, and what is done with it."""

    name: str = Field(default="machine", min_length=1)
    """Title of the report."""
    seed: int = Field(default=1, ge=0, lt=1 << 32)
    """Seed of everything random; `--seed` overrides it."""
    torus: Torus = Torus()
    """Shape of the torus."""
    node: Parameters = Parameters()
    """What every node is built with."""
    parts: dict[Literal["router", "guard", "ni", "memory"], str] = {}
    """Replacements by class, `"module:Class"`; modules are also looked for beside the machine file."""
    host: Host = Host()
    """Clock, CPU model, limits."""
    domains: dict[str, DomainSection] = {}
    """Named states of isAllowed."""
    phases: list[Phase] = []
    """In order."""

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return math.prod(self.torus.shape)

    def matrix(self, name: str) -> npt.NDArray[np.bool_]:
        """isAllowed of the named domains: shape (nodes, nodes), source first, by rank."""
        return _matrix(self.domains[name], self.nodes)


def schema() -> dict[str, Any]:
    """JSON schema of a machine file."""
    return MachineFile.model_json_schema()


def load(source: Path | str, *, parts: Mapping[str, str] | None = None) -> MachineFile:
    """Read and check a machine file; nothing is built or run.

    Parameters
    ----------
    source : Path or str
        A TOML file.
    parts : mapping of str to str, optional
        Replacements that win over the file's own ``[parts]``.

    Raises
    ------
    MachineFileError
        For the first thing that is wrong, with its line.
    """
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MachineFileError(str(source), 1, f"cannot be read: {error}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = int(found[1]) if (found := _LINE.search(str(error))) else len(text.splitlines())
        raise MachineFileError(str(source), line, f"is not TOML: {error}") from None

    if parts:
        document["parts"] = {**document.get("parts", {}), **parts}

    def fail(path: Sequence[str | int], message: str) -> MachineFileError:
        return MachineFileError(str(source), line_of(text, path), f"{_dotted(path)}: {message}")

    try:
        machine = MachineFile.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        path, message = _first_error(error)
        raise fail(path, message) from None
    if found_error := _inconsistency(machine, Path(source).parent):
        raise fail(*found_error)
    return machine


def _inconsistency(machine: MachineFile, folder: Path) -> tuple[tuple[str | int, ...], str] | None:
    """The first thing wrong that takes more than one key to see: (path, message), or None."""
    try:
        check_shape(machine.torus.shape)
    except ParameterError as error:
        return ("torus", "shape"), str(error)
    try:
        check_table(machine.torus.shape, machine.node)
    except ParameterError as error:
        return ("node", "table_nodes"), str(error)
    for part, path in machine.parts.items():
        try:
            check_part(part, find_class(path, folder), machine.node)
        except (LookupError, TypeError) as error:
            return ("parts", part), str(error)
    for name, section in machine.domains.items():
        if wrong := _wrong_domains(section, machine.nodes):
            return ("domains", name, *wrong[0]), wrong[1]
    for index, phase in enumerate(machine.phases):
        if wrong := _wrong_phase(phase, machine, folder):
            return ("phases", index, *wrong[0]), wrong[1]
    return None


def _wrong_domains(section: DomainSection, nodes: int) -> tuple[tuple[str | int, ...], str] | None:
    given = sorted(section.model_fields_set)
    if len(given) != 1:
        return (), f"needs exactly one of matrix, groups and rules, not {' and '.join(given) or 'none'}"
    try:
        _matrix(section, nodes)
    except DomainError as error:
        return (given[0], *error.place), error.message
    return None


def _wrong_phase(phase: Phase, machine: MachineFile, folder: Path) -> tuple[tuple[str | int, ...], str] | None:
    if any(other.name == phase.name for other in machine.phases if other is not phase):
        return ("name",), f"two phases are named {phase.name!r}; results need a name each"
    if phase.domains is not None and phase.domains not in machine.domains:
        known = ", ".join(sorted(machine.domains)) or "none; add a [domains.NAME] table"
        return ("domains",), f"unknown domains {phase.domains!r}; known are {known}"
    booted: dict[int, str] = {}
    for index, entry in enumerate(phase.kernels):
        for rank in entry.ranks(machine.nodes):
            if not 0 <= rank < machine.nodes:
                return ("kernels", index), f"no node {rank}; nodes are 0 to {machine.nodes - 1}"
            if rank in booted:
                return ("kernels", index), f"node {rank} boots {booted[rank]!r} already; one kernel a node"
            booted[rank] = entry.kernel
        try:
            find_kernel(entry.kernel, folder)
        except LookupError as error:
            return ("kernels", index), str(error)
    return None


def _first_error(error: ValidationError) -> tuple[tuple[str | int, ...], str]:
    """Path and words of the first thing pydantic refused."""
    first = error.errors()[0]
    path = tuple(first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return path, f"unknown key; keys here are {', '.join(_keys_at(path[:-1]))}"
    return path, first["msg"].removeprefix("Value error, ")


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """Keys the schema allows in the table at `path`."""
    root = schema()
    node = root
    for step in path:
        node = _resolve(node, root)
        node = node.get("items", {}) if isinstance(step, int) else (
            node.get("properties", {}).get(step) or node.get("additionalProperties") or {})
    return sorted(_resolve(node, root).get("properties", {}))


def _resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        resolved: dict[str, Any] = root["$defs"][node["$ref"].rpartition("/")[2]]
        return resolved
    return node


def _dotted(path: Sequence[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "machine"


def _matrix(section: DomainSection, nodes: int) -> npt.NDArray[np.bool_]:
    if section.matrix is not None:
        return Domains.from_matrix(section.matrix, nodes).matrix
    if section.groups is not None:
        return Domains.from_groups(section.groups, nodes).matrix
    return Domains.from_rules(section.rules or [], nodes).matrix
