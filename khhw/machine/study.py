"""The full study of memcached: the phases that ``khhw memcached`` runs on a machine.

Each phase varies one thing: the size of a value, the clients, what software costs, the load.
"""

from collections.abc import Iterator

from khhw.machine.file import DomainSection, KernelEntry, MachineFile, MemcachedStudy, Phase

__all__ = ["study_of"]

_ALL = "everybody"
_SOFTWARE_CYCLES = 1_500
"""About what the software of an operation takes with ``ppc450``, to know how long to measure."""
_CYCLES_A_BYTE = 0.35
_FEWEST = 10
_KEYS = 16
_STORE = 2 << 20
"""Bytes of items the keys of a point may take together."""


def study_of(machine: MachineFile) -> MachineFile:
    """The same machine, with the phases of the study instead of its own.

    Parameters
    ----------
    machine : MachineFile
        Its ``memcached`` says what to vary; without it nodes 0 and 1 take part.
    """
    study = machine.memcached or MemcachedStudy()
    domains = dict(machine.domains)
    name = study.domains or next((phase.domains for phase in machine.phases if phase.domains), None)
    if name is None:
        name = _ALL
        domains[name] = DomainSection(groups={"all": list(range(machine.nodes))})
    first, *others = _phases(study)
    phases = [first.model_copy(update={"domains": name}), *others]
    return machine.model_copy(update={"phases": phases, "domains": domains})


def _phases(study: MemcachedStudy) -> Iterator[Phase]:
    one, everybody = study.clients[:1], study.clients
    for size in study.sizes:
        yield _phase(study, f"size_{size}", one, f"sizes={size}", cycles=_cycles(study.operations, size))
    for size in study.sizes:
        yield _phase(study, f"ideal_{size}", one, f"sizes={size} gets=100", cpu="ideal",
                     cycles=_cycles(study.operations, size) // 2)
    for scale in study.scales:
        name = f"scale_{scale:f}".rstrip("0").rstrip(".").replace(".", "_")
        yield _phase(study, name, one, f"sizes={study.size}", scale=scale,
                     cycles=int(_cycles(study.operations, study.size) * max(1.0, scale)))
    counts = ",".join(str(count + 1) for count in range(len(everybody)))
    yield _phase(study, "clients", everybody, f"sizes={study.size} gets=100 active={counts}",
                 cycles=_cycles(study.operations, study.size))
    yield _phase(study, "tail", everybody, "sizes=256 distribution=zipf gets=100",
                 cycles=_cycles(study.tail_operations, 256) // len(everybody))
    yield _phase(study, "etc", everybody, "values=etc distribution=zipf gets=97 loop=open rate=20000 connections=2",
                 cycles=_cycles(8 * study.operations, 1024))


def _cycles(operations: int, size: int) -> int:
    """Length of a measurement: so many small operations, or a few of those that take longer."""
    return int(max(operations * _SOFTWARE_CYCLES, _FEWEST * (_SOFTWARE_CYCLES + _CYCLES_A_BYTE * size)))


def _phase(study: MemcachedStudy, name: str, clients: list[int], words: str, *, cycles: int, cpu: str = "ppc450",
           scale: float = 1.0) -> Phase:
    """One boot of server and clients."""
    ranks = ",".join(map(str, clients))
    load = (f"server={study.server} clients={ranks} keys={_KEYS} memory={_STORE} path=tcp,rdma {words} "
            f"samples=4000 warmup={cycles // 10} measure={cycles} drain={10 * cycles} seed={{seed}}")
    return Phase.model_validate({
        "name": name, "measure": "memcached", "cpu": cpu, "cpu_scale": scale, "kernels": [
            KernelEntry(nodes=[study.server], kernel="memcached", service=True),
            KernelEntry(nodes=clients, kernel="memcached_load", arguments=load)]})
