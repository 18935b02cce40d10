"""Messages timed from doorbell to interrupt: the samples that the sources kept."""

from khhw.kernels.results import latency_samples
from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Measurement, Observer, kernel_names
from khhw.machine.results import LatencySample, RunRecord

__all__ = ["MEASUREMENT"]


def _check(phase: Phase, machine: MachineFile) -> str | None:
    if "latency" not in kernel_names(phase, machine.nodes):
        return "latency is what the kernel latency leaves: boot it"
    return None


async def _measure(observer: Observer) -> list[LatencySample]:
    return [
        LatencySample(source=rank, destination=sample.destination, hops=sample.hops, size_bytes=sample.length,
                      cycles=sample.cycles)
        for rank, memory in enumerate(observer.memories) for sample in latency_samples(memory, observer.layout)]


def _keep(record: RunRecord, _phase: Phase, found: list[LatencySample]) -> None:
    record.latency += found


MEASUREMENT = Measurement(
    check=_check, measure=_measure, keep=_keep, report="khhw.report.measurements.latency:LatencyReport")
