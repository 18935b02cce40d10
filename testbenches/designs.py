"""Designs that exist only to be tested."""

import math
from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.clone import clone
from rtl.formats import Flit, Straps
from rtl.parameters import Parameters
from rtl.signatures import DIRECTIONS
from rtl.torus.router import Router

__all__ = ["LANE_BITS", "SHAPES", "CabledRouter", "RouterTorus", "router_torus"]

LANE_BITS = 72
"""A flit of a lane in the flat vectors: nine bytes, so that Python can cut them apart as bytes."""

SHAPES: tuple[tuple[int, int, int], ...] = ((1, 1, 1), (2, 2, 2), (3, 3, 3), (6, 6, 1), (8, 1, 1), (1, 2, 5))
"""The tori a :class:`RouterTorus` can be."""


class CabledRouter(wiring.Component):
    """A router with a register on every wire that comes in over a cable, as if the cables were longer.

    So no logic reaches from one instance into another, and Verilator can share the code of all.
    Parameters and members are the router's.
    """

    def __init__(self, router: Router) -> None:
        self.router = router
        super().__init__(router.signature)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.router = router = self.router
        for outer, inner in zip(self.rx, router.rx, strict=True):
            m.d.sync += [inner.valid.eq(outer.valid), inner.vc.eq(outer.vc), inner.flit.eq(outer.flit)]
            m.d.comb += outer.credit.eq(inner.credit)
        for outer, inner in zip(self.tx, router.tx, strict=True):
            m.d.sync += inner.credit.eq(outer.credit)
            m.d.comb += [outer.valid.eq(inner.valid), outer.vc.eq(inner.vc), outer.flit.eq(inner.flit)]
        for port in ("inject", "eject"):
            for outer, inner in zip(getattr(self, port), getattr(router, port), strict=True):
                connect(m, flipped(outer), inner)
        m.d.comb += [
            router.straps.eq(self.straps), self.discards.eq(router.discards), self.quiescent.eq(router.quiescent),
        ]
        return m


class RouterTorus(wiring.Component):
    """Routers without nodes: one of several tori, chosen while it runs, so that one build serves them all.

    Parameters
    ----------
    parameters : Parameters
        Of the routers.
    router : class
        Constructed with `parameters`; has the router signature.

    Members
    -------
    shape : In
        One-hot: the torus of :data:`SHAPES`. Constant while packets are about.
    inject_payload, eject_payload : vectors of `LANE_BITS` a lane
        The flit of lane ``l`` of rank ``r`` is number ``r * lanes + l``.
    inject_valid, inject_ready, eject_valid, eject_ready : vectors of one bit a lane
    discards : Out(32)
        Packets discarded since reset.
    quiescent : Out
        One bit a rank.
    """

    module_name = "router_torus"

    def __init__(self, parameters: Parameters, router: type[Router] = Router) -> None:
        self.lanes = parameters.lanes
        self.nodes = max(math.prod(shape) for shape in SHAPES)
        self.extra_modules = {"torus_router": CabledRouter(router(parameters))}
        # Verilator shares the code of all instances only if no wire from outside is merged into one of them.
        self.public_signals = [
            ("torus_router", "__".join(map(str, path)))
            for path, member, _ in self.extra_modules["torus_router"].signature.flatten(
                self.extra_modules["torus_router"]) if member.flow is In]
        total = self.nodes * self.lanes
        super().__init__({
            "shape": In(len(SHAPES)),
            "inject_payload": In(total * LANE_BITS), "inject_valid": In(total), "inject_ready": Out(total),
            "eject_payload": Out(total * LANE_BITS), "eject_valid": Out(total), "eject_ready": In(total),
            "discards": Out(32), "quiescent": Out(self.nodes),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        routers = []
        for rank in range(self.nodes):
            router, m.submodules[f"router_{rank}"] = clone("torus_router", self.extra_modules["torus_router"])
            routers.append(router)

        for rank, router in enumerate(routers):
            m.d.comb += router.straps.eq(reduce(or_, (
                Mux(self.shape[s], Straps.const(_straps(rank, shape)).as_value(), 0)
                for s, shape in enumerate(SHAPES))))
            for direction in range(DIRECTIONS):
                self._plug(m, routers, rank, direction)
            for lane in range(self.lanes):
                self._lane(m, router, rank * self.lanes + lane, lane)
        m.d.comb += self.quiescent.eq(Cat(router.quiescent for router in routers))
        counts = [router.discards[parity] for router in routers for parity in (0, 1)]
        m.d.sync += self.discards.eq(self.discards + sum(counts[1:], counts[0]))
        return m

    def _plug(self, m: Module, routers: Sequence, rank: int, direction: int) -> None:
        """Join both ways of the cable in a direction, in each torus that has it."""
        ours, theirs = [], []
        for neighbour in sorted({n for s in SHAPES if (n := _neighbour(rank, direction, s)) is not None}):
            used = Signal(name=f"cable_{rank}_{direction}_{neighbour}")
            m.d.comb += used.eq(Cat(
                self.shape[s] for s, shape in enumerate(SHAPES) if _neighbour(rank, direction, shape) == neighbour).any())
            ours.append((used, routers[neighbour].tx[direction ^ 1]))
            theirs.append((used, routers[neighbour].rx[direction ^ 1]))
        if not ours:
            return
        rx, tx = routers[rank].rx[direction], routers[rank].tx[direction]
        m.d.comb += [
            rx.valid.eq(_any(ours, "valid")), rx.vc.eq(_any(ours, "vc")), rx.flit.eq(_any(ours, "flit")),
            tx.credit.eq(_any(theirs, "credit")),
        ]

    def _lane(self, m: Module, router, number: int, lane: int) -> None:
        place = slice(number * LANE_BITS, number * LANE_BITS + Flit.size)
        inject, eject = router.inject[lane], router.eject[lane]
        m.d.comb += [
            inject.payload.eq(self.inject_payload[place]), inject.valid.eq(self.inject_valid[number]),
            self.inject_ready[number].eq(inject.ready),
            self.eject_payload[place].eq(eject.payload), self.eject_valid[number].eq(eject.valid),
            eject.ready.eq(self.eject_ready[number]),
        ]


def router_torus(parameters: Parameters) -> RouterTorus:
    """A :class:`RouterTorus` of khhw's own routers."""
    return RouterTorus(parameters)


def _any(choices: Sequence, member: str):
    return reduce(or_, (Mux(used, getattr(link, member), 0) for used, link in choices))


def _coordinate(rank: int, shape: Sequence[int]) -> list[int]:
    return [rank % shape[0], rank // shape[0] % shape[1], rank // (shape[0] * shape[1])]


def _straps(rank: int, shape: Sequence[int]) -> dict[str, int]:
    x, y, z = _coordinate(rank, shape)
    inside = rank < math.prod(shape)
    return {"x": x, "y": y, "z": z, "size_x": shape[0], "size_y": shape[1], "size_z": shape[2]} if inside else {}


def _neighbour(rank: int, direction: int, shape: Sequence[int]) -> int | None:
    dimension = direction // 2
    if rank >= math.prod(shape) or shape[dimension] == 1:
        return None
    place = _coordinate(rank, shape)
    place[dimension] = (place[dimension] + (-1 if direction % 2 else 1)) % shape[dimension]
    return place[0] + shape[0] * (place[1] + shape[1] * place[2])
