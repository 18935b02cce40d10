"""The crossbar."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Flit

__all__ = ["Switch"]


class Switch(wiring.Component):
    """Moves flits of selected sources to outputs. No latency.

    A source can be selected by one output, or by a link and a lane: then both get each flit in the same cycle. Outputs
    always take what comes: a packet that has started moves as fast as its source gives it.

    Parameters
    ----------
    sources : int
        Read paths.
    links, lanes : sequence of sequences of int
        For every link output and every ejection lane, the sources that can reach it.

    Members
    -------
    valid : In(sources)
        A flit waits.
    flits : In(Flit), one a source
        That flit.
    take : Out(sources)
        It goes.
    select : In, one an output, links first
        One-hot choice among the sources of that output.
    move : Out(outputs)
        A flit goes to the output.
    out : Out(Flit), one an output
        That flit.
    """

    def __init__(self, sources: int, links: Sequence[Sequence[int]], lanes: Sequence[Sequence[int]]) -> None:
        self.sources = sources
        self.reach = [*links, *lanes]
        super().__init__({
            "valid": In(sources), "flits": In(Flit).array(sources), "take": Out(sources),
            **{f"select_{output}": In(len(reach)) for output, reach in enumerate(self.reach)},
            "move": Out(len(self.reach)), "out": Out(Flit).array(len(self.reach)),
        })

    def select(self, output: int) -> Signal:
        """The member `select` of one output."""
        chosen: Signal = getattr(self, f"select_{output}")
        return chosen

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        used: list[list[Value]] = [[] for _ in range(self.sources)]
        for output, reach in enumerate(self.reach):
            for index, source in enumerate(reach):
                used[source].append(self.select(output)[index])
        for source, outputs in enumerate(used):
            m.d.comb += self.take[source].eq(self.valid[source] & reduce(or_, outputs))

        for output, reach in enumerate(self.reach):
            chosen = [(self.select(output)[index], source) for index, source in enumerate(reach)]
            m.d.comb += [
                self.move[output].eq(reduce(or_, (selected & self.valid[source] for selected, source in chosen))),
                self.out[output].as_value().eq(reduce(or_, (
                    Mux(selected, self.flits[source].as_value(), 0) for selected, source in chosen))),
            ]
        return m
