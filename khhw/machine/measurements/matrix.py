"""isAllowed as the destinations' memories show it."""

from khhw.kernels.results import ResultError, observed_matrix
from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Measurement, Observer, kernel_names
from khhw.machine.results import Matrix, RunRecord

__all__ = ["MEASUREMENT"]

_SEED = "seed={seed}"


def _check(phase: Phase, machine: MachineFile) -> str | None:
    if kernel_names(phase, machine.nodes).count("probe") != machine.nodes:
        return "the matrix is what probes leave: boot the kernel probe on all nodes"
    for entry in phase.kernels:
        words = entry.arguments.split()
        if [word for word in words if word.startswith("seed=")][-1:] != [_SEED]:
            right = " ".join([_SEED, *(word for word in words if not word.startswith("seed="))])
            return f'tokens of probes hold the seed of the run, which --seed may choose; write arguments = "{right}"'
    return None


async def _measure(observer: Observer) -> Matrix:
    seen = observed_matrix(observer.memories, observer.layout, observer.shape, observer.seed)
    if not seen.consistent:
        raise ResultError(f"phase {observer.phase.name}: puts and messages of the probes tell different matrices, or a "
                          "message came twice")
    return Matrix(configured=observer.allowed.astype(int).tolist(), observed=seen.matrix.astype(int).tolist())


def _keep(record: RunRecord, phase: Phase, found: Matrix) -> None:
    record.matrix[phase.name] = found


MEASUREMENT = Measurement(
    check=_check, measure=_measure, keep=_keep, report="khhw.report.measurements.matrix:MatrixReport")
