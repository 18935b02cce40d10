"""What is wrong with a sweep specification although every key of it is right."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from khhw.machine.document import Wrong
from khhw.machine.lookup import wrong_part
from khhw.machine.repair import Faults, KeyPath
from khhw.sweep.grid import node_values, parameters_of
from khhw.sweep.spec import SweepSpec
from khhw.traffic.capacity import packets_a_cycle
from khhw.traffic.patterns import HOT_SPOT, PATTERNS, wrong_pattern
from rtl.fabric import Shape, check_shape, check_table
from rtl.parameters import ParameterError, Parameters

__all__ = ["find_inconsistencies"]

_OWN = "traffic"
"""The parameter that every point needs, so none chooses it."""


def find_inconsistencies(spec: SweepSpec, folder: Path, faults: Faults) -> Iterator[Wrong]:
    """All that is wrong and takes more than one key, or another file, to see.

    Parameters
    ----------
    spec : SweepSpec
        Every key for itself is right.
    folder : Path
        Of its file.
    faults : Faults
        What of it is not what the file says: nothing is concluded from that.

    Yields
    ------
    (path, message)
        Where in the file, and what is wrong there.
    """
    yield from _repeated(spec)
    yield from _wrong_measure(spec, faults)
    yield from _wrong_parameters(spec, faults)
    spec = _with_right_parameters(spec, faults)
    yield from _wrong_shapes(spec, faults)
    shapes = [shape for index, shape in enumerate(spec.grid.shapes) if not faults.touch("grid", "shapes", index)]
    yield from _wrong_loads(spec, shapes, faults)
    yield from _wrong_patterns(spec, shapes, faults)
    yield from _wrong_parts(spec, folder, faults)


def _wrong_parameters(spec: SweepSpec, faults: Faults) -> Iterator[Wrong]:
    given: dict[tuple[str, ...], list[tuple[KeyPath, Any]]] = {
        **{("node", name): [(("node", name), value)] for name, value in spec.node.items()},
        **{("grid", "node", name): [(("grid", "node", name, index), value) for index, value in enumerate(values)]
           for name, values in spec.grid.node.items()}}
    for path, values in given.items():
        if unknown := _wrong_name(path[-1]):
            yield path, unknown
            faults.add(*path)
            # Which of them a misspelt one was meant to be is not known.
            for absent in () if path[-1] == _OWN else set(Parameters.names()) - {*spec.node, *spec.grid.node}:
                faults.add("node", absent)
            continue
        for here, value in values:
            try:
                parameters_of({path[-1]: value})
            except ParameterError as error:
                yield here, str(error)
                faults.add(*here)
    for twice in sorted(set(spec.node) & set(spec.grid.node)):
        yield ("grid", "node", twice), "is in [node] too; a parameter is either varied or fixed"


def _wrong_name(name: str) -> str | None:
    if name == _OWN:
        return "every point of a sweep has a traffic generator; leave it out"
    if name not in Parameters.names():
        known = ", ".join(known for known in Parameters.names() if known != _OWN)
        return f"no such parameter of a node; parameters are {known}"
    return None


def _with_right_parameters(spec: SweepSpec, faults: Faults) -> SweepSpec:
    """The same without values that are wrong; what follows is checked with nodes of those that are right."""
    fixed = {name: value for name, value in spec.node.items() if not faults.unknown("node", name)}
    varied = {name: right for name, values in spec.grid.node.items() if (
        right := [value for index, value in enumerate(values) if not faults.unknown("grid", "node", name, index)])}
    return spec.model_copy(update={"node": fixed, "grid": spec.grid.model_copy(update={"node": varied})})


def _is_known(name: str, spec: SweepSpec, faults: Faults) -> bool:
    """Whether the file says what a parameter of the nodes is; `spec` has no wrong ones."""
    if name in spec.node or name in spec.grid.node:
        return True
    return not faults.touch("node", name) and not faults.touch("grid", "node", name)


def _wrong_shapes(spec: SweepSpec, faults: Faults) -> Iterator[Wrong]:
    for index, shape in enumerate(spec.grid.shapes):
        here = ("grid", "shapes", index)
        if faults.touch(*here):
            continue
        try:
            check_shape(shape)
        except ParameterError as error:
            yield here, str(error)
            faults.add(*here)
            continue
        if math.prod(shape) < 2:
            yield here, "traffic needs two nodes or more"
            faults.add(*here)
        for values in node_values(spec) if _is_known("table_nodes", spec, faults) else ():
            try:
                check_table(shape, parameters_of(values))
            except ParameterError as error:
                yield _path_of_table(spec, index), str(error)


def _path_of_table(spec: SweepSpec, shape: int) -> tuple[str | int, ...]:
    """Where the tables are chosen; the shape's path where they are not."""
    if "table_nodes" in spec.node:
        return ("node", "table_nodes")
    return ("grid", "node", "table_nodes") if "table_nodes" in spec.grid.node else ("grid", "shapes", shape)


