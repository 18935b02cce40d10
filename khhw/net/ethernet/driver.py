"""The Ethernet driver of a node: frames of all its networks through one injection ring and one reception ring.

A frame is one memory-FIFO message, as in the original's driver: the torus link header and the frame, in packets whose
put offset says where each belongs. A frame for several nodes goes to each as a copy.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from khhw.host.cpu import Work
from khhw.net.ethernet.addresses import MAC_BYTES, is_group, mac_of, rank_of_mac
from khhw.net.ethernet.limits import ETHERNET_HEADER, LINK_HEADER
from khhw.net.ethernet.network import EthernetNetwork
from khhw.net.ethernet.reassembly import Arrival, Reassembly
from khhw.node import Area, Coordinate, InjectionRing, Node, ReceptionRing, descriptor, header
from rtl.codec import Codec
from rtl.formats import DESCRIPTOR_BYTES, PACKET_BYTES, PACKET_FLITS, FifoHeader, Protocol, TorusLinkHeader
from rtl.registers import Irq

__all__ = ["INJECTION_RING", "RING", "EthernetCounts", "EthernetDriver", "least_heap"]

RING = 1
"""Reception ring of frames at every node."""
INJECTION_RING = 2
"""Injection ring of frames."""
_DESCRIPTORS = 64
_NUMBERS = 1 << 8
_LINK, _SOFTWARE = Codec.of(TorusLinkHeader), Codec.of(FifoHeader)
_COORDINATE_BITS = 8


def least_heap(longest: int) -> int:
    """Bytes of a node's heap that the driver needs for frames of `longest` bytes."""
    message = -(-(LINK_HEADER + longest) // PACKET_BYTES) * PACKET_BYTES
    return _DESCRIPTORS * DESCRIPTOR_BYTES + 2 * message


@dataclass
class EthernetCounts:
    """What has passed an interface, and what was dropped there and why.

    Parameters
    ----------
    sent, sent_bytes : int
        Frames, and bytes of them, that were given to the torus.
    received, received_bytes : int
        Frames, and bytes of them, that were handed to the node.
    copies : int
        Messages by which frames for several nodes were sent, one a node.
    runt, jumbo : int
        Frames of this node that are shorter than their header, or longer than the network allows.
    unknown : int
        Frames of this node for an address that is no other node's.
    foreign : int
        Frames of other nodes in a network that one of the two is not in.
    forged : int
        Frames of other nodes whose source address is not their sender's.
    bad, incomplete : int
        See :class:`~khhw.net.ethernet.reassembly.Reassembly`.
    """

    sent: int = 0
    sent_bytes: int = 0
    received: int = 0
    received_bytes: int = 0
    copies: int = 0
    runt: int = 0
    jumbo: int = 0
    unknown: int = 0
    foreign: int = 0
    forged: int = 0
    bad: int = 0
    incomplete: int = 0


class EthernetDriver:
    """Made by :meth:`open`. A node that runs it runs no :class:`khhw.net.Net`: they use the same rings.

    Attributes
    ----------
    counts : EthernetCounts
        So far.
    """

    def __init__(self, node: Node, networks: Mapping[int, EthernetNetwork], adaptive: bool) -> None:
        longest = max(network.longest_frame for network in networks.values())
        descriptors = Area(node.layout.heap.base, _DESCRIPTORS * DESCRIPTOR_BYTES)
        room = (node.layout.heap.end - descriptors.end) // PACKET_BYTES * PACKET_BYTES
        staging = Area(descriptors.end, room // 2 // PACKET_BYTES * PACKET_BYTES)
        if (least := least_heap(longest)) > node.layout.heap.length:
            raise ValueError(
                f"frames of {longest} bytes need a heap of {least} bytes or more, not {node.layout.heap.length}; raise "
                "node.memory_bytes, or lower the MTU")
        self.counts = EthernetCounts()
        self._node = node
        self._networks = networks
        self._adaptive = int(adaptive)
        self._sender = InjectionRing(node, INJECTION_RING, descriptors, staging)
        reception = Area(staging.end, room - staging.length)
        self._ring = ReceptionRing(node, RING, reception)
        self._most_missing = reception.length // PACKET_BYTES // 2
        self._reassembly = Reassembly(longest)
        x, y, z = node.shape.coordinate(node.rank)
        self._argument = (x << _COORDINATE_BITS | y) << _COORDINATE_BITS | z
        self._number = 0

    @classmethod
    async def open(
        cls, node: Node, networks: Iterable[EthernetNetwork], *, adaptive: bool = False,
    ) -> "EthernetDriver":
        """Take two rings and the heap of a node.

        Parameters
        ----------
        node : Node
        networks : iterable of EthernetNetwork
            That it is in; at least one.
        adaptive : bool
            Packets may take any shortest way, so that frames may overtake each other.

        Raises
        ------
        ValueError
            If its memory is too small; says how much there must be.
        """
        driver = cls(node, {network.number: network for network in networks}, adaptive)
        await driver._sender.open()
        await driver._ring.open()
        return driver

    async def send(self, frames: Iterable[tuple[int, bytes]]) -> None:
        """Send frames, and return when all are on their way: not later than the last is in the staging area.

        What cannot be sent is dropped and counted.

        Parameters
        ----------
        frames : iterable of (int, bytes)
            Number of a network that the node is in, and a frame from its destination address on.
        """
        for number, frame in frames:
            network = self._networks[number]
            if not self._is_long_enough(network, frame):
                continue
            targets = self._targets(network, frame[:MAC_BYTES])
            if not targets:
                continue
            self.counts.sent += 1
            self.counts.sent_bytes += len(frame)
            await self._queue(network, frame, targets)
        await self._sender.doorbell()

    def _is_long_enough(self, network: EthernetNetwork, frame: bytes) -> bool:
        """Whether the length of a frame is one there can be."""
        runt, jumbo = len(frame) < ETHERNET_HEADER, len(frame) > network.longest_frame
        self.counts.runt += runt
        self.counts.jumbo += jumbo
        return not runt and not jumbo

    def _targets(self, network: EthernetNetwork, mac: bytes) -> list[int]:
        """Ranks that a frame for this address goes to."""
        if is_group(mac):
            others = sorted(network.members - {self._node.rank})
            self.counts.copies += len(others)
            return others
        rank = rank_of_mac(mac, self._node.shape)
        # Whether it may be sent to is the guards' to say.
        if rank is None or rank == self._node.rank:
            self.counts.unknown += 1
            return []
        return [rank]

    async def _queue(self, network: EthernetNetwork, frame: bytes, targets: Iterable[int]) -> None:
        """One message in the staging area, and a descriptor for each node that it goes to."""
        length = LINK_HEADER + len(frame)
        link = _LINK.pack(dst_key=network.number, length=length, protocol=Protocol.ETHERNET)
        self._number = (self._number + 1) % _NUMBERS
        software = _SOFTWARE.pack(argument=self._argument, function=self._number)
        makes = [partial(self._describe, self._node.shape.coordinate(rank), software, length) for rank in targets]
        data = (link >> TorusLinkHeader["frame"].width).to_bytes(LINK_HEADER, "big") + frame
        await self._sender.queue(data, makes)

    def _describe(self, to: Coordinate, software: int, length: int, address: int) -> bytes:
        return descriptor(header(to, ring=RING, adaptive=self._adaptive), software, address, length)

    async def receive(self, deliver: Callable[[int, bytes], None]) -> None:
        """Hand every frame that arrives to `deliver`, for ever.

        Parameters
        ----------
        deliver : callable (int, bytes)
            Number of the network, and the frame.
        """
        node, ring = self._node, self._ring
        while True:
            packets = await ring.records()
            if not packets:
                await node.wait(Irq.RECEPTION + RING)
                continue
            for packet in packets:
                self._take(packet, deliver)
            await node.work(Work.PACKET, len(packets))
            await ring.release()
            # What is missing of a frame follows at the rate of the link: no need to be interrupted for each packet.
            await node.sleep(min(self._reassembly.missing, self._most_missing) * PACKET_FLITS)

    def _take(self, packet: bytes, deliver: Callable[[int, bytes], None]) -> None:
        """A packet, and the frame that is whole with it."""
        counts, reassembly = self.counts, self._reassembly
        arrival = reassembly.take(packet)
        counts.bad, counts.incomplete = reassembly.bad, reassembly.incomplete
        if arrival is not None and self._accepts(arrival):
            counts.received += 1
            counts.received_bytes += len(arrival.frame)
            deliver(arrival.network, arrival.frame)

    def _accepts(self, arrival: Arrival) -> bool:
        """Whether a frame is of a network of both nodes, and names its sender: the guard's stamp says who that is."""
        shape = self._node.shape
        rank = shape.rank_of_id(arrival.source)
        network = self._networks.get(arrival.network)
        if network is None or rank not in network.members or len(arrival.frame) > network.longest_frame:
            self.counts.foreign += 1
            return False
        if arrival.frame[MAC_BYTES:2 * MAC_BYTES] != mac_of(shape.coordinate(rank)):
            self.counts.forged += 1
            return False
        return True
