"""Where packets are in a machine that came to no end, and what each waits for.

It is read from registers of the node's parts by their names in Verilog: what each part offers as ``observables``
(see :meth:`rtl.node.Node.observables`). What cannot be read, because a part was replaced by one with other insides, is
left out; a node that is busy is named in any case.
"""

from collections.abc import Callable, Iterator

from khhw.machine.fifo import Fifo, Queued
from khhw.node import Shape
from khhw.node.tree_packets import tree_destination
from rtl.formats import (
    CHUNK_BYTES,
    PACKET_FLITS,
    Descriptor,
    Direction,
    Flit,
    Header,
    TreeChannel,
    TreeHeader,
    VirtualChannel,
    unpack,
)
from rtl.parameters import Bubble, Parameters
from rtl.torus.hints import hint_bit
from rtl.torus.routing import CHANNELS, DIMENSION_ORDER

__all__ = ["stuck_packets"]

_TREE_SIDES = {"parent": "down", "left": "up", "right": "up"}
"""Inputs of the tree router, and which way their packets go."""


def stuck_packets(shape: Shape, parameters: Parameters, read: Callable[[str], int]) -> list[str]:
    """One line for every packet in a router or on its way through the tree, and for every ring with messages left.

    Parameters
    ----------
    shape : Shape
        The torus.
    parameters : Parameters
        Of its nodes.
    read : callable
        Reads a signal by its path below the fabric; raises ``LookupError`` or ``AttributeError`` if there is none.
    """
    lines = []
    quiescent = read("quiescent")
    for rank in range(shape.nodes):
        node = _Node(shape, parameters, rank, read)
        found = [*node.inputs(), *node.injections(), *node.ejections(), *node.rings(), *node.tree()]
        if not found and not quiescent >> rank & 1:
            found = ["is busy, but nothing is seen to wait in it"]
        lines += [f"node {rank}: {line}" for line in found]
    return lines


