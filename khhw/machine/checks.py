"""What is wrong with a machine file although every key of it is right."""

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path

from khhw.control.domains import DomainError
from khhw.kernels.image import ImageError, build_image
from khhw.kernels.memcached_load.options import parse_plan
from khhw.machine.document import Place, Wrong
from khhw.machine.file import DomainSection, KernelEntry, MachineFile, MemcachedStudy, Phase, Serve, domain_matrix
from khhw.machine.lookup import find_class, find_kernel, find_measurement, wrong_part
from khhw.machine.measurements import NAMES
from khhw.machine.memcached import LOAD
from khhw.machine.study import study_of
from khhw.net import NetError
from khhw.net.areas import Areas
from khhw.node import ANSWER_RING, Layout, LayoutError
from khhw.node.commands import LineError, boot_command, written
from khhw.tracebacks import with_traceback
from rtl.fabric import check_shape, check_table
from rtl.parameters import ParameterError

__all__ = ["find_inconsistencies", "wrong_serve"]

_COUNTERS = 4
"""Counters 0 to 2 are used, and a node has a power of two."""
_LAST_PORT = 65535
_LARGEST_VALUE = 1 << 18
_SMALLEST_SCALE = 0.001
_STUDY_MEMORY = 1 << 21
_MOST_OF_DOMAINS = 20
"""Errors that are looked for in a table of domains; a large matrix can be wrong everywhere."""
_NUMBERS = ("seed", )
"""What is put into arguments when a kernel boots."""
_SERVER_NUMBERS = ("epoch", "clock_hz", "connections")
"""And into those of a server."""
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_LONGEST_NUMBER = str((1 << 64) - 1)


def find_inconsistencies(machine: MachineFile, folder: Path) -> Iterator[Wrong]:
    """All that is wrong and takes more than one key, or another file, to see.

    Parameters
    ----------
    machine : MachineFile
        Every key for itself is right.
    folder : Path
        Of the machine file.

    Yields
    ------
    (path, message)
        Where in the file, and what is wrong there.
    """
    yield from _wrong_resources(machine)
    for part, path in machine.parts.items():
        if wrong := wrong_part(part, path, folder, [machine.node]):
            yield ("parts", part), wrong
    try:
        check_shape(machine.torus.shape)
    except ParameterError as error:
        # Without a shape there are no ranks, of which all that follows speaks.
        yield ("torus", "shape"), str(error)
        return
    try:
        check_table(machine.torus.shape, machine.node)
    except ParameterError as error:
        yield ("node", "table_nodes") if "node" in machine.model_fields_set else ("torus", "shape"), str(error)
    for name, section in machine.domains.items():
        yield from _below(("domains", name), _wrong_domains(section, machine.nodes))
    for index, phase in enumerate(machine.phases):
        yield from _below(("phases", index), _wrong_phase(phase, machine, folder))
    if machine.memcached is not None:
        yield from _below(("memcached",), _wrong_study(machine.memcached, machine))
    if machine.serve is not None:
        yield from _below(("serve",), wrong_serve(machine.serve, machine, folder))


def _below(place: Place, found: Iterable[Wrong]) -> Iterator[Wrong]:
    """What was found in a table, with the place of the table in front."""
    return (((*place, *inner), message) for inner, message in found)


def wrong_serve(serve: Serve, machine: MachineFile, folder: Path) -> Iterator[Wrong]:
    """All that is wrong with what is to be served on a machine; see :func:`find_inconsistencies`."""
    for key, rank in (("server", serve.server), ("gateway", serve.gateway)):
        if rank >= machine.nodes:
            yield (key,), f"no node {rank}; nodes are 0 to {machine.nodes - 1}"
    if serve.server == serve.gateway:
        yield ("gateway",), f"node {serve.gateway} is the server; the gateway needs a node of its own"
    if serve.console_port and serve.console_port + machine.nodes > _LAST_PORT:
        yield ("console_port",), f"{machine.nodes + 1} ports from {serve.console_port} on end behind {_LAST_PORT}"
    if serve.domains is not None and serve.domains not in machine.domains:
        yield ("domains",), _unknown_domains(serve.domains, machine)
    if wrong := _wrong_clients(serve, machine):
        yield wrong
    if unusable := _wrong_kernel(serve.kernel, machine, folder):
        yield ("kernel",), unusable
    if unsayable := _wrong_arguments(serve.arguments, [serve.server], machine, (*_NUMBERS, *_SERVER_NUMBERS)):
        yield ("arguments",), unsayable


