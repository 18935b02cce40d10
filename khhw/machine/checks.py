"""What is wrong with a machine file although every key of it is right."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from khhw.machine.document import Wrong
from khhw.machine.file import MOST_NODES, MachineFile, MemcachedStudy, Serve, wrong_domains
from khhw.machine.kernel_checks import SEED, known_nodes, unknown_domains, wrong_arguments, wrong_kernel
from khhw.machine.lookup import wrong_part
from khhw.machine.network_checks import wrong_networks
from khhw.machine.phase_checks import wrong_phase
from khhw.machine.repair import Faults, KeyPath
from khhw.machine.study import study_of
from khhw.net import NetError
from khhw.net.areas import Areas
from khhw.node import ANSWER_RING, Layout, LayoutError
from rtl.fabric import check_shape, check_table
from rtl.parameters import ParameterError

__all__ = ["find_inconsistencies", "wrong_serve"]

_COUNTERS = 4
"""Counters 0 to 2 are used, and a node has a power of two."""
_LAST_PORT = 65535
_LARGEST_VALUE = 1 << 18
_SMALLEST_SCALE = 0.001
_STUDY_MEMORY = 1 << 21
_SERVER_NUMBERS = (*SEED, "epoch", "clock_hz", "connections")
"""What is put into arguments of a server when it boots."""


def find_inconsistencies(machine: MachineFile, folder: Path, faults: Faults | None = None) -> Iterator[Wrong]:
    """All that is wrong and takes more than one key, or another file, to see.

    Parameters
    ----------
    machine : MachineFile
        Every key for itself is right.
    folder : Path
        Of the machine file.
    faults : Faults, optional
        What of it is not what the file says: nothing is concluded from that.

    Yields
    ------
    (path, message)
        Where in the file, and what is wrong there.
    """
    faults = faults or Faults()
    yield from _wrong_resources(machine, faults)
    nodes = [] if faults.touch("node") else [machine.node]
    for part, path in machine.parts.items():
        if not faults.unknown("parts", part) and (wrong := wrong_part(part, path, folder, nodes)):
            yield ("parts", part), wrong
    yield from _wrong_shape(machine, faults)
    for name in machine.domains:
        yield from _below(("domains", name), _wrong_domains(name, machine, faults))
    yield from _below(("networks",), wrong_networks(machine, faults))
    for index in range(len(machine.phases)):
        yield from _below(("phases", index), wrong_phase(index, machine, folder, faults))
    if machine.memcached is not None:
        yield from _below(("memcached",), _wrong_study(machine.memcached, machine, faults))
    if machine.serve is not None:
        yield from _below(("serve",), wrong_serve(machine.serve, machine, folder, faults))


def _below(path: KeyPath, found: Iterable[Wrong]) -> Iterator[Wrong]:
    """What was found in a table, with its path in front."""
    return (((*path, *inner), message) for inner, message in found)


def _wrong_resources(machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    """What the loader and the kernels of khhw need of a node."""
    node = machine.node
    if machine.memcached is not None and node.memory_bytes < _STUDY_MEMORY and not faults.unknown(
            "node", "memory_bytes"):
        yield ("memcached",), (f"a server with values of this size needs node.memory_bytes = {_STUDY_MEMORY} or more, "
                               f"not {node.memory_bytes}")
    wrong = {}
    try:
        Layout(node.memory_bytes)
    except LayoutError as error:
        wrong["memory_bytes"] = str(error)
    if node.injection_rings <= ANSWER_RING:
        wrong["injection_rings"] = f"the driver needs {ANSWER_RING + 1}, not {node.injection_rings}"
    if node.counters < _COUNTERS:
        wrong["counters"] = f"the kernels need {_COUNTERS}, not {node.counters}"
    for name, message in wrong.items():
        yield ("node", name), message
        faults.add("node", name)


def _wrong_shape(machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    shape = machine.torus.shape
    if faults.touch("torus", "shape"):
        return
    try:
        check_shape(shape)
    except ParameterError as error:
        # Without a shape it is not known which ranks there are.
        yield ("torus", "shape"), str(error)
        faults.add("torus", "shape")
        return
    try:
        if not faults.unknown("node", "table_nodes"):
            check_table(shape, machine.node)
    except ParameterError as error:
        yield ("node", "table_nodes") if "node" in machine.model_fields_set else ("torus", "shape"), str(error)


def _wrong_domains(name: str, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    section, here = machine.domains[name], ("domains", name)
    given = sorted(section.model_fields_set)
    if len(given) != 1:
        if not faults.touch(*here):
            yield (), f"needs exactly one of matrix, groups and rules, not {' and '.join(given) or 'none'}"
        return
    nodes = known_nodes(machine, faults)
    for error in wrong_domains(section, nodes):
        # What entries were taken from has more than are seen.
        if not faults.cut(*here, given[0], *error.key_path):
            yield (given[0], *error.key_path), error.message


def wrong_serve(
    serve: Serve, machine: MachineFile, folder: Path, faults: Faults | None = None,
) -> Iterator[Wrong]:
    """All that is wrong with what is to be served on a machine; see :func:`find_inconsistencies`."""
    faults = faults or Faults()
    nodes = known_nodes(machine, faults)
    unknown = {key for key in Serve.model_fields if faults.unknown("serve", key)}
    for key, rank in (("server", serve.server), ("gateway", serve.gateway)):
        if rank >= (nodes or MOST_NODES) and key not in unknown:
            yield (key,), f"no node {rank}; nodes are 0 to {(nodes or MOST_NODES) - 1}"
    if serve.server == serve.gateway and not unknown & {"server", "gateway"}:
        yield ("gateway",), f"node {serve.gateway} is the server; the gateway needs a node of its own"
    if serve.console_port and serve.console_port + (nodes or 0) > _LAST_PORT and "console_port" not in unknown:
        yield ("console_port",), f"{machine.nodes + 1} ports from {serve.console_port} on end behind {_LAST_PORT}"
    if serve.domains is not None and (wrong := unknown_domains(serve.domains, machine, faults)):
        yield ("domains",), wrong
    yield from _wrong_clients(serve, machine, faults)
    if "kernel" not in unknown and (wrong := wrong_kernel(serve.kernel, machine, folder, faults)):
        yield ("kernel",), wrong
    if "arguments" not in unknown and (
            wrong := wrong_arguments(serve.arguments, [serve.server], machine, faults, _SERVER_NUMBERS)):
        yield ("arguments",), wrong


def _wrong_clients(serve: Serve, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    if faults.unknown("node", "memory_bytes"):
        return
    memory_bytes = machine.node.memory_bytes
    try:
        layout = Layout(memory_bytes)
        if not faults.unknown("node", "counters"):
            Areas.plan(layout, machine.node.counters, 1)
    except (LayoutError, NetError) as error:
        yield ("server",), f"node.memory_bytes = {memory_bytes}: {error}"
        faults.add("node", "memory_bytes")
        return
    if serve.clients is not None and serve.clients > (room := Areas.most_connections(layout)):
        yield ("clients",), (f"nodes of {memory_bytes} bytes have room for the streams of {room} clients at a time; "
                             "raise node.memory_bytes, or let in fewer")


def _wrong_study(study: MemcachedStudy, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    found = [*_wrong_nodes(study, machine, faults), *_wrong_points(study)]
    yield from found
    wrong = {str(path[0]) for path, _ in found} | {
        key for key in MemcachedStudy.model_fields if faults.touch("memcached", key)}
    if wrong & {"server", "clients"}:
        # What follows is about these nodes.
        return
    # It is a study that can be made, with the defaults of what is wrong.
    defaults = MemcachedStudy()
    possible = study.model_copy(update={key: getattr(defaults, key) for key in wrong})
    if (nodes := known_nodes(machine, faults)) is not None:
        made = study_of(machine.model_copy(update={"memcached": possible}))
        for entry in (entry for phase in made.phases for entry in phase.kernels):
            if too_much := wrong_arguments(entry.arguments, entry.ranks(nodes), machine, faults):
                yield ("clients",), too_much
                break
        if "domains" not in wrong:
            yield from _separated(study, machine, faults)


def _wrong_nodes(study: MemcachedStudy, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    nodes = known_nodes(machine, faults) or MOST_NODES
    unknown = {key for key in ("server", "clients") if faults.unknown("memcached", key)}
    for key, ranks in (("server", [study.server]), ("clients", study.clients)):
        if key not in unknown and (wrong := [rank for rank in ranks if not 0 <= rank < nodes]):
            yield (key,), f"no node {wrong[0]}; nodes are 0 to {nodes - 1}"
    if not unknown and (study.server in study.clients or len(set(study.clients)) < len(study.clients)):
        yield ("clients",), f"one kernel a node: {study.clients} repeats one, or names the server, node {study.server}"
    if study.domains is not None and (unknown_name := unknown_domains(study.domains, machine, faults)):
        yield ("domains",), unknown_name


def _wrong_points(study: MemcachedStudy) -> Iterator[Wrong]:
    for key, sizes in (("size", [study.size]), ("sizes", study.sizes)):
        if wrong := [size for size in sizes if not 0 < size <= _LARGEST_VALUE]:
            yield (key,), f"values have 1 to {_LARGEST_VALUE} bytes, not {wrong[0]}"
    if odd := [scale for scale in study.scales if not _SMALLEST_SCALE <= scale <= 1 / _SMALLEST_SCALE]:
        yield ("scales",), f"scales are from {_SMALLEST_SCALE:g} to {1 / _SMALLEST_SCALE:g}, not {odd[0]:g}"
    for key, values in (("sizes", study.sizes), ("scales", [round(scale, 6) for scale in study.scales])):
        if len(set(values)) < len(values):
            yield (key,), f"{key} repeat themselves; each is measured once"


def _separated(study: MemcachedStudy, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    """Server and clients must be allowed to send to each other."""
    phases = range(len(machine.phases))
    if study.domains is None and any(faults.unknown("phases", index, "domains") for index in phases):
        return
    name = study.domains or next((phase.domains for phase in machine.phases if phase.domains), None)
    if name is None or name not in machine.domains or faults.touch("domains", name) or list(
            _wrong_domains(name, machine, faults)):
        return
    allowed = machine.matrix(name)
    for client in study.clients:
        for source, destination in ((client, study.server), (study.server, client)):
            if not allowed[source, destination]:
                yield ("domains",), f"{name} does not allow node {source} -> node {destination}"
