"""What a measurement is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from khhw.control.log import RefusalLog
from khhw.host.ports import Host
from khhw.kernels.results import Peek
from khhw.machine.file import MachineFile, Phase
from khhw.machine.results import OwnRecord, RunRecord
from khhw.node import Layout, Shape

__all__ = ["Load", "Measurement", "Observer", "kernel_names", "own"]

Found = TypeVar("Found")
Model = TypeVar("Model", bound=BaseModel)

Load = Callable[[str, Sequence[int]], Awaitable[None]]
"""Loads a kernel of the phase, by its name in the machine file, into nodes, by rank."""


@dataclass(frozen=True)
class Observer:
    """What a measurement may look at.

    Parameters
    ----------
    host : Host
        Its back door reaches all memories; kernels have no such thing.
    shape : Shape
    layout : Layout
        Of a node's memory.
    phase : Phase
        What ran.
    seed : int
        Of the run.
    allowed : numpy array of bool, shape (nodes, nodes)
        isAllowed as it was in force, source first.
    logs : sequence of RefusalLog
        Of all guards, cleared before the phase and read after it.
    """

    host: Host
    shape: Shape
    layout: Layout
    phase: Phase
    seed: int
    allowed: npt.NDArray[np.bool_]
    logs: Sequence[RefusalLog]

    @property
    def memories(self) -> list[Peek]:
        """Of every node, by rank."""
        return [partial(self.host.memory.peek, rank) for rank in range(self.shape.nodes)]


@dataclass(frozen=True, kw_only=True)
class Measurement(Generic[Found]):
    """One thing that a phase can measure.

    Parameters
    ----------
    check : callable
        (phase, machine) to what is wrong with a phase that asks for it, before anything is built; None if nothing is.
    measure : callable
        Reads it when all kernels of the phase have ended.
    keep : callable
        Puts what was read into the record of the run; see :func:`own` for a measurement that is not khhw's.
    report : str
        ``"module:Class"``, a :class:`khhw.report.measurement.MeasurementReport`: what reports say of it. It is imported
        where reports are written, not where the machine runs.
    prepare : callable, optional
        (phase, number of nodes, load): what is done before the kernels of the phase are loaded.
    """

    check: Callable[[Phase, MachineFile], str | None]
    measure: Callable[[Observer], Awaitable[Found]]
    keep: Callable[[RunRecord, Phase, Found], None]
    report: str
    prepare: Callable[[Phase, int, Load], Awaitable[None]] | None = None

    async def take(self, observer: Observer, record: RunRecord) -> None:
        """Measure, and keep what was found."""
        self.keep(record, observer.phase, await self.measure(observer))


def own(shortcomings: Callable[[Model], Sequence[str]] = lambda _: ()) -> Callable[[RunRecord, Phase, Model], None]:
    """A `keep` for measurements of one's own: a pydantic model a phase, among ``own`` in ``results.json``.

    Parameters
    ----------
    shortcomings : callable, optional
        What is not as it must be, a sentence each; a run with any has failed.
    """
    def keep(record: RunRecord, phase: Phase, found: Model) -> None:
        values: dict[str, Any] = found.model_dump(mode="json")
        record.own.append(OwnRecord(measurement=phase.measure or "", phase=phase.name, found=values,
                                    shortcomings=list(shortcomings(found))))

    return keep


def kernel_names(phase: Phase, nodes: int) -> list[str | None]:
    """What each node boots in a phase, by rank: a kernel of khhw or a file, without its folder and ending."""
    names: list[str | None] = [None] * nodes
    for entry in phase.kernels:
        for rank in entry.ranks(nodes):
            names[rank] = Path(entry.kernel).stem
    return names
