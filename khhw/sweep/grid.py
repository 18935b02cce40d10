"""The points of a sweep, and the curves they lie on."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from khhw.sweep.spec import SweepSpec
from khhw.traffic.patterns import HOT_SPOT
from khhw.traffic.point import Build, Point
from rtl.parameters import Parameters

__all__ = ["builds", "curves", "node_values", "parameters_of"]


def parameters_of(values: Mapping[str, Any]) -> Parameters:
    """Parameters of a node with a traffic generator.

    Raises
    ------
    ParameterError
        If a value is out of range.
    """
    return Parameters(**{**values, "traffic": True})


def node_values(spec: SweepSpec) -> Iterator[dict[str, Any]]:
    """Every combination of the nodes' parameters."""
    for values in itertools.product(*spec.grid.node.values()):
        yield {**spec.node, **dict(zip(spec.grid.node, values, strict=True))}


def builds(spec: SweepSpec, folder: Path) -> list[Build]:
    """What the engine has to be built for, each once.

    Parameters
    ----------
    spec : SweepSpec
        Checked.
    folder : Path
        Of its file, where modules of parts are looked for; its parent counts too.
    """
    here = folder.resolve()
    path = (str(here), str(here.parent)) if spec.parts else ()
    parts = tuple(sorted(spec.parts.items()))
    # Two ways of writing the same parameters are one build.
    return list(dict.fromkeys(Build(node=parameters_of(values), parts=parts, path=path)
                              for values in node_values(spec)))


def curves(spec: SweepSpec, folder: Path) -> list[Point]:
    """One point a curve, at load 0: everything but the load, seeds last.

    Parameters
    ----------
    spec : SweepSpec
        Checked.
    folder : Path
        Of its file.
    """
    grid, measure = spec.grid, spec.measure
    found = []
    for shape, build, lengths, pattern, seed in itertools.product(
            grid.shapes, builds(spec, folder), grid.lengths, grid.patterns, grid.seeds):
        curve = Point(shape=shape, build=build, pattern=pattern, lengths=tuple(lengths), load=0.0, seed=seed,
                      warmup=measure.warmup, cycles=measure.cycles, drain=measure.drain, batches=measure.batches)
        if pattern == HOT_SPOT:
            curve = replace(curve, hot_node=spec.hot_spot.node, hot_share=spec.hot_spot.share)
        found.append(curve)
    return found