class _Node:
    """One node."""

    def __init__(self, shape: Shape, parameters: Parameters, rank: int, read: Callable[[str], int]) -> None:
        self._shape = shape
        self._parameters = parameters
        self._rank = rank
        self._read = read

    def _get(self, path: str) -> int | None:
        """A signal of this node, or None if it cannot be read."""
        try:
            return self._read(f"node_{self._rank}.{path}")
        except (LookupError, AttributeError):
            return None

    def inputs(self) -> Iterator[str]:
        """Packets in the router's input buffers."""
        for port in Direction:
            for channel in CHANNELS:
                name = channel.name.lower()
                buffer = Fifo(
                    self._get, f"router.input_{port.name.lower()}.buffer_{name}",
                    self._parameters.slots * PACKET_FLITS)
                location = f"in port {port.name} on {name}"
                for position, queued in enumerate(buffer.packets()):
                    yield self._waiting(queued, position, location, port, channel)

    def _waiting(self, queued: Queued, position: int, location: str, port: Direction, channel: VirtualChannel) -> str:
        if queued.header is None:
            return f"a packet, its header gone on, is in the middle of its way, {queued.flits} flits of it {location}"
        header = unpack(Header, queued.header)
        words = f"{self._packet(header)} {location}"
        if queued.begun:
            return f"{words} is in the middle of its way to {_output_name(header, port, self._parameters)}, " \
                   f"{queued.flits} flits of it here"
        if position:
            return f"{words} waits behind the packet before it"
        return f"{words} waits for {self._cause(header, channel, port)}"

    def _cause(self, header: dict[str, int], channel: VirtualChannel, port: Direction | None, lane: int = 0) -> str:
        """What a packet at the head of an input waits for; `port` is None at injection lane `lane`."""
        output = _output(header)
        if port is not None:
            lane = port % self._parameters.lanes
        if output is None:
            return self._lane_cause(lane)
        name = channel.name.lower()
        credits = self._get(f"router.output_{output.name.lower()}.credits_{name}")
        need = self._need(header, port is not None and output == port ^ 1)
        if credits is not None and credits < need:
            return f"a credit of output {output.name} on {name} ({credits} left, needs {need})"
        if self._get(f"router.output_{output.name.lower()}.allocator.busy"):
            return f"output {output.name}, which another packet holds"
        if header["deposit"] and port is not None:
            return f"output {output.name} and {self._lane_cause(lane)} in the same cycle"
        return f"its turn at output {output.name}"

    def _need(self, header: dict[str, int], continues: bool) -> int:
        """Credits a packet must find."""
        bubble = self._parameters.bubble
        unit = header["size"] + 1 if bubble is Bubble.CHUNKS else 1
        return unit if continues or bubble is Bubble.OFF else 2 * unit

    def _lane_cause(self, lane: int) -> str:
        if self._get(f"router.ejection_{lane}.allocator.busy") or self._get(f"router.ejection_{lane}.buffer.level"):
            return f"ejection lane {lane}, which another packet holds"
        return f"its turn at ejection lane {lane}"

    def injections(self) -> Iterator[str]:
        """Packets that enter the router."""
        for lane in range(self._parameters.lanes):
            flit = self._get(f"router.injection_{lane}.routed")
            if flit is None or not self._get(f"router.injection_{lane}.valid"):
                continue
            header = unpack(Header, unpack(Flit, flit)["data"])
            if not unpack(Flit, flit)["first"]:
                yield f"a packet of this node, its header gone on, is in the middle of its way in injection lane {lane}"
                continue
            priority = header["vc"] == VirtualChannel.PRIORITY
            channel = VirtualChannel.PRIORITY if priority else VirtualChannel.ESCAPE
            cause = self._cause(header, channel, None, lane)
            yield f"{self._packet(header)} in injection lane {lane} waits for {cause}"

    def ejections(self) -> Iterator[str]:
        """Packets that leave the router."""
        for lane in range(self._parameters.lanes):
            flit = self._get(f"router.ejection_{lane}.o__payload")
            if flit is None or not self._get(f"router.ejection_{lane}.o__valid"):
                continue
            fields = unpack(Flit, flit)
            packet = self._packet(unpack(Header, fields["data"])) if fields["first"] else \
                "a packet, its header gone on,"
            yield f"{packet} in ejection lane {lane} waits for the guard to take it"

    def rings(self) -> Iterator[str]:
        """Injection rings with descriptors left."""
        for ring in range(self._parameters.injection_rings):
            names = ("base", "size", "head", "tail")
            base, size, head, tail = (self._get(f"ni.rings.ring_{ring}.{name}") for name in names)
            if base is None or not size or head is None or tail is None or head == tail:
                continue
            count = (tail - head) % size
            words = f"injection ring {ring} has {count} message{'s' * (count > 1)} left"
            descriptor = self._get(f"memory.ram[{(base + head) % self._parameters.memory_words}]")
            if descriptor is not None:
                message = unpack(Descriptor, descriptor)
                header = unpack(Header, message["header"])
                words += f"; the first is of {message['length']} bytes to {self._destination(header)}"
            yield words

    def tree(self) -> Iterator[str]:
        """Packets at the head of a tree buffer."""
        for side, way in _TREE_SIDES.items():
            for channel in TreeChannel:
                path = f"tree.{side}.{channel.name.lower()}"
                flit = self._get(f"{path}.r_data")
                if flit is None or not self._get(f"{path}.r_rdy"):
                    continue
                location = f"in the tree, from the {'parent' if side == 'parent' else side + ' child'}, " \
                        f"on the {channel.name.lower()} channel"
                fields = unpack(Flit, flit)
                if fields["first"]:
                    yield f"{self._tree_packet(unpack(TreeHeader, fields['data']))} {location} waits to go {way}"
                else:
                    yield f"a packet, its header gone on, is in the middle of its way {location}"

    def _tree_packet(self, header: dict[str, int]) -> str:
        source = "outside" if header["external"] else f"node {self._name(header['source'])}"
        target = tree_destination(header)
        return f"packet from {source} to {f'node {target}' if isinstance(target, int) else target}"

    def _packet(self, header: dict[str, int]) -> str:
        size = (header["size"] + 1) * CHUNK_BYTES
        return f"packet {self._name(header['source'])} -> {self._destination(header)} of {size} bytes"

    def _name(self, node_id: int) -> str:
        try:
            return str(self._shape.rank_of_id(node_id))
        except ValueError:
            return f"id {node_id}"

    def _destination(self, header: dict[str, int]) -> str:
        coordinate = header["x"], header["y"], header["z"]
        inside = all(c < size for c, size in zip(coordinate, self._shape.sizes, strict=True))
        return str(self._shape.rank(coordinate)) if inside else str(coordinate)


def _output(header: dict[str, int]) -> Direction | None:
    """The direction a packet leaves by; None: it is ejected."""
    for dimension in DIMENSION_ORDER:
        for direction in (2 * dimension, 2 * dimension + 1):
            if header["hint"] >> hint_bit(direction) & 1:
                return Direction(direction)
    return None


def _output_name(header: dict[str, int], port: Direction, parameters: Parameters) -> str:
    output = _output(header)
    return f"ejection lane {port % parameters.lanes}" if output is None else f"output {output.name}"
