"""What Linux is told of the nodes of a machine: host names, interfaces, addresses."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from typing import Any

from khhw.errors import RequestError
from khhw.machine.file import MachineFile
from khhw.machine.network_checks import subnet_of
from khhw.net.ethernet import EthernetNetwork, mac_of
from khhw.node import Shape

__all__ = ["Interface", "LinuxNode", "Plan"]


@dataclass(frozen=True)
class Interface:
    """An interface of a node in a network.

    Parameters
    ----------
    name : str
        The network's.
    network : int
        Its number.
    mac : str
    mtu : int
        Bytes.
    address, subnet : str
        IPv4, with the length of the prefix.
    """

    name: str
    network: int
    mac: str
    mtu: int
    address: str
    subnet: str


@dataclass(frozen=True)
class LinuxNode:
    """A node that Linux programs can run on.

    Parameters
    ----------
    rank : int
    host : str
        Its host name.
    interfaces : tuple of Interface
    """

    rank: int
    host: str
    interfaces: tuple[Interface, ...]


class Plan:
    """Nodes and networks of a machine.

    Parameters
    ----------
    machine : MachineFile

    Raises
    ------
    RequestError
        If it has no networks.

    Attributes
    ----------
    nodes : list of LinuxNode
        Those that are in a network, by rank.
    """

    def __init__(self, machine: MachineFile) -> None:
        if not machine.networks:
            raise RequestError("the machine has no networks; add a table [networks.NAME] with a number and nodes")
        self._machine = machine
        self._shape = Shape(*machine.torus.shape)
        self.nodes = [LinuxNode(rank, f"node{rank}", interfaces) for rank in range(machine.nodes)
                      if (interfaces := tuple(self._interfaces(rank)))]

    def networks(self) -> list[EthernetNetwork]:
        """Networks as the driver of a node knows them."""
        return [EthernetNetwork(network.number, frozenset(network.ranks(self._machine.nodes)), network.mtu)
                for network in self._machine.networks.values()]

    def _interfaces(self, rank: int) -> Iterator[Interface]:
        mac = mac_of(self._shape.coordinate(rank)).hex(":")
        for name, network in self._machine.networks.items():
            if rank in network.ranks(self._machine.nodes):
                subnet = subnet_of(network)
                address: IPv4Address = subnet[rank + 1]
                yield Interface(name, network.number, mac, network.mtu, f"{address}/{subnet.prefixlen}", str(subnet))

    def hosts(self) -> str:
        """The file ``/etc/hosts`` of every node: its name is the address in its first network, NAME.NETWORK any."""
        lines = ["127.0.0.1 localhost"]
        for node in self.nodes:
            for index, interface in enumerate(node.interfaces):
                names = [f"{node.host}.{interface.name}", *([node.host] if index == 0 else [])]
                lines.append(f"{interface.address.partition('/')[0]} {' '.join(names)}")
        return "\n".join(lines) + "\n"

    def as_dict(self) -> list[dict[str, Any]]:
        """Plain values of all nodes."""
        return [asdict(node) for node in self.nodes]
