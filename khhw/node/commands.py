"""The grammar of a console line: one definition, for whoever writes lines and whoever obeys them.

A line is a command, its name and what stands behind it, with ``on NODES`` in front if not all nodes shall obey. Words
are separated by spaces. Nothing here raises because of what a line contains: what cannot be read is a
:class:`WrongLine`, whose message is the answer. See ``docs/console.md``.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "EVERYBODY", "LINE_LIMIT", "Command", "LineError", "Nodes", "WrongLine", "boot_command", "controls", "list_ranks",
    "parse_line", "parse_nodes", "parse_number", "prompt", "shortened", "written",
]

LINE_LIMIT = 16_384
"""Bytes of a line without its newline. Its packets, 240 bytes each, are counted in 8 bits."""

_LAST_RANK = (1 << 16) - 1
"""Node ids have 16 bits."""
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]{1,16})|0(?P<octal>[0-7]{0,22})|(?P<decimal>[1-9][0-9]{0,19})")
_PART = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_WORD = re.compile(r"[ \t]*([^ \t]*)(.*)", re.DOTALL)
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_SHORT = 60


class LineError(ValueError):
    """A line that must not be sent: its receivers would not read what was meant."""


@dataclass(frozen=True)
class Nodes:
    """Some ranks, as pairs of the first and the last of each stretch."""

    stretches: tuple[tuple[int, int], ...]

    def __contains__(self, rank: int) -> bool:
        return any(low <= rank <= high for low, high in self.stretches)


EVERYBODY = Nodes(((0, _LAST_RANK),))
"""Whom a line without ``on`` is for."""


@dataclass(frozen=True)
class Command:
    """A line that can be read.

    Parameters
    ----------
    name : str
        First word; empty for an empty line.
    rest : str
        What stands behind it, without spaces at its ends.
    nodes : Nodes
        Who shall obey.
    """

    name: str
    rest: str = ""
    nodes: Nodes = EVERYBODY


@dataclass(frozen=True)
class WrongLine:
    """A line that cannot be read.

    Parameters
    ----------
    message : str
        Why not, and what would be right.
    nodes : Nodes
        Who shall say so.
    """

    message: str
    nodes: Nodes = EVERYBODY


def parse_line(text: str) -> Command | WrongLine:
    """A line without its newline, whatever it contains."""
    name, rest = _word(text)
    if name != "on":
        return Command(name, rest)
    listed, command = _word(rest)
    nodes = parse_nodes(listed)
    if isinstance(nodes, WrongLine):
        return nodes
    name, rest = _word(command)
    if name == "on":
        return WrongLine("only one 'on NODES' stands in front of a command", nodes)
    return Command(name, rest, nodes)


def _word(text: str) -> tuple[str, str]:
    """The first word of a text and what is behind it."""
    found = _WORD.match(text.rstrip(" \t\r"))
    assert found is not None, "it matches everything"
    return found[1], found[2].strip(" \t")


def parse_nodes(text: str) -> Nodes | WrongLine:
    """A list of ranks such as ``0,2,4-7``, or ``all``."""
    if text == "all":
        return EVERYBODY
    stretches = []
    for part in text.split(","):
        if (found := _PART.fullmatch(part)) is None:
            return WrongLine(f"{shortened(text)!r} is no list of nodes; write it as 0,2,4-7, or all")
        first, last = _rank(found[1]), _rank(found[2] or found[1])
        if last > _LAST_RANK:
            return WrongLine(
                f"{shortened(part)!r} in a list of nodes is past {_LAST_RANK}, the last a machine can have")
        if last < first:
            return WrongLine(f"{shortened(part)!r} in a list of nodes counts down")
        stretches.append((first, last))
    return Nodes(tuple(stretches))


def _rank(digits: str) -> int:
    """A decimal number, which may be too large to be a rank, but not for Python to read."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= len(str(_LAST_RANK)) else _LAST_RANK + 1


def parse_number(word: str) -> int | None:
    """A number as C writes it, decimal, octal (``017``) or hexadecimal (``0x1f``), of 64 bits; None for all else."""
    if (found := _NUMBER.fullmatch(word)) is None:
        return None
    base, digits = {"hex": (16, found["hex"]), "octal": (8, found["octal"]), "decimal": (10, found["decimal"])}[
        str(found.lastgroup)]
    number = int(digits or "0", base)
    return number if number < 1 << 64 else None


def prompt(rank: int) -> str:
    """What stands in front of a node's answers, and of its kernels' reports."""
    return f"node {rank}> "


def boot_command(address: int, arguments: str) -> str:
    """The command that runs the kernel at an address."""
    return f"boot {address:#x} {arguments}".rstrip(" ")


def written(command: str, ranks: Iterable[int] | None = None) -> str:
    """A line as it is sent, without its newline.

    Parameters
    ----------
    command : str
    ranks : iterable of int or None
        Nodes that shall obey; None for all.

    Raises
    ------
    LineError
        If it has more than :data:`LINE_LIMIT` bytes, control characters or broken text.
    """
    line = command if ranks is None else f"on {list_ranks(ranks)} {command}"
    # First: to look at each character takes time, of which who sends lines that are too long shall have none.
    if (length := len(line.encode("utf-8", "surrogatepass"))) > LINE_LIMIT:
        prefix = line.removesuffix(command)
        raise LineError(f"a console line has at most {LINE_LIMIT:,} bytes; {shortened(command)!r} would have {length:,}"
                        + (f" with {prefix!r} in front" if prefix else ""))
    for offset in controls(command):
        raise LineError(f"a console line takes no control characters; {command[offset]!r} is in it, behind "
                        f"{command[max(0, offset - _SHORT // 2):offset]!r}")
    return line


def controls(text: str) -> list[int]:
    """Offsets of characters that no line has: control characters, separators of lines, broken text."""
    return [offset for offset, character in enumerate(text) if unicodedata.category(character) in _CONTROLS]


def list_ranks(ranks: Iterable[int]) -> str:
    """Ranks as a line names them: ``0,4-7``."""
    parts: list[list[int]] = []
    for rank in sorted(set(ranks)):
        if parts and rank == parts[-1][1] + 1:
            parts[-1][1] = rank
        else:
            parts.append([rank, rank])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def shortened(text: str) -> str:
    """The beginning of a text, for a message about it."""
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."
