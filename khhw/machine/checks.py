"""What is wrong with a machine file although every key of it is right."""

import re
from collections.abc import Sequence
from pathlib import Path

from khhw.control.domains import DomainError
from khhw.kernels.image import ImageError, build_image
from khhw.kernels.memcached_load.options import parse_plan
from khhw.machine.file import DomainSection, KernelEntry, MachineFile, MemcachedStudy, Phase, Serve, domain_matrix
from khhw.machine.lookup import find_class, find_kernel, find_measurement
from khhw.machine.measurements import NAMES
from khhw.machine.memcached import LOAD
from khhw.machine.study import study_of
from khhw.net import NetError
from khhw.net.areas import Areas
from khhw.node import ANSWER_RING, Layout, LayoutError
from khhw.node.commands import LineError, boot_command, written
from rtl.fabric import check_shape, check_table
from rtl.node import check_part
from rtl.parameters import ParameterError

__all__ = ["find_inconsistency", "wrong_serve"]

Wrong = tuple[tuple[str | int, ...], str]

_COUNTERS = 4
"""Counters 0 to 2 are used, and a node has a power of two."""
_LAST_PORT = 65535
_LARGEST_VALUE = 1 << 18
_SMALLEST_SCALE = 0.001
_STUDY_MEMORY = 1 << 21
_NUMBERS = ("seed", )
"""What is put into arguments when a kernel boots."""
_SERVER_NUMBERS = ("epoch", "clock_hz", "connections")
"""And into those of a server."""
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_LONGEST_NUMBER = str((1 << 64) - 1)


def find_inconsistency(machine: MachineFile, folder: Path) -> Wrong | None:
    """The first thing wrong that takes more than one key, or another file, to see.

    Parameters
    ----------
    machine : MachineFile
        Every key for itself is right.
    folder : Path
        Of the machine file.

    Returns
    -------
    (path, message) or None
        Where in the file, and what is wrong there.
    """
    try:
        check_shape(machine.torus.shape)
    except ParameterError as error:
        return ("torus", "shape"), str(error)
    try:
        check_table(machine.torus.shape, machine.node)
    except ParameterError as error:
        return ("node", "table_nodes") if "node" in machine.model_fields_set else ("torus", "shape"), str(error)
    if wrong := _wrong_resources(machine):
        return wrong
    for part, path in machine.parts.items():
        try:
            check_part(part, find_class(path, folder), machine.node)
        except (LookupError, TypeError) as error:
            return ("parts", part), str(error)
        except Exception as error:
            # A part is anybody's code; whatever it raises is about this line.
            return ("parts", part), f"{path} cannot be made: {type(error).__name__}: {error}"
    for name, section in machine.domains.items():
        if wrong := _wrong_domains(section, machine.nodes):
            return ("domains", name, *wrong[0]), wrong[1]
    for index, phase in enumerate(machine.phases):
        if wrong := _wrong_phase(phase, machine, folder):
            return ("phases", index, *wrong[0]), wrong[1]
    if machine.memcached is not None and (wrong := _wrong_study(machine.memcached, machine)):
        return ("memcached", *wrong[0]), wrong[1]
    if machine.serve is not None and (wrong := wrong_serve(machine.serve, machine, folder)):
        return ("serve", *wrong[0]), wrong[1]
    return None


def wrong_serve(serve: Serve, machine: MachineFile, folder: Path) -> Wrong | None:
    """The first thing wrong with what is to be served on a machine; see :func:`find_inconsistency`."""
    for key, rank in (("server", serve.server), ("gateway", serve.gateway)):
        if rank >= machine.nodes:
            return (key,), f"no node {rank}; nodes are 0 to {machine.nodes - 1}"
    if serve.server == serve.gateway:
        return ("gateway",), f"node {serve.gateway} is the server; the gateway needs a node of its own"
    if serve.console_port and serve.console_port + machine.nodes > _LAST_PORT:
        return ("console_port",), f"{machine.nodes + 1} ports from {serve.console_port} on end behind {_LAST_PORT}"
    if serve.domains is not None and serve.domains not in machine.domains:
        return ("domains",), _unknown_domains(serve.domains, machine)
    if wrong := _wrong_clients(serve, machine):
        return wrong
    if unusable := _wrong_kernel(serve.kernel, machine, folder):
        return ("kernel",), unusable
    if unsayable := _wrong_arguments(serve.arguments, [serve.server], machine, (*_NUMBERS, *_SERVER_NUMBERS)):
        return ("arguments",), unsayable
    return None


def _wrong_kernel(kernel: str, machine: MachineFile, folder: Path) -> str | None:
    """An image that cannot be made, or that memory has no room for."""
    try:
        image = build_image(find_kernel(kernel, folder))
    except (LookupError, ImageError) as error:
        return str(error)
    room = machine.node.memory_bytes - Layout(machine.node.memory_bytes).image.base
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
    command = boot_command(Layout(machine.node.memory_bytes).image.base, arguments)
    try:
        written(command, None if len(set(ranks)) == machine.nodes else ranks)
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


