"""What is wrong with the networks of a machine file although every key of them is right."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from khhw.machine.document import Wrong
from khhw.machine.file import MOST_NODES, MachineFile, Network
from khhw.machine.kernel_checks import known_nodes
from khhw.machine.repair import Faults
from khhw.net.ethernet.driver import INJECTION_RING, RING, least_heap
from khhw.net.ethernet.limits import longest_frame
from khhw.node import Layout, LayoutError

__all__ = ["subnet_of", "wrong_networks"]

_NAME = re.compile("[a-z][a-z0-9_-]{0,14}")
"""Linux names interfaces by at most 15 characters."""
_TAKEN = ("lo", "all", "default")
"""Names that Linux has a use for."""
_BYTE = 256


def subnet_of(network: Network) -> IPv4Network:
    """Addresses of a network.

    Raises
    ------
    ValueError
        If its text is none, or there is none for its number.
    """
    if network.subnet is not None:
        return IPv4Network(network.subnet)
    if network.number >= _BYTE:
        raise ValueError(f"number = {network.number} is not in any address 10.NUMBER.0.0/16; say which subnet it has")
    return IPv4Network(f"10.{network.number}.0.0/16")


def wrong_networks(machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    """All that is wrong with them; paths are those below ``networks``."""
    numbers: dict[int, str] = {}
    subnets: dict[str, IPv4Network] = {}
    for name, network in machine.networks.items():
        if not _NAME.fullmatch(name) or name in _TAKEN:
            yield (name,), ("names an interface of Linux: a lower-case letter, then up to 14 lower-case letters, "
                            f"digits, - and _; not {', '.join(_TAKEN)}")
        if (other := numbers.setdefault(network.number, name)) != name and not faults.unknown(
                "networks", name, "number"):
            yield (name, "number"), f"{network.number} is the number of {other}"
        yield from _wrong_nodes(name, network, machine, faults)
        yield from _wrong_subnet(name, network, subnets, machine, faults)
        yield from _wrong_memory(name, network, machine, faults)
    node = machine.node
    if machine.networks and not faults.touch("node"):
        if node.injection_rings <= INJECTION_RING:
            yield (), f"frames need node.injection_rings = {INJECTION_RING + 1} or more, not {node.injection_rings}"
        if node.reception_rings <= RING:
            yield (), f"frames need node.reception_rings = {RING + 1} or more, not {node.reception_rings}"


def _wrong_nodes(name: str, network: Network, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    if network.nodes == "all" or faults.touch("networks", name, "nodes"):
        return
    nodes = known_nodes(machine, faults) or MOST_NODES
    for index, rank in enumerate(network.nodes):
        if not 0 <= rank < nodes:
            yield (name, "nodes", index), f"no node {rank}; nodes are 0 to {nodes - 1}"
        elif rank in network.nodes[:index]:
            yield (name, "nodes", index), f"node {rank} is named twice"


def _wrong_subnet(
    name: str, network: Network, subnets: dict[str, IPv4Network], machine: MachineFile, faults: Faults,
) -> Iterator[Wrong]:
    if faults.touch("networks", name):
        return
    try:
        subnet = subnet_of(network)
    except ValueError as error:
        yield (name, "subnet"), str(error)
        return
    if (nodes := known_nodes(machine, faults)) is not None and subnet.num_addresses < nodes + 2:
        yield (name, "subnet"), f"{subnet} has {subnet.num_addresses - 2} addresses for {nodes} nodes; widen it"
    for other, taken in subnets.items():
        if subnet.overlaps(taken):
            yield (name, "subnet"), f"{subnet} overlaps {taken} of {other}"
            break
    subnets[name] = subnet


def _wrong_memory(name: str, network: Network, machine: MachineFile, faults: Faults) -> Iterator[Wrong]:
    if faults.unknown("node", "memory_bytes") or faults.touch("networks", name, "mtu"):
        return
    try:
        heap = Layout(machine.node.memory_bytes).heap.length
    except LayoutError:
        return
    if heap < (least := least_heap(longest_frame(network.mtu))):
        yield (name, "mtu"), (
            f"frames of {longest_frame(network.mtu)} bytes need {least} bytes of a node's heap, which has {heap}; "
            "raise node.memory_bytes, or lower the MTU")
