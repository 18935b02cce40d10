"""What of a torus link Ethernet frames leave to those who use them: one node sends to another as fast as it can."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.host.ports import NodePort
from khhw.net.ethernet import ETHERNET_HEADER, EthernetDriver, EthernetNetwork, mac_of
from khhw.net.ethernet.limits import LINK_HEADER
from khhw.node import Node
from rtl.formats import CHUNK_BYTES, FLIT_BYTES, PACKET_BYTES, PAYLOAD_BYTES
from rtl.parameters import Parameters

__all__ = ["MTUS", "Throughput", "measure"]

MTUS = (1500, 9000)
_TCP_HEADERS = 20 + 20 + 12
"""Bytes of IPv4, TCP and TCP's time stamps in front of the payload of a segment."""
_ETHERNET = (0x88B5).to_bytes(2, "big")
"""The type that IEEE 802 keeps for experiments."""
_WARM = 4
_MEMORY = 1 << 22
_MOST_CYCLES = 50_000_000


@dataclass(frozen=True)
class Throughput:
    """Of frames as long as the MTU allows, from one node to its neighbour.

    Parameters
    ----------
    mtu : int
        Bytes of a frame behind its header.
    payload : int
        Bytes of it that TCP could use for payload, with time stamps.
    wire : int
        Bytes of the link that it takes, if the last packet is as short as it can be.
    cycles : float
        Between the arrivals of two frames, on average.
    """

    mtu: int
    payload: int
    wire: int
    cycles: float

    @property
    def ceiling(self) -> float:
        """Payload as a part of the link, by the formats."""
        return self.payload / self.wire

    @property
    def reached(self) -> float:
        """Payload as a part of the link, as measured."""
        return self.payload / (self.cycles * FLIT_BYTES)


def wire_bytes(frame_bytes: int) -> int:
    """Bytes of a link that a frame takes, with the headers of all its packets."""
    full, rest = divmod(LINK_HEADER + frame_bytes, PAYLOAD_BYTES)
    headers = PACKET_BYTES - PAYLOAD_BYTES
    return full * PACKET_BYTES + (-(-(headers + rest) // CHUNK_BYTES) * CHUNK_BYTES if rest else 0)


def measure(mtu: int, frames: int) -> Throughput:
    """Send so many frames on the native engine, and take the time of their arrivals.

    Raises
    ------
    BuildError
        If the engine cannot be built.
    """
    network = EthernetNetwork(2, frozenset({0, 1}), mtu)
    machine = OwnedMachine((2, 1, 1), Parameters(memory_bytes=_MEMORY))
    arrivals: list[int] = []

    async def send(node: Node) -> None:
        driver = await EthernetDriver.open(node, [network])
        there, here = (mac_of(node.shape.coordinate(rank)) for rank in (1, 0))
        frame = (there + here + _ETHERNET).ljust(ETHERNET_HEADER + mtu, b"\x5a")
        await driver.send((network.number, frame) for _ in range(frames))

    async def receive(node: Node) -> None:
        driver = await EthernetDriver.open(node, [network])
        await driver.receive(lambda _number, _frame: arrivals.append(node.now))

    async def opened(port: NodePort, program: Callable[[Node], Awaitable[None]]) -> None:
        await program(await Node.open(port))

    async def main() -> None:
        await machine.change(Domains.from_groups({"pair": [0, 1]}, 2))
        machine.host.nodes[1].boot(lambda port: opened(port, receive))
        machine.host.nodes[0].boot(lambda port: opened(port, send))
        while len(arrivals) < frames:
            await machine.outside.sleep(PACKET_BYTES)

    machine.run(main, max_cycles=_MOST_CYCLES)
    cycles = (arrivals[-1] - arrivals[_WARM]) / (frames - 1 - _WARM)
    return Throughput(mtu, mtu - _TCP_HEADERS, wire_bytes(ETHERNET_HEADER + mtu), cycles)
