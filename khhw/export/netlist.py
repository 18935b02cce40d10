"""What modules, instances and memories the Verilog of a design has."""

import re
from dataclasses import dataclass, field

__all__ = ["Module", "read_modules"]

_NAME = r"(\\\S+|[A-Za-z_][\w$]*)"
_MODULE = re.compile(rf"^module {_NAME} ?\(", re.MULTILINE)
_INSTANCE = re.compile(rf"^  {_NAME}\s+{_NAME}\s+\($", re.MULTILINE)
_MEMORY = re.compile(rf"^  reg (?:\[(\d+):0\] )?{_NAME} ?\[(\d+):0\];$", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """A module.

    Parameters
    ----------
    instances : dict of str to str
        Module by instance name.
    memories : dict of str to tuple
        (bits a word, words) by array name.
    """

    instances: dict[str, str] = field(default_factory=dict)
    memories: dict[str, tuple[int, int]] = field(default_factory=dict)


def read_modules(verilog: str) -> dict[str, Module]:
    """Modules by name, of Verilog that Amaranth wrote; names without their escapes."""
    starts = list(_MODULE.finditer(verilog))
    ends = [match.start() for match in starts[1:]] + [len(verilog)]
    return {_bare(start[1]): _read(verilog[start.end():end]) for start, end in zip(starts, ends, strict=True)}


def _read(body: str) -> Module:
    return Module(
        {_bare(name): _bare(kind) for kind, name in _INSTANCE.findall(body)},
        {_bare(name): (int(high or 0) + 1, int(last) + 1) for high, name, last in _MEMORY.findall(body)})


def _bare(name: str) -> str:
    return name.removeprefix("\\")
