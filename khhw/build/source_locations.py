"""Verilog whose branches and wires are traced back to the Amaranth source, for a coverage report.

Yosys keeps no source location of a statement in a process. So while a design is converted, each ``switch`` and each
multiplexer gets a number as an attribute; Yosys writes attributes into the Verilog, where they are read, and taken out
again. What is simulated is the text that it would have been without them, byte for byte.

A net has a name in each module that it passes. It counts once, under the name it has where it is driven.
"""

import linecache
import re
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import amaranth
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, _dsl, _ir

__all__ = ["SourceLocations", "SourceMarks", "marked"]

_MARK = re.compile(r'\(\* khhw = "(\d+)" \*\)\s*')
_CASE = re.compile(r'\s*/\* khhw = "(\d+)\.(\d+)" \*/$')
_ELSE = re.compile(r"end else (if \(|begin$)")
_WIRE = re.compile(r"\s*(?:(?:input|output|inout|wire|reg|signed)\s+)+(?:\[\d+:\d+\]\s+)?(\S+)\s*(?:;|=|\[)")

_Location = tuple[str, int] | None


class SourceLocations:
    """Source lines, numbered: ``[file, line, text]`` each, files as they are imported from.

    Members
    -------
    rows : list of [str, int, str]
        JSON.
    """

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._numbers: dict[tuple[str, int], int | None] = {}

    def number(self, location: _Location) -> int | None:
        """Number of a source location; None if it is unknown, or in Amaranth or Python's library."""
        if location is None:
            return None
        if location not in self._numbers:
            self._numbers[location] = self._add(*location) if _is_own(location[0]) else None
        return self._numbers[location]

    def _add(self, file: str, line: int) -> int:
        self.rows.append([_short(file), line, linecache.getline(file, line).strip()])
        return len(self.rows) - 1


