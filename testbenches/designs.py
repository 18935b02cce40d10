"""Designs that exist only to be tested."""

import math
from collections.abc import Sequence

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.clone import clone
from rtl.formats import Flit, Straps
from rtl.parameters import Parameters
from rtl.signatures import DIRECTIONS
from rtl.torus.coordinates import coordinate_of, neighbour_of
from rtl.torus.router import Router

__all__ = ["LANE_BITS", "CabledRouter", "RouterTorus", "router_torus"]

LANE_BITS = 72
"""A flit of a lane in the flat vectors: nine bytes, so that Python can cut them apart as bytes."""

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
            router.straps.eq(self.straps), self.discards.eq(router.discards), self.links.eq(router.links),
            self.quiescent.eq(router.quiescent),
        ]
        return m


class RouterTorus(wiring.Component):
    """Tori of routers without nodes, side by side, so that one build serves several shapes.

    Parameters
    ----------
    parameters : Parameters
        Of the routers.
    shapes : sequence of 3 sizes each
        The tori.
    router : class
        Constructed with `parameters`; has the router signature.

    Members
    -------
    inject_payload_<shape>, eject_payload_<shape> : vectors of `LANE_BITS` a lane
        Of the torus named ``XxYxZ``. The flit of lane ``l`` of rank ``r`` is number ``r * lanes + l``.
    inject_valid_<shape>, inject_ready_<shape>, eject_valid_<shape>, eject_ready_<shape>
        One bit a lane.
    quiescent_<shape> : Out
        One bit a rank.
    """

    module_name = "router_torus"

    def __init__(
        self, parameters: Parameters, shapes: Sequence[Sequence[int]], router: type[Router] = Router,
    ) -> None:
        self.lanes = parameters.lanes
        self.shapes = {"x".join(map(str, shape)): tuple(shape) for shape in shapes}
        original = CabledRouter(router(parameters))
        self.extra_modules = {"torus_router": original}
        ports = {}
        for name, shape in self.shapes.items():
            lanes = math.prod(shape) * self.lanes
            ports |= {
                f"inject_payload_{name}": In(lanes * LANE_BITS), f"inject_valid_{name}": In(lanes),
                f"inject_ready_{name}": Out(lanes), f"eject_payload_{name}": Out(lanes * LANE_BITS),
                f"eject_valid_{name}": Out(lanes), f"eject_ready_{name}": In(lanes),
                f"quiescent_{name}": Out(math.prod(shape)),
            }
        super().__init__(ports)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for name, shape in self.shapes.items():
            routers = []
            for rank in range(math.prod(shape)):
                router, instance = clone("torus_router", self.extra_modules["torus_router"])
                m.submodules[f"router_{name}_{rank}"] = instance
                m.d.comb += router.straps.eq(Straps.const(_straps(rank, shape)))
                for lane in range(self.lanes):
                    self._lane(m, router, name, rank * self.lanes + lane, lane)
                routers.append(router)
            for rank, router in enumerate(routers):
                for direction in range(DIRECTIONS):
                    if shape[direction // 2] > 1:
                        neighbour = routers[neighbour_of(rank, direction, shape)]
                        connect(m, router.tx[direction], neighbour.rx[direction ^ 1])
            m.d.comb += getattr(self, f"quiescent_{name}").eq(Cat(router.quiescent for router in routers))
        return m

    def _lane(self, m: Module, router: wiring.PureInterface, name: str, number: int, lane: int) -> None:
        bits = slice(number * LANE_BITS, number * LANE_BITS + Flit.size)
        inject, eject = router.inject[lane], router.eject[lane]
        m.d.comb += [
            inject.payload.eq(getattr(self, f"inject_payload_{name}")[bits]),
            inject.valid.eq(getattr(self, f"inject_valid_{name}")[number]),
            getattr(self, f"inject_ready_{name}")[number].eq(inject.ready),
            getattr(self, f"eject_payload_{name}")[bits].eq(eject.payload),
            getattr(self, f"eject_valid_{name}")[number].eq(eject.valid),
            eject.ready.eq(getattr(self, f"eject_ready_{name}")[number]),
        ]


def router_torus(parameters: Parameters, shapes: str) -> RouterTorus:
    """Tori of khhw's own routers, of shapes like ``"2x2x2 8x1x1"``."""
    return RouterTorus(parameters, [[int(size) for size in shape.split("x")] for shape in shapes.split()])


def _straps(rank: int, shape: Sequence[int]) -> dict[str, int]:
    x, y, z = coordinate_of(rank, shape)
    return {"x": x, "y": y, "z": z, "size_x": shape[0], "size_y": shape[1], "size_z": shape[2]}