def _wrong_kernel(kernel: str, machine: MachineFile, folder: Path) -> str | None:
    """An image that cannot be made, or that memory has no room for."""
    try:
        image = build_image(find_kernel(kernel, folder))
        room = machine.node.memory_bytes - Layout(machine.node.memory_bytes).image.base
    except (LookupError, ImageError) as error:
        return with_traceback(str(error), error)
    except LayoutError:
        # It is said of node.memory_bytes.
        return None
    if len(image) > room:
        return f"the image of {kernel!r} has {len(image):,} bytes; node.memory_bytes leaves {room:,} for it"
    return None


def _wrong_arguments(
    arguments: str, ranks: Sequence[int], machine: MachineFile, numbers: Sequence[str] = _NUMBERS,
) -> str | None:
    """Arguments that the line which boots a kernel cannot carry, whatever is put in for ``{seed}`` and the like."""
    for name in numbers:
        arguments = arguments.replace(f"{{{name}}}", _LONGEST_NUMBER)
    if unknown := _PLACEHOLDER.search(arguments):
        known = ", ".join(f"{{{name}}}" for name in numbers)
        return f"{unknown[0]} stands for nothing; what is put into arguments here: {known}"
    try:
        command = boot_command(Layout(machine.node.memory_bytes).image.base, arguments)
        written(command, None if len(set(ranks)) == machine.nodes else ranks)
    except LayoutError:
        return None
    except LineError as error:
        return f"arguments are a part of the line that boots a kernel: {error}"
    return None


def _wrong_clients(serve: Serve, machine: MachineFile) -> Wrong | None:
    memory_bytes = machine.node.memory_bytes
    try:
        layout = Layout(memory_bytes)
        Areas.plan(layout, machine.node.counters, 1)
    except (LayoutError, NetError) as error:
        return ("server",), f"node.memory_bytes = {memory_bytes}: {error}"
    if serve.clients is not None and serve.clients > (room := Areas.most_connections(layout)):
        return ("clients",), (f"nodes of {memory_bytes} bytes have room for the streams of {room} clients at a time; "
                              "raise node.memory_bytes, or let in fewer")
    return None


def _wrong_study(study: MemcachedStudy, machine: MachineFile) -> Iterator[Wrong]:
    found = list(_wrong_study_keys(study, machine))
    yield from found
    if found:
        # What follows is of a study that can be made.
        return
    for entry in (entry for phase in study_of(machine).phases for entry in phase.kernels):
        if too_much := _wrong_arguments(entry.arguments, entry.ranks(machine.nodes), machine):
            yield ("clients",), too_much
            break
    yield from _separated(study, machine)


def _wrong_study_keys(study: MemcachedStudy, machine: MachineFile) -> Iterator[Wrong]:
    for key, ranks in (("server", [study.server]), ("clients", study.clients)):
        if wrong := [rank for rank in ranks if not 0 <= rank < machine.nodes]:
            yield (key,), f"no node {wrong[0]}; nodes are 0 to {machine.nodes - 1}"
    if study.server in study.clients or len(set(study.clients)) < len(study.clients):
        yield ("clients",), f"one kernel a node: {study.clients} repeats one, or names the server, node {study.server}"
    if study.domains is not None and study.domains not in machine.domains:
        yield ("domains",), _unknown_domains(study.domains, machine)
    for key, sizes in (("size", [study.size]), ("sizes", study.sizes)):
        if wrong := [size for size in sizes if not 0 < size <= _LARGEST_VALUE]:
            yield (key,), f"values have 1 to {_LARGEST_VALUE} bytes, not {wrong[0]}"
    if odd := [scale for scale in study.scales if not _SMALLEST_SCALE <= scale <= 1 / _SMALLEST_SCALE]:
        yield ("scales",), f"scales are from {_SMALLEST_SCALE:g} to {1 / _SMALLEST_SCALE:g}, not {odd[0]:g}"
    for key, values in (("sizes", study.sizes), ("scales", [round(scale, 6) for scale in study.scales])):
        if len(set(values)) < len(values):
            yield (key,), f"{key} repeat themselves; each is measured once"
    if machine.node.memory_bytes < _STUDY_MEMORY:
        yield (), (f"a server with values of this size needs node.memory_bytes = {_STUDY_MEMORY} or more, not "
                   f"{machine.node.memory_bytes}")


def _separated(study: MemcachedStudy, machine: MachineFile) -> Iterator[Wrong]:
    """Server and clients must be allowed to send to each other."""
    name = study.domains or next((phase.domains for phase in machine.phases if phase.domains), None)
    if name is None or name not in machine.domains or list(_wrong_domains(machine.domains[name], machine.nodes)):
        return
    allowed = machine.matrix(name)
    for client in study.clients:
        for source, destination in ((client, study.server), (study.server, client)):
            if not allowed[source, destination]:
                yield ("domains",), f"{name} does not allow node {source} -> node {destination}"


def _unknown_domains(name: str, machine: MachineFile) -> str:
    known = ", ".join(sorted(machine.domains)) or "none; add a [domains.NAME] table"
    return f"unknown domains {name!r}; known are {known}"


