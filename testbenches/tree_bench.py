"""A tree of routers between models of all endpoints and of the outside."""

from collections.abc import Collection
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import EXTERNAL, TreeChannel, TreeHeader, pack
from rtl.tree.routing import CLASSES, FIXED_ROUTES, ClassRoutes, Target, way
from testbenches.kit.stream import PAUSES, FlitSink, FlitSource, Packet, Pauses
from testbenches.kit.tree import TreeNodes, tree_header

__all__ = ["HOP_CYCLES", "OUTSIDE", "OWNER", "TENANT", "Bench", "always", "destinations", "on_arrival"]

OUTSIDE = -1
HOP_CYCLES = 5
OWNER, TENANT = TreeChannel.OWNER, TreeChannel.TENANT


def always() -> Pauses:
    """Never goes on."""
    return iter(lambda: True, None)


class Bench:
    """A tree with models of all endpoints and of the outside.

    Parameters
    ----------
    dut : handle
        The tree.
    pauses : str
        Pattern in which credits come back late, the outside does not take and does not offer.
    stuck : set of (node, channel)
        Endpoints that never free anything.
    """

    def __init__(self, dut: Any, pauses: str = "never", stuck: frozenset[tuple[int, int]] = frozenset()) -> None:
        self.dut = dut
        self.nodes = len(dut.local_valid)

        def credits_of(node: int, channel: int) -> Pauses:
            return always() if (node, channel) in stuck else PAUSES[pauses]()

        self.tree = TreeNodes(dut, self.nodes, credits_of)
        self._routes = [[FIXED_ROUTES.get(number, 0) for number in range(CLASSES)] for _ in range(self.nodes)]
        self._set_routes()
        self.source = FlitSource(dut, "owner_in", PAUSES[pauses]())
        self.sink = FlitSink(dut, "owner_out", PAUSES[pauses]())

    @classmethod
    async def start(cls, dut: Any, *arguments: Any) -> "Bench":
        """Reset, and attach the models."""
        cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        bench = cls(dut, *arguments)
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)
        return bench

    @property
    def depth(self) -> int:
        """Levels of the tree."""
        return self.nodes.bit_length()

    @property
    def everyone(self) -> list[int]:
        """Sources and destinations: the ranks and the outside."""
        return [*range(self.nodes), OUTSIDE]

    def set_class(self, number: int, members: Collection[int]) -> None:
        """Make these ranks, and the outside if it is among them, the members of a class."""
        for rank in range(self.nodes):
            ways = {way(rank, member) for member in members if member != OUTSIDE}
            self._routes[rank][number] = sum(1 << target for target in ways if target is not None)
        self._routes[0][number] |= (OUTSIDE in members) << Target.PARENT
        self._set_routes()

    def _set_routes(self) -> None:
        self.dut.class_routes.value = sum(
            self.routes_of(rank) << ClassRoutes.size * rank for rank in range(self.nodes))

    def routes_of(self, rank: int) -> int:
        """The routes of a node, as its router is told them."""
        return sum(ways << len(Target) * number for number, ways in enumerate(self._routes[rank]))

    def send(self, source: int, packet: Packet) -> None:
        """Send a packet from a rank or the outside."""
        if source == OUTSIDE:
            self.source.send(packet)
        else:
            self.tree.send(source, packet)

    def packets(self, node: int) -> list[Packet]:
        """What has come to a rank or the outside."""
        return list(self.sink.packets) if node == OUTSIDE else self.tree.packets[node]

    async def settle(self, cycles: int = 12_000) -> None:
        """Wait until nothing moves any more, by the tree's own word."""
        everything = (1 << self.nodes + 1) - 1
        quiet = 0
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)
            resting = self.source.idle and self.tree.idle and int(self.dut.quiescent.value) == everything
            quiet = quiet + 1 if resting else 0
            if quiet == 3:
                return
        raise AssertionError(f"not quiescent after {cycles} cycles: {int(self.dut.quiescent.value):b}")


def destinations(source: int, vector: int | None, nodes: int, members: Collection[int] | None = None) -> list[int]:
    """Who must get a packet, exactly once each: one rank, the outside, or the members of its class; None: all."""
    if vector is None:
        everyone = [*range(nodes), OUTSIDE] if members is None else members
        return [node for node in everyone if node != OUTSIDE or source != OUTSIDE]
    if vector == EXTERNAL:
        return [] if source == OUTSIDE else [OUTSIDE]
    return [vector] if vector < nodes else []


def on_arrival(source: int, packet: Packet) -> Packet:
    """The packet as it must come out: the root stamps what enters from outside."""
    if source != OUTSIDE:
        return packet
    header = {**tree_header(packet), "external": 1, "owner": int(packet.channel == OWNER), "source": 0}
    return Packet((pack(TreeHeader, **header), *packet.words[1:]), channel=packet.channel)
