"""Who goes next: round robin, and through traffic before what enters, with a guard against starvation."""

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.round_robin import RoundRobin

__all__ = ["LONGEST_YIELD", "THROUGH_GRANTS", "YIELD_CYCLES", "ChannelArbiter"]

THROUGH_GRANTS = 8
"""Grants an entering packet lets pass before it is its turn."""

YIELD_CYCLES = 32
"""How long an output then holds continuing packets back, until there is room enough to enter; twice as long after every
time that was in vain."""

LONGEST_YIELD = 4096
"""How long at most. Behind a hot spot it takes long until a second slot is free downstream; an output that always gave
up before would never let anything in."""


class ChannelArbiter(wiring.Component):
    """Chooses the packet that gets an output next, among those of one virtual channel. No latency.

    Packets from links come before packets from injection lanes, round robin within each. A packet that
    enters a ring needs more room than one that continues in it, so a stream of continuing packets could
    keep it out for ever, and injected packets would wait behind both. After `THROUGH_GRANTS` grants past
    a waiting packet the output yields: it grants to entering packets only, round robin, until one went or
    `YIELD_CYCLES` cycles have passed without room; if so, twice as many the next time, up to `LONGEST_YIELD`. The
    limit keeps the ring free of deadlock: a packet that continues is never held back for good.

    Parameters
    ----------
    continuing, turning, injecting : int
        Requests of each kind, in this order from bit 0 up. Turning and injecting packets enter.

    Members
    -------
    request : In
        A packet waits for this output.
    able : In
        Those of `request` with room.
    choice : Out
        One-hot, or 0.
    open : In(1)
        The output could take a packet of this channel now.
    accept : In(1)
        `choice` gets it.
    forced : In(1)
        A continuing packet that is not among the requests gets it.
    yielding : Out(1)
        Only entering packets may get it.
    """

    def __init__(self, continuing: int, turning: int, injecting: int) -> None:
        self.continuing = continuing
        self.turning = turning
        self.injecting = injecting
        self.width = continuing + turning + injecting
        super().__init__({
            "request": In(self.width), "able": In(self.width), "choice": Out(self.width),
            "open": In(1), "accept": In(1), "forced": In(1), "yielding": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        links = self.continuing + self.turning
        m.submodules.through = through = RoundRobin(links)
        m.submodules.entering = entering = RoundRobin(self.turning + self.injecting)

        # `entering` also serves injected packets alone, outside of yielding.
        yielding = self.yielding
        m.d.comb += [
            through.requests.eq(Mux(yielding, 0, self.able[:links])),
            entering.requests[:self.turning].eq(Mux(yielding, self.able[self.continuing:links], 0)),
            entering.requests[self.turning:].eq(self.able[links:]),
        ]
        first = Signal()
        m.d.comb += first.eq(through.requests.any())
        with m.If(first):
            m.d.comb += self.choice[:links].eq(through.grants)
        with m.Else():
            m.d.comb += self.choice[self.continuing:].eq(entering.grants)
        m.d.comb += [through.advance.eq(self.accept & first), entering.advance.eq(self.accept & ~first)]

        passed = Signal(range(THROUGH_GRANTS))
        waiting = Signal()
        patience = Signal(range(LONGEST_YIELD))
        limit = Signal(range(LONGEST_YIELD), init=YIELD_CYCLES - 1)
        m.d.comb += waiting.eq((self.request & ~Mux(self.accept, self.choice, 0))[self.continuing:].any())
        with m.If(yielding):
            with m.If(self.accept):
                m.d.sync += [yielding.eq(0), passed.eq(0), limit.eq(YIELD_CYCLES - 1)]
            with m.Elif(self.open & (patience == 0)):
                m.d.sync += [yielding.eq(0), passed.eq(0), limit.eq(Cat(C(1, 1), limit))]
            with m.Elif(self.open):
                m.d.sync += patience.eq(patience - 1)
        with m.Elif(self.accept | self.forced):
            m.d.sync += passed.eq(Mux(waiting, passed + 1, 0))
            with m.If(waiting & (passed == THROUGH_GRANTS - 1)):
                m.d.sync += [yielding.eq(1), patience.eq(limit)]
        return m
