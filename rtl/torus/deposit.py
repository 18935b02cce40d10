"""Deposit packets: a copy for every node they pass on a straight line."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.round_robin import RoundRobin
from rtl.signatures import DIRECTIONS
from rtl.torus.routing import CHANNELS

__all__ = ["DepositScheduler"]


class DepositScheduler(wiring.Component):
    """Gets a deposit packet the link ahead and an ejection lane, both in the same cycle. Latency: one cycle.

    One packet at a time is chosen, only while it has room ahead. New grants of its lane are then withheld until that
    is free, which it stays, and then those of its link; when both are free both go to it: nothing is ever held while
    the other is waited for, and a link never waits for a lane. (A lane waits for a link as long as a packet on it
    lasts; for good where a cable has lost its end.) A chosen packet that loses its room steps back. An
    output that has served a deposit packet serves whoever else waits, and is able, before the next one; while a link
    yields to packets that enter, which need more room, it has none for deposit packets
    (:class:`~rtl.torus.arbiter.ChannelArbiter`).

    Parameters
    ----------
    lanes : int
        Ejection lanes; port ``p`` ejects on lane ``p`` mod `lanes`.

    Members
    -------
    want : In(sources)
        A deposit packet waits at the head of this link source (channels of port 0, of port 1, ...).
    room : In(sources)
        There is room for it ahead.
    link_busy : In(6), lane_busy : In(lanes)
        The output cannot start a packet now. A lane that is withheld stays free.
    withhold_link : Out(6), withhold_lane : Out(lanes)
        The output must not grant.
    force : Out(sources)
        This source gets both its outputs in this cycle.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.sources = DIRECTIONS * len(CHANNELS)
        super().__init__({
            "want": In(self.sources), "room": In(self.sources),
            "link_busy": In(DIRECTIONS), "lane_busy": In(lanes),
            "withhold_link": Out(DIRECTIONS), "withhold_lane": Out(lanes),
            "force": Out(self.sources),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.turn = turn = RoundRobin(self.sources)
        chosen = Signal(self.sources)
        ready = Signal(self.sources)
        owed_link = Signal(DIRECTIONS)
        owed_lane = Signal(self.lanes)
        forced_link = Signal(DIRECTIONS)
        forced_lane = Signal(self.lanes)

        for source in range(self.sources):
            port = source // len(CHANNELS)
            link, lane = port ^ 1, port % self.lanes
            m.d.comb += [
                turn.requests[source].eq(
                    self.want[source] & self.room[source] & ~owed_link[link] & ~owed_lane[lane]),
                ready[source].eq(chosen[source] & ~self.lane_busy[lane]),
                self.force[source].eq(ready[source] & self.room[source] & ~self.link_busy[link]),
            ]
        by_link = [self._of(lambda port, d=d: port ^ 1 == d) for d in range(DIRECTIONS)]
        by_lane = [self._of(lambda port, e=e: port % self.lanes == e) for e in range(self.lanes)]
        for group, waiting, withhold, forced in (
            (by_link, ready, self.withhold_link, forced_link), (by_lane, chosen, self.withhold_lane, forced_lane),
        ):
            for output, mask in enumerate(group):
                m.d.comb += [withhold[output].eq((waiting & mask).any()), forced[output].eq((self.force & mask).any())]

        m.d.comb += turn.advance.eq(~chosen.any())
        with m.If(~chosen.any()):
            m.d.sync += chosen.eq(turn.grants)
        with m.Elif(self.force.any() | ~(chosen & self.room).any()):
            m.d.sync += chosen.eq(0)
        m.d.sync += [
            owed_link.eq(forced_link | (owed_link & (self.link_busy | self.withhold_link))),
            owed_lane.eq(forced_lane | (owed_lane & (self.lane_busy | self.withhold_lane))),
        ]
        return m

    def _of(self, belongs) -> int:
        """Mask of the sources whose port `belongs`."""
        return sum(1 << source for source in range(self.sources) if belongs(source // len(CHANNELS)))
