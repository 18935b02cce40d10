"""What the clients of memcached measured, all that were booted together as one."""

from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Measurement, Observer, kernel_names
from khhw.machine.memcached import LOAD, Circumstances, memcached_points
from khhw.machine.results import MemcachedPoint, RunRecord
from khhw.machine.waits import with_waits

__all__ = ["MEASUREMENT"]


def _check(phase: Phase, machine: MachineFile) -> str | None:
    if LOAD not in kernel_names(phase, machine.nodes):
        return f"memcached is what the kernel {LOAD} leaves: boot it"
    return None


async def _measure(observer: Observer) -> list[MemcachedPoint]:
    host = observer.host
    circumstances = Circumstances(
        observer.phase.name, observer.shape, host.cpu.name, float(host.cpu.scale) or 1.0, host.clock_hz)
    memories = observer.memories
    found: list[MemcachedPoint] = []
    for entry in observer.phase.kernels:
        if entry.kernel == LOAD:
            arguments = entry.arguments.replace("{seed}", str(observer.seed))
            clients = {rank: memories[rank] for rank in entry.ranks(observer.shape.nodes)}
            found += memcached_points(circumstances, clients, observer.layout.heap.base, arguments)
    return found


def _keep(record: RunRecord, _phase: Phase, found: list[MemcachedPoint]) -> None:
    record.memcached = with_waits([*record.memcached, *found])


MEASUREMENT = Measurement(
    check=_check, measure=_measure, keep=_keep, report="khhw.report.measurements.memcached:MemcachedReport")
