"""The torus router."""

from collections.abc import Iterator, Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from rtl.formats import Direction
from rtl.parameters import Parameters
from rtl.signatures import DIRECTIONS, router_signature
from rtl.torus.buffers import Injection, LinkInput
from rtl.torus.deposit import DepositScheduler
from rtl.torus.output import EjectionOutput, LinkOutput
from rtl.torus.routing import CHANNELS, DIMENSION_ORDER, EJECT, channel_of, outputs_from
from rtl.torus.switch import Switch

__all__ = ["Router"]


class Router(wiring.Component):
    """Virtual cut-through router of a 3D torus, dimension-ordered and free of deadlock by bubbles.

    Latency of a header without contention: 3 cycles from cable to cable (in ``rx`` in cycle 0, in ``tx`` in
    cycle 3) and from cable to ejection lane, 2 from injection lane to cable or to ejection lane; deposit
    packets take one more where they leave a copy. Flits follow one a cycle. The tail of a packet of ``f``
    flits that goes ``h`` hops reaches its ejection lane ``2 + 3 h + f - 1`` cycles after the header was injected.

    Each link input has a buffer and a read path of its own for every virtual channel of
    :data:`~rtl.torus.routing.CHANNELS`. A packet that arrives on port ``p`` is ejected on lane ``p`` mod `lanes`,
    one that is injected on lane ``i`` for this node on lane ``i``.

    Parameters
    ----------
    parameters : Parameters
        `lanes`, `slots` and `bubble` count.

    Members
    -------
    See :func:`~rtl.signatures.router_signature`.

    Attributes
    ----------
    order : tuple of int
        The dimension order. A subclass may have another; all routers of a machine must agree.
    """

    order: Sequence[int] = DIMENSION_ORDER

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(router_signature(parameters))

    @staticmethod
    def observables(parameters: Parameters) -> Iterator[tuple[str, str]]:
        """What says which packets are in here, and what they wait for: submodule and variable."""
        for direction in Direction:
            port = direction.name.lower()
            for channel in CHANNELS:
                for name in ("storage", "inner_level", "r_port__addr", "r_rdy", "r_data"):
                    yield f"input_{port}.buffer_{channel.name.lower()}", name
                yield f"output_{port}", f"credits_{channel.name.lower()}"
            yield f"output_{port}.allocator", "busy"
        for lane in range(parameters.lanes):
            yield from ((f"injection_{lane}", name) for name in ("valid", "routed"))
            yield from ((f"ejection_{lane}", name) for name in ("o__valid", "o__payload"))
            yield f"ejection_{lane}.allocator", "busy"
            yield f"ejection_{lane}.buffer", "level"

    def link_input(self, port: int) -> wiring.Component:
        """The receiving end of a cable; a subclass may return any other with the ports of a `LinkInput`."""
        return LinkInput(self.parameters, port, self.order)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        lanes, channels = self.parameters.lanes, len(CHANNELS)

        # Inputs: a buffer a cable, an injection a lane.
        inputs = [self.link_input(port) for port in range(DIRECTIONS)]
        injections = [Injection(self.order) for _ in range(lanes)]
        for port, unit in enumerate(inputs):
            m.submodules[f"input_{Direction(port).name.lower()}"] = unit
            m.d.comb += [unit.straps.eq(self.straps), self.links[port].rx.eq(unit.report)]
            connect(m, flipped(self.rx[port]), unit.rx)
        for lane, unit in enumerate(injections):
            m.submodules[f"injection_{lane}"] = unit
            m.d.comb += unit.straps.eq(self.straps)
            connect(m, flipped(self.inject[lane]), unit.i)

        # Sources of the switch: the channels of port 0, of port 1, ..., then the injection lanes.
        self._paths = [path for unit in inputs for path in unit.o] + [unit.o for unit in injections]
        self._copies = Signal(DIRECTIONS * channels)
        for source in range(DIRECTIONS * channels):
            path = self._paths[source]
            ahead = source // channels ^ 1
            m.d.comb += self._copies[source].eq(path.head & path.route.deposit & path.route.to[ahead])

        # Outputs, the switch, and the scheduler that gives deposit packets all they need at once.
        ports = [[d ^ 1, *(p for p in range(DIRECTIONS) if p != d ^ 1 and d in outputs_from(p, self.order))]
                 for d in range(DIRECTIONS)]
        links = [LinkOutput(self.parameters, len(ports[d]) - 1) for d in range(DIRECTIONS)]
        lane_ports = [list(range(lane, DIRECTIONS, lanes)) for lane in range(lanes)]
        ejections = [EjectionOutput(len(lane_ports[lane])) for lane in range(lanes)]
        m.submodules.switch = switch = Switch(
            len(self._paths), [self._sources(p, range(lanes)) for p in ports],
            [self._sources(p, [lane]) for lane, p in enumerate(lane_ports)])
        m.submodules.deposit = deposit = DepositScheduler(lanes)
        m.d.comb += deposit.want.eq(self._copies)

        # Wire sources and outputs to the switch.
        for source, path in enumerate(self._paths):
            m.d.comb += [
                switch.valid[source].eq(path.valid), switch.flits[source].eq(path.flit),
                path.take.eq(switch.take[source]),
            ]
        for direction, unit in enumerate(links):
            m.submodules[f"output_{Direction(direction).name.lower()}"] = unit
            self._request(m, unit.request, ports[direction], range(lanes), direction)
            for index, source in enumerate(switch.reach[direction]):
                m.d.comb += unit.sizes[index].eq(self._paths[source].route.size)
            m.d.comb += [
                self.links[direction].tx.eq(unit.report),
                unit.withhold.eq(deposit.withhold_link[direction]),
                deposit.link_busy[direction].eq(unit.busy),
                *(unit.force[v][0].eq(deposit.force[(direction ^ 1) * channels + v]) for v in range(channels)),
                *(deposit.room[(direction ^ 1) * channels + v].eq(unit.room[v]) for v in range(channels)),
            ]
            self._attach(m, switch, direction, unit)
            connect(m, unit.tx, flipped(self.tx[direction]))
        for lane, unit in enumerate(ejections):
            m.submodules[f"ejection_{lane}"] = unit
            self._request(m, unit.request, lane_ports[lane], [lane], EJECT)
            m.d.comb += [
                unit.withhold.eq(deposit.withhold_lane[lane]),
                deposit.lane_busy[lane].eq(unit.busy),
                *(unit.force[v][index].eq(deposit.force[port * channels + v])
                  for v in range(channels) for index, port in enumerate(lane_ports[lane])),
            ]
            self._attach(m, switch, DIRECTIONS + lane, unit)
            connect(m, unit.o, flipped(self.eject[lane]))

        # What was discarded, and whether anything moves.
        condemned = [pulse for unit in inputs for pulse in unit.discarded] + [unit.discarded for unit in injections]
        for parity in (0, 1):
            m.d.sync += self.discards[parity].eq(sum((pulse[parity] for pulse in condemned[1:]), condemned[0][parity]))
        m.d.comb += self.quiescent.eq(
            Cat(unit.idle for unit in [*inputs, *injections, *ejections]).all()
            & ~Cat(unit.busy for unit in links).any() & ~Cat(cable.valid for cable in self.tx).any()
            & ~self.discards.as_value().any())
        return m

    def _sources(self, ports: Sequence[int], lanes: Sequence[int]) -> list[int]:
        """Sources of an output in the order of its `select`."""
        channels = len(CHANNELS)
        return [port * channels + v for v in range(channels) for port in ports] + [
            DIRECTIONS * channels + lane for lane in lanes]

    def _request(
        self, m: Module, request: Sequence[Signal], ports: Sequence[int], lanes: Sequence[int], output: int,
    ) -> None:
        """Drive the requests for an output. Packets that leave a copy are left to the deposit scheduler."""
        channels = len(CHANNELS)
        for v in range(channels):
            wants: list[Value] = []
            for port in ports:
                path = self._paths[port * channels + v]
                wants.append(path.head & path.route.to[output] & ~self._copies[port * channels + v])
            for lane in lanes:
                path = self._paths[DIRECTIONS * channels + lane]
                wants.append(path.head & path.route.to[output] & channel_of(path.route.vc)[v])
            m.d.comb += request[v].eq(Cat(wants))

    @staticmethod
    def _attach(m: Module, switch: Switch, output: int, unit: LinkOutput | EjectionOutput) -> None:
        m.d.comb += [
            switch.select(output).eq(unit.select), unit.move.eq(switch.move[output]), unit.flit.eq(switch.out[output]),
        ]
