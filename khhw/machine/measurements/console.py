"""How long an image takes over the multicast console, by the number of nodes that listen.

Every load of a run is kept; this measurement makes more of them.
"""

from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Load, Measurement, Observer
from khhw.machine.results import RunRecord

__all__ = ["MEASUREMENT"]


def _check(phase: Phase, _machine: MachineFile) -> str | None:
    return None if phase.kernels else "console loads the first kernel of the phase; there is none"


async def _prepare(phase: Phase, nodes: int, load: Load) -> None:
    """The first kernel's image for 1, 2, 4, ... listeners."""
    listeners = 1
    while listeners < nodes:
        await load(phase.kernels[0].kernel, list(range(listeners)))
        listeners *= 2


async def _measure(_observer: Observer) -> None:
    """All was measured when it was loaded."""


def _keep(_record: RunRecord, _phase: Phase, _found: None) -> None:
    """All was kept when it was loaded."""


MEASUREMENT = Measurement(
    check=_check, prepare=_prepare, measure=_measure, keep=_keep,
    report="khhw.report.measurements.console:ConsoleReport")