def _wrong_resources(machine: MachineFile) -> Iterator[Wrong]:
    """What the loader and the kernels of khhw need of a node."""
    try:
        Layout(machine.node.memory_bytes)
    except LayoutError as error:
        yield ("node", "memory_bytes"), str(error)
    if machine.node.injection_rings <= ANSWER_RING:
        yield ("node", "injection_rings"), f"the driver needs {ANSWER_RING + 1}, not {machine.node.injection_rings}"
    if machine.node.counters < _COUNTERS:
        yield ("node", "counters"), f"the kernels need {_COUNTERS}, not {machine.node.counters}"


def _wrong_domains(section: DomainSection, nodes: int) -> Iterator[Wrong]:
    given = sorted(section.model_fields_set)
    if len(given) != 1:
        yield (), f"needs exactly one of matrix, groups and rules, not {' and '.join(given) or 'none'}"
        return
    form, harmless = given[0], {"matrix": [0] * nodes, "groups": [0], "rules": "0 -> 0"}[given[0]]
    value = copy(getattr(section, form))
    for _ in range(_MOST_OF_DOMAINS):
        try:
            domain_matrix(section.model_copy(update={form: value}), nodes)
            return
        except DomainError as error:
            yield (form, *error.place), error.message
            if not error.place:
                return
            value[error.place[0]] = harmless


def _wrong_phase(phase: Phase, machine: MachineFile, folder: Path) -> Iterator[Wrong]:
    same = [other for other in machine.phases if other.name == phase.name]
    if len(same) > 1 and phase is same[0]:
        yield ("name",), f"two phases are named {phase.name!r}; results need a name each"
    if phase.domains is not None and phase.domains not in machine.domains:
        yield ("domains",), _unknown_domains(phase.domains, machine)
    wrong = list(_wrong_entries(phase, machine, folder))
    yield from wrong
    if phase.measure is not None and (
            unmeasured := _wrong_measure(phase.measure, phase, machine, folder, kernels=not wrong)):
        yield ("measure",), unmeasured


def _wrong_entries(phase: Phase, machine: MachineFile, folder: Path) -> Iterator[Wrong]:
    booted: dict[int, str] = {}
    for index, entry in enumerate(phase.kernels):
        if misplaced := _wrong_ranks(entry, booted, machine.nodes):
            yield ("kernels", index), misplaced
        if unusable := _wrong_kernel(entry.kernel, machine, folder):
            yield ("kernels", index), unusable
        if misplaced:
            # Arguments are for the nodes that boot it.
            continue
        if wrong := _wrong_arguments(entry.arguments, entry.ranks(machine.nodes), machine):
            yield ("kernels", index, "arguments"), wrong
        elif entry.kernel == LOAD and (wrong := _wrong_load(entry, phase, machine.nodes)):
            yield ("kernels", index), wrong


def _wrong_ranks(entry: KernelEntry, booted: dict[int, str], nodes: int) -> str | None:
    """Ranks that do not exist, or that boot a kernel already; those that are right are added to these."""
    for rank in entry.ranks(nodes):
        if not 0 <= rank < nodes:
            return f"no node {rank}; nodes are 0 to {nodes - 1}"
        if rank in booted:
            return f"node {rank} boots {booted[rank]!r} already; one kernel a node"
        booted[rank] = entry.kernel
    return None


def _wrong_load(entry: KernelEntry, phase: Phase, nodes: int) -> str | None:
    """What would be found out only when the load has begun, or not before its clients have waited for each other."""
    ranks = entry.ranks(nodes)
    try:
        plan = parse_plan(entry.arguments.replace("{seed}", "1"), ranks[0])
    except ValueError as error:
        return str(error)
    booted = {rank for other in phase.kernels if other.kernel == LOAD for rank in other.ranks(nodes)}
    if missing := sorted(set(plan.clients) - booted):
        return f"clients= names node {missing[0]}, where {LOAD} does not boot; the others would wait for it"
    if plan.server in booted or plan.server >= nodes:
        return f"server={plan.server} is a client, or no node of 0 to {nodes - 1}"
    return None


def _wrong_measure(name: str, phase: Phase, machine: MachineFile, folder: Path, *, kernels: bool) -> str | None:
    """A measurement that there is not, or, if the `kernels` of the phase are right, that finds nothing in it."""
    try:
        measurement = find_measurement(name, folder)
        if name not in NAMES:
            # A report that is not there would be noticed only when the run has ended.
            find_class(measurement.report, folder)
        return measurement.check(phase, machine) if kernels else None
    except Exception as error:
        # A measurement is anybody's code; whatever it raises is about this line. A KeyError is a LookupError, too.
        return str(error) if type(error) is LookupError else with_traceback(
            f"{name} fails: {type(error).__name__}: {error}", error)