class SourceMarks:
    """What a conversion of one top module leaves to read its Verilog by.

    Parameters
    ----------
    locations : SourceLocations
        Gets the lines.
    """

    def __init__(self, locations: SourceLocations) -> None:
        self.locations = locations
        self.switches: list[Any] = []
        """The switches of RTLIL and, for multiplexers, the location of each, by number."""
        self.components: dict[tuple[str, ...], str] = {}
        self.wires: dict[str, dict[str, Any]] = {}
        """By Verilog module and name: what is counted of the wire."""

    def read(self, verilog: str) -> tuple[str, dict[str, Any]]:
        """Verilog without the marks, and what is where in it.

        Returns
        -------
        tuple
            The text, and ``{"branches": {line: [location, ...]}, "choices": {line: location}, "wires": {line: wire},
            "uncounted": [[first, last], ...]}``, lines as text. A wire is ``[component, location, runs]``, each run
            ``[first bit, bits, name, number of the first or None]``; lines that declare other wires are uncounted.
        """
        lines: list[str] = []
        found: dict[str, Any] = {"branches": {}, "choices": {}, "wires": {}, "uncounted": []}
        open_ifs: list[list[Any]] = []
        pending: int | None = None
        label: tuple[int, int] | None = None
        module: Mapping[str, Any] = {}
        for line in verilog.split("\n"):
            here = str(len(lines) + 1)
            if case := _CASE.match(line):
                label = int(case[1]), int(case[2])
                continue
            if mark := _MARK.search(line):
                if not line[:mark.start()].strip():
                    pending = int(mark[1])
                    continue
                line = line[:mark.start()] + line[mark.end():]
                if (location := self.locations.number(self.switches[int(mark[1])])) is not None:
                    found["choices"][here] = location
            lines.append(line)
            text = line.strip()
            if label is not None:
                self._branch(found, here, *label)
                label = None
            elif pending is not None and text.startswith(("if (", "casez (")):
                if text.startswith("if ("):
                    open_ifs.append([_indent(line), pending, 0])
                    self._branch(found, here, pending, 0)
                pending = None
            elif open_ifs and _indent(line) == open_ifs[-1][0]:
                if _ELSE.match(text):
                    open_ifs[-1][2] += 1
                    self._branch(found, here, *open_ifs[-1][1:])
                elif text == "end":
                    open_ifs.pop()
            elif text.startswith("module "):
                module = self.wires.get(_module_name(text), {})
            elif declared := _WIRE.match(line):
                self._declared(found, len(lines), module.get(declared[1].removeprefix("\\")))
        return "\n".join(lines), found

    def _branch(self, found: dict[str, Any], line: str, switch: int, case: int) -> None:
        cases = self.switches[switch].cases
        assigned = [content for content in cases[case].contents if isinstance(content, rtlil.Assignment)] \
            if case < len(cases) else []
        locations = (self.locations.number(getattr(each, "khhw_location", None)) for each in assigned)
        if own := {location for location in locations if location is not None}:
            found["branches"][line] = sorted(own)

    @staticmethod
    def _declared(found: dict[str, Any], line: int, wire: Any) -> None:
        if wire is not None:
            found["wires"][str(line)] = wire
        elif found["uncounted"] and found["uncounted"][-1][1] == line - 1:
            found["uncounted"][-1][1] = line
        else:
            found["uncounted"].append([line, line])

    def name_components(self, design: Any) -> None:
        """Remember of what class each module of a hierarchy is."""
        for fragment, facts in design.fragments.items():
            for origin in getattr(fragment, "origins", None) or ():
                if isinstance(origin, Elaboratable) and not type(origin).__module__.startswith("amaranth."):
                    self.components[facts.name] = f"{type(origin).__module__}.{type(origin).__qualname__}"

    def name_wires(self, netlist: Any) -> None:
        """Choose a name for each net that is not constant."""
        chosen: dict[Any, tuple[bool, int, Any, str, int]] = {}
        for index, module in enumerate(netlist.modules):
            for signal, name in module.signal_names.items():
                for bit, net in enumerate(netlist.signals[signal]):
                    if net.is_const or name in ("clk", "rst"):
                        continue
                    at_home = netlist.cells[net.cell].module_idx == index
                    if net not in chosen or (at_home and not chosen[net][0]):
                        chosen[net] = at_home, index, signal, name, bit
        bits: dict[tuple[int, str], list[tuple[int, Any]]] = {}
        for _, index, signal, name, bit in chosen.values():
            bits.setdefault((index, name), []).append((bit, signal))
        for (index, name), which in bits.items():
            module, signal = netlist.modules[index], which[0][1]
            # A member whose shape is a layout says where its component was constructed.
            local = signal.src_loc and module.src_loc and signal.src_loc[0] == module.src_loc[0]
            location = self.locations.number(signal.src_loc if local else module.src_loc)
            labels = _bit_names(name, netlist.signals[signal], netlist.signal_fields[signal])
            self.wires.setdefault(".".join(module.name), {})[name] = [
                self._component(module.name), location, _runs(sorted((bit, labels[bit]) for bit, _ in which))]

    def _component(self, module: tuple[str, ...]) -> str:
        while module and module not in self.components:
            module = module[:-1]
        return self.components.get(module, "")


@contextmanager
def marked(locations: SourceLocations | None) -> Iterator[SourceMarks]:
    """While entered, what Amaranth converts carries marks; without `locations` it is converted as ever."""
    marks = SourceMarks(locations or SourceLocations())
    with ExitStack() as stack:
        for owner, name, replacement in _hooks(marks) if locations is not None else ():
            stack.enter_context(_hooked(owner, name, replacement))
        yield marks


