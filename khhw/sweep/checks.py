"""What is wrong with a sweep specification although every key of it is right."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from khhw.machine.document import Wrong
from khhw.machine.lookup import wrong_part
from khhw.sweep.grid import node_values, parameters_of
from khhw.sweep.spec import SweepSpec
from khhw.traffic.capacity import packets_a_cycle
from khhw.traffic.patterns import HOT_SPOT, PATTERNS, wrong_pattern
from rtl.fabric import check_shape, check_table
from rtl.parameters import ParameterError, Parameters

__all__ = ["find_inconsistencies"]

_OWN = "traffic"
"""The parameter that every point needs, so none chooses it."""


def find_inconsistencies(spec: SweepSpec, folder: Path) -> Iterator[Wrong]:
    """All that is wrong and takes more than one key, or another file, to see.

    Parameters
    ----------
    spec : SweepSpec
        Every key for itself is right.
    folder : Path
        Of its file.

    Yields
    ------
    (path, message)
        Where in the file, and what is wrong there.
    """
    yield from _repeated(spec)
    yield from _wrong_measure(spec)
    wrong_parameters = list(_wrong_parameters(spec))
    yield from wrong_parameters
    if wrong_parameters:
        # Shapes, loads and parts are checked with nodes of these parameters.
        return
    wrong_shapes = list(_wrong_shapes(spec))
    yield from wrong_shapes
    if not wrong_shapes:
        yield from _wrong_loads(spec)
        yield from _wrong_patterns(spec)
    yield from _wrong_parts(spec, folder)


def _wrong_parameters(spec: SweepSpec) -> Iterator[Wrong]:
    for path, name, value in _parameters(spec):
        if name == _OWN:
            yield path, "every point of a sweep has a traffic generator; leave it out"
        elif name not in Parameters.names():
            known = ", ".join(known for known in Parameters.names() if known != _OWN)
            yield path, f"no such parameter of a node; parameters are {known}"
        else:
            try:
                parameters_of({name: value})
            except ParameterError as error:
                yield path, str(error)
    for twice in sorted(set(spec.node) & set(spec.grid.node)):
        yield ("grid", "node", twice), "is in [node] too; a parameter is either varied or fixed"


def _parameters(spec: SweepSpec) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    """Place, name and value of every parameter that is given."""
    for name, value in spec.node.items():
        yield ("node", name), name, value
    for name, values in spec.grid.node.items():
        for index, value in enumerate(values):
            yield ("grid", "node", name, index), name, value


def _wrong_shapes(spec: SweepSpec) -> Iterator[Wrong]:
    for index, shape in enumerate(spec.grid.shapes):
        try:
            check_shape(shape)
        except ParameterError as error:
            yield ("grid", "shapes", index), str(error)
            continue
        if math.prod(shape) < 2:
            yield ("grid", "shapes", index), "traffic needs two nodes or more"
        for values in node_values(spec):
            try:
                check_table(shape, parameters_of(values))
            except ParameterError as error:
                yield _place_of_table(spec, index), str(error)


def _place_of_table(spec: SweepSpec, shape: int) -> tuple[str | int, ...]:
    """Where the tables are chosen; the shape's place where they are not."""
    if "table_nodes" in spec.node:
        return ("node", "table_nodes")
    return ("grid", "node", "table_nodes") if "table_nodes" in spec.grid.node else ("grid", "shapes", shape)


def _wrong_loads(spec: SweepSpec) -> Iterator[Wrong]:
    """A generator creates one packet a cycle at most."""
    grid = spec.grid
    nodes = [parameters_of(values) for values in node_values(spec)]
    for index, load in enumerate(grid.loads):
        for shape, lengths, node in itertools.product(grid.shapes, grid.lengths, nodes):
            if (packets := packets_a_cycle(load, shape, node.lanes, lengths)) > 1:
                yield ("grid", "loads", index), (
                    f"a node of {list(shape)} would create {packets:.3g} packets a cycle; it can create one: use "
                    f"longer packets, or loads up to {load / packets:.3g}")
                break


def _wrong_patterns(spec: SweepSpec) -> Iterator[Wrong]:
    for index, pattern in enumerate(spec.grid.patterns):
        if pattern not in PATTERNS:
            yield ("grid", "patterns", index), f"unknown pattern {pattern!r}; patterns are {', '.join(PATTERNS)}"
            continue
        for shape in spec.grid.shapes:
            if wrong := wrong_pattern(pattern, shape):
                yield ("grid", "patterns", index), f"{pattern} does not go with {list(shape)}: {wrong}"
    if HOT_SPOT in spec.grid.patterns:
        for shape in spec.grid.shapes:
            if spec.hot_spot.node >= math.prod(shape):
                yield ("hot_spot", "node"), (f"no node {spec.hot_spot.node} in {list(shape)}; nodes are 0 to "
                                            f"{math.prod(shape) - 1}")


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


def _wrong_measure(spec: SweepSpec) -> Iterator[Wrong]:
    measure, saturation = spec.measure, spec.saturation
    if measure.cycles % measure.batches:
        yield ("measure", "batches"), (f"{measure.cycles} cycles are not {measure.batches} equal parts; "
                                       f"make cycles {-(-measure.cycles // measure.batches) * measure.batches}")
    if saturation.search and saturation.zero_load >= saturation.highest:
        yield ("saturation", "zero_load"), f"must be below highest, {saturation.highest:g}"


def _wrong_parts(spec: SweepSpec, folder: Path) -> Iterator[Wrong]:
    nodes = [parameters_of(values) for values in node_values(spec)]
    for part, path in spec.parts.items():
        if wrong := wrong_part(part, path, folder, nodes):
            yield ("parts", part), wrong