def _wrong_loads(spec: SweepSpec, shapes: Sequence[Shape], faults: Faults) -> Iterator[Wrong]:
    """A generator creates one packet a cycle at most."""
    grid = spec.grid
    if faults.unknown("grid", "loads") or not _is_known("lanes", spec, faults):
        return
    lengths = [each for index, each in enumerate(grid.lengths) if not faults.touch("grid", "lengths", index)]
    lanes = grid.node.get("lanes") or [parameters_of(spec.node).lanes]
    for index, load in enumerate(grid.loads):
        for shape, length, lane_count in itertools.product(shapes, lengths, lanes):
            if (packets := packets_a_cycle(load, shape, lane_count, length)) > 1:
                yield ("grid", "loads", index), (
                    f"a node of {list(shape)} would create {packets:.3g} packets a cycle; it can create one: use "
                    f"longer packets, or loads up to {load / packets:.3g}")
                break


def _wrong_patterns(spec: SweepSpec, shapes: Sequence[Shape], faults: Faults) -> Iterator[Wrong]:
    if faults.unknown("grid", "patterns"):
        return
    for index, pattern in enumerate(spec.grid.patterns):
        if pattern not in PATTERNS:
            yield ("grid", "patterns", index), f"unknown pattern {pattern!r}; patterns are {', '.join(PATTERNS)}"
            continue
        for shape in shapes:
            if wrong := wrong_pattern(pattern, shape):
                yield ("grid", "patterns", index), f"{pattern} does not go with {list(shape)}: {wrong}"
    if HOT_SPOT in spec.grid.patterns and shapes and not faults.unknown("hot_spot", "node"):
        smallest = min(shapes, key=math.prod)
        if spec.hot_spot.node >= math.prod(smallest):
            yield ("hot_spot", "node"), (f"no node {spec.hot_spot.node} in {list(smallest)}; nodes are 0 to "
                                        f"{math.prod(smallest) - 1}")


def _repeated(spec: SweepSpec) -> Iterator[Wrong]:
    """Points are measured once."""
    grid = spec.grid
    lists: dict[tuple[str, ...], Sequence[Any]] = {
        ("loads",): grid.loads, ("shapes",): grid.shapes, ("patterns",): grid.patterns,
        ("lengths",): [tuple(sorted(each)) for each in grid.lengths], ("seeds",): grid.seeds,
        **{("node", name): values for name, values in grid.node.items()}}
    for path, values in lists.items():
        for index, value in enumerate(values):
            if value in values[:index]:
                given = list(value) if isinstance(value, tuple) else value
                yield ("grid", *path, index), f"{given!r} is in the list twice; each is measured once"


def _wrong_measure(spec: SweepSpec, faults: Faults) -> Iterator[Wrong]:
    measure, saturation = spec.measure, spec.saturation
    if measure.cycles % measure.batches and not _any_unknown(faults, "measure", "cycles", "batches"):
        yield ("measure", "batches"), (f"{measure.cycles} cycles are not {measure.batches} equal parts; "
                                       f"make cycles {-(-measure.cycles // measure.batches) * measure.batches}")
    if saturation.search and saturation.zero_load >= saturation.highest and not _any_unknown(
            faults, "saturation", "search", "zero_load", "highest"):
        yield ("saturation", "zero_load"), f"must be below highest, {saturation.highest:g}"


def _any_unknown(faults: Faults, table: str, *keys: str) -> bool:
    return any(faults.unknown(table, key) for key in keys)


def _wrong_parts(spec: SweepSpec, folder: Path, faults: Faults) -> Iterator[Wrong]:
    known = all(_is_known(name, spec, faults) for name in Parameters.names() if name != _OWN)
    nodes = [parameters_of(values) for values in node_values(spec)] if known else []
    for part, path in spec.parts.items():
        if not faults.unknown("parts", part) and (wrong := wrong_part(part, path, folder, nodes)):
            yield ("parts", part), wrong
