"""What is wrong with a phase of a machine file although every key of it is right."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from khhw.kernels.memcached_load.options import parse_plan
from khhw.machine.document import Wrong
from khhw.machine.file import MOST_NODES, KernelEntry, MachineFile, Phase, Torus
from khhw.machine.kernel_checks import known_nodes, unknown_domains, wrong_arguments, wrong_kernel
from khhw.machine.lookup import find_class, find_measurement
from khhw.machine.measurements import NAMES
from khhw.machine.memcached import LOAD
from khhw.machine.repair import Faults
from khhw.tracebacks import with_traceback

__all__ = ["wrong_phase"]


def wrong_phase(index: int, machine: MachineFile, folder: Path, faults: Faults) -> Iterator[Wrong]:
    """All that is wrong with a phase, by its number; see :func:`khhw.machine.checks.find_inconsistencies`."""
    phase, here = machine.phases[index], ("phases", index)
    names = [other.name for number, other in enumerate(machine.phases) if not faults.unknown("phases", number, "name")]
    first = all(other.name != phase.name for other in machine.phases[:index])
    if names.count(phase.name) > 1 and first:
        yield ("name",), f"two phases are named {phase.name!r}; results need a name each"
    if phase.domains is not None and (unknown := unknown_domains(phase.domains, machine, faults)):
        yield ("domains",), unknown
    booted: dict[int, str] = {}
    unusable = False
    for number, entry in enumerate(phase.kernels):
        wrong = list(_wrong_entry(entry, (*here, "kernels", number), booted, machine, folder, faults))
        yield from ((("kernels", number, *path), message) for path, message in wrong)
        unusable |= any(not path for path, _ in wrong)
    kernels = not unusable and not faults.touch(*here, "kernels")
    if kernels:
        yield from _wrong_loads(phase, known_nodes(machine, faults) or MOST_NODES)
    if phase.measure is not None and (
            unmeasured := _wrong_measure(phase.measure, phase, machine, folder, faults, kernels=kernels)):
        yield ("measure",), unmeasured


def _wrong_entry(
    entry: KernelEntry, here: tuple[str | int, ...], booted: dict[int, str], machine: MachineFile, folder: Path,
    faults: Faults,
) -> Iterator[Wrong]:
    """What is wrong with the nodes and the kernel, of which the phase's other checks speak, and the arguments."""
    nodes = known_nodes(machine, faults)
    kernel = "a kernel" if faults.unknown(*here, "kernel") else repr(entry.kernel)
    misplaced = None if faults.unknown(*here, "nodes") else _wrong_ranks(
        entry.ranks(nodes or MOST_NODES), kernel, booted, nodes or MOST_NODES, cut=faults.cut(*here, "nodes"))
    if misplaced:
        yield (), misplaced
    if not faults.unknown(*here, "kernel") and (unusable := wrong_kernel(entry.kernel, machine, folder, faults)):
        yield (), unusable
    if faults.unknown(*here, "arguments"):
        return
    ranks = None if misplaced or nodes is None or faults.touch(*here, "nodes") else entry.ranks(nodes)
    if wrong := wrong_arguments(entry.arguments, ranks, machine, faults):
        yield ("arguments",), wrong
    elif entry.kernel == LOAD and not faults.unknown(*here, "kernel"):
        try:
            parse_plan(entry.arguments.replace("{seed}", "1"), ranks[0] if ranks else 0)
        except ValueError as error:
            yield ("arguments",), str(error)


def _wrong_ranks(ranks: Sequence[int], kernel: str, booted: dict[int, str], nodes: int, *, cut: bool) -> str | None:
    """Ranks that do not exist, or that boot a kernel already; those that are right are added to these."""
    if not ranks and not cut:
        return "nodes names none; leave the kernel out, or name those that boot it"
    for rank in ranks:
        if not 0 <= rank < nodes:
            return f"no node {rank}; nodes are 0 to {nodes - 1}"
        if rank in booted:
            return f"node {rank} boots {booted[rank]} already; one kernel a node"
        booted[rank] = kernel
    return None


def _wrong_loads(phase: Phase, nodes: int) -> Iterator[Wrong]:
    """What would be found out only when loads have begun, or not before their clients have waited for each other."""
    booted = {rank for entry in phase.kernels if entry.kernel == LOAD for rank in entry.ranks(nodes)}
    for number, entry in enumerate(phase.kernels):
        if entry.kernel != LOAD:
            continue
        try:
            plan = parse_plan(entry.arguments.replace("{seed}", "1"), entry.ranks(nodes)[0])
        except ValueError:
            # It is said of the arguments.
            continue
        if missing := sorted(set(plan.clients) - booted):
            yield ("kernels", number), (f"clients= names node {missing[0]}, where {LOAD} does not boot; the others "
                                        "would wait for it")
        if plan.server in booted or plan.server >= nodes:
            yield ("kernels", number), f"server={plan.server} is a client, or no node of 0 to {nodes - 1}"


def _wrong_measure(
    name: str, phase: Phase, machine: MachineFile, folder: Path, faults: Faults, *, kernels: bool,
) -> str | None:
    """A measurement that there is not, or, if the `kernels` of the phase are right, that finds nothing in it."""
    try:
        measurement = find_measurement(name, folder)
        if name not in NAMES:
            # A report that is not there would be noticed only when the run has ended.
            find_class(measurement.report, folder)
        if known_nodes(machine, faults) is None:
            # One of khhw's is about ranks only, and is content with no more than those that boot something.
            kernels &= name in NAMES
            most = max((rank for entry in phase.kernels for rank in entry.ranks(1)), default=0)
            machine = machine.model_copy(update={"torus": Torus(shape=(most + 1, 1, 1))})
        return measurement.check(phase, machine) if kernels else None
    except Exception as error:
        # A measurement is anybody's code; whatever it raises is about this line. A KeyError is a LookupError, too.
        return str(error) if type(error) is LookupError else with_traceback(
            f"{name} fails: {type(error).__name__}: {error}", error)