@contextmanager
def _hooked(owner: Any, name: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """While entered, calls of a function go to `replacement`, with the function itself in front of the arguments."""
    original = getattr(owner, name)
    # No functools.partial: only a function becomes a method.
    setattr(owner, name, lambda *arguments, **named: replacement(original, *arguments, **named))
    try:
        yield
    finally:
        setattr(owner, name, original)


def _hooks(marks: SourceMarks) -> list[tuple[Any, str, Callable[..., Any]]]:
    """What of Amaranth's back end is changed: whose function, its name, and what is called instead of it."""
    assigned: deque[_Location] = deque()

    def numbered(switch: Any) -> int:
        marks.switches.append(switch)
        return len(marks.switches) - 1

    def emit_switch(original: Callable[..., None], switch: Any, line: Any) -> None:
        number = numbered(switch)
        for index, case in enumerate(switch.cases):
            case.khhw_mark = f"{number}.{index}"
        line(f'attribute \\khhw "{number}"')
        original(switch, line)

    def emit_case(original: Callable[..., None], case: Any, line: Any) -> None:
        line(f'attribute \\khhw "{case.khhw_mark}"')
        original(case, line)

    def emit_assignment_list(original: Callable[..., None], emitter: Any, index: int, cell: Any) -> None:
        assigned.clear()
        # The default comes first, and a reset says where its signal is made: these are no statements.
        made = {signal.src_loc for signal in emitter.module.signal_names}
        assigned.extend([None, *(None if each.src_loc in made else each.src_loc for each in cell.assignments)])
        original(emitter, index, cell)

    def assignment(original: Callable[..., None], made: Any, lhs: str, rhs: str) -> None:
        original(made, lhs, rhs)
        made.khhw_location = assigned.popleft() if assigned else None

    def emit_operator(original: Callable[..., None], emitter: Any, index: int, cell: Any) -> None:
        before = set(emitter.builder.contents)
        original(emitter, index, cell)
        if cell.operator == "m":
            for name in set(emitter.builder.contents) - before:
                emitter.builder.contents[name].attributes["khhw"] = str(numbered(cell.src_loc))

    def next_state(original: Callable[..., Any], statement: Any) -> Any:
        made = original(statement)
        made.src_loc = statement.src_loc
        return made

    def emit_netlist(original: Callable[..., None], netlist: Any, design: Any, **others: Any) -> None:
        marks.name_components(design)
        original(netlist, design, **others)

    def compute_ports(original: Callable[..., None], netlist: Any) -> None:
        original(netlist)
        marks.name_wires(netlist)

    return [
        (rtlil.Switch, "emit", emit_switch), (rtlil.Case, "emit", emit_case),
        (rtlil.ModuleEmitter, "emit_assignment_list", emit_assignment_list),
        (rtlil.Assignment, "__init__", assignment), (rtlil.ModuleEmitter, "emit_operator", emit_operator),
        (_dsl.FSMNextStatement, "resolve", next_state), (_ir, "_emit_netlist", emit_netlist),
        (_ir, "_compute_ports", compute_ports),
    ]


def _bit_names(name: str, value: Sequence[Any], fields: Mapping[tuple[Any, ...], Any]) -> list[str]:
    """A name for each bit of a signal, by the innermost field it belongs to."""
    names = [f"{name}[{bit}]" if len(value) > 1 else name for bit in range(len(value))]
    # Outer fields first; the inner ones overwrite them.
    for path, field in sorted(fields.items(), key=lambda item: len(item[0])):
        width = len(field.value)
        start = next((at for at in range(len(value) - width + 1) if value[at:at + width] == field.value), None)
        if path and start is not None:
            inner = name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
            for bit in range(width):
                names[start + bit] = f"{inner}[{bit}]" if width > 1 else inner
    return names


def _runs(bits: Sequence[tuple[int, str]]) -> list[list[Any]]:
    """Numbered names as JSON, ``[first bit, bits, name of the first, number of the first or None]``."""
    runs: list[list[Any]] = []
    for bit, label in bits:
        stem, bracket, index = label.rpartition("[")
        base, number = (stem, int(index[:-1])) if bracket and index.endswith("]") else (label, None)
        last = runs[-1] if runs else None
        if last and number is not None and last[2] == base and last[3] is not None \
                and bit == last[0] + last[1] and number == last[3] + last[1]:
            last[1] += 1
        else:
            runs.append([bit, 1, base, number])
    return runs


def _module_name(text: str) -> str:
    return text.removeprefix("module ").partition("(")[0].strip().removeprefix("\\")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


_AMARANTH = Path(amaranth.__file__).resolve().parent
_STANDARD = Path(sysconfig.get_path("stdlib")).resolve()
_INSTALLED = Path(sysconfig.get_path("purelib")).resolve()


def _is_own(file: str) -> bool:
    path = Path(file).resolve()
    standard = path.is_relative_to(_STANDARD) and not path.is_relative_to(_INSTALLED)
    return not standard and not path.is_relative_to(_AMARANTH)


def _short(file: str) -> str:
    """A file below the longest folder it can be imported from, so that no name depends on where a checkout lies."""
    path = Path(file).resolve()
    above = [folder for entry in sys.path if path.is_relative_to(folder := Path(entry).resolve())]
    return path.relative_to(max(above, key=lambda folder: len(folder.parts))).as_posix() if above else str(path)