def _wrong_study(study: MemcachedStudy, machine: MachineFile) -> Wrong | None:
    for key, ranks in (("server", [study.server]), ("clients", study.clients)):
        if wrong := [rank for rank in ranks if not 0 <= rank < machine.nodes]:
            return (key,), f"no node {wrong[0]}; nodes are 0 to {machine.nodes - 1}"
    if study.server in study.clients or len(set(study.clients)) < len(study.clients):
        return ("clients",), f"one kernel a node: {study.clients} repeats one, or names the server, node {study.server}"
    if study.domains is not None and study.domains not in machine.domains:
        return ("domains",), _unknown_domains(study.domains, machine)
    for key, sizes in (("size", [study.size]), ("sizes", study.sizes)):
        if wrong := [size for size in sizes if not 0 < size <= _LARGEST_VALUE]:
            return (key,), f"values have 1 to {_LARGEST_VALUE} bytes, not {wrong[0]}"
    if odd := [scale for scale in study.scales if not _SMALLEST_SCALE <= scale <= 1 / _SMALLEST_SCALE]:
        return ("scales",), f"scales are from {_SMALLEST_SCALE:g} to {1 / _SMALLEST_SCALE:g}, not {odd[0]:g}"
    for key, values in (("sizes", study.sizes), ("scales", [round(scale, 6) for scale in study.scales])):
        if len(set(values)) < len(values):
            return (key,), f"{key} repeat themselves; each is measured once"
    if machine.node.memory_bytes < _STUDY_MEMORY:
        return (), (f"a server with values of this size needs node.memory_bytes = {_STUDY_MEMORY} or more, not "
                    f"{machine.node.memory_bytes}")
    for entry in (entry for phase in study_of(machine).phases for entry in phase.kernels):
        if too_much := _wrong_arguments(entry.arguments, entry.ranks(machine.nodes), machine):
            return ("clients",), too_much
    return _separated(study, machine)


def _separated(study: MemcachedStudy, machine: MachineFile) -> Wrong | None:
    """Server and clients must be allowed to send to each other."""
    name = study.domains or next((phase.domains for phase in machine.phases if phase.domains), None)
    if name is None or name not in machine.domains or _wrong_domains(machine.domains[name], machine.nodes):
        return None
    allowed = machine.matrix(name)
    for client in study.clients:
        for source, destination in ((client, study.server), (study.server, client)):
            if not allowed[source, destination]:
                return ("domains",), f"{name} does not allow node {source} -> node {destination}"
    return None


def _unknown_domains(name: str, machine: MachineFile) -> str:
    known = ", ".join(sorted(machine.domains)) or "none; add a [domains.NAME] table"
    return f"unknown domains {name!r}; known are {known}"


def _wrong_resources(machine: MachineFile) -> Wrong | None:
    """What the loader and the kernels of khhw need of a node."""
    try:
        Layout(machine.node.memory_bytes)
    except LayoutError as error:
        return ("node", "memory_bytes"), str(error)
    if machine.node.injection_rings <= ANSWER_RING:
        return ("node", "injection_rings"), f"the driver needs {ANSWER_RING + 1}, not {machine.node.injection_rings}"
    if machine.node.counters < _COUNTERS:
        return ("node", "counters"), f"the kernels need {_COUNTERS}, not {machine.node.counters}"
    return None


def _wrong_domains(section: DomainSection, nodes: int) -> Wrong | None:
    given = sorted(section.model_fields_set)
    if len(given) != 1:
        return (), f"needs exactly one of matrix, groups and rules, not {' and '.join(given) or 'none'}"
    try:
        domain_matrix(section, nodes)
    except DomainError as error:
        return (given[0], *error.place), error.message
    return None


def _wrong_phase(phase: Phase, machine: MachineFile, folder: Path) -> Wrong | None:
    if any(other.name == phase.name for other in machine.phases if other is not phase):
        return ("name",), f"two phases are named {phase.name!r}; results need a name each"
    if phase.domains is not None and phase.domains not in machine.domains:
        return ("domains",), _unknown_domains(phase.domains, machine)
    booted: dict[int, str] = {}
    for index, entry in enumerate(phase.kernels):
        for rank in entry.ranks(machine.nodes):
            if not 0 <= rank < machine.nodes:
                return ("kernels", index), f"no node {rank}; nodes are 0 to {machine.nodes - 1}"
            if rank in booted:
                return ("kernels", index), f"node {rank} boots {booted[rank]!r} already; one kernel a node"
            booted[rank] = entry.kernel
        if wrong := _wrong_kernel(entry.kernel, machine, folder):
            return ("kernels", index), wrong
        if wrong := _wrong_arguments(entry.arguments, entry.ranks(machine.nodes), machine):
            return ("kernels", index, "arguments"), wrong
        if entry.kernel == LOAD and (wrong := _wrong_load(entry, phase, machine.nodes)):
            return ("kernels", index), wrong
    if phase.measure is not None and (wrong := _wrong_measure(phase.measure, phase, machine, folder)):
        return ("measure",), wrong
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


def _wrong_measure(name: str, phase: Phase, machine: MachineFile, folder: Path) -> str | None:
    """A measurement that there is not, or that finds nothing in this phase."""
    try:
        measurement = find_measurement(name, folder)
        if name not in NAMES:
            # A report that is not there would be noticed only when the run has ended.
            find_class(measurement.report, folder)
        return measurement.check(phase, machine)
    except Exception as error:
        # A measurement is anybody's code; whatever it raises is about this line. A KeyError is a LookupError, too.
        return str(error) if type(error) is LookupError else f"{name} fails: {type(error).__name__}: {error}"
