"""A project of somebody else's: RTL that knows nothing of khhw."""

from amaranth.hdl import Assert, Module, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

__all__ = ["History", "RunningSum", "Two"]


class History(wiring.Component):
    """The last 16 numbers.

    Members
    -------
    i : In(stream of 8 bits)
        Numbers; never waits.
    """

    module_name = "history"

    def __init__(self):
        super().__init__({"i": In(stream.Signature(unsigned(8)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(shape=unsigned(8), depth=16, init=[])
        port = words.write_port()
        m.d.comb += [port.addr.eq(0), port.en.eq(self.i.valid), port.data.eq(self.i.payload), self.i.ready.eq(1)]
        return m


class RunningSum(wiring.Component):
    """Adds up a stream; one cycle from a number to the sum that holds it.

    Parameters
    ----------
    width : int
        Bits of the sum.
    limit : int, optional
        An assertion says the sum stays below it.

    Members
    -------
    i : In(stream of 8 bits)
        Numbers.
    o : Out(stream of `width` bits)
        Sums.
    """

    public_signals = (("running_sum.history", "words"),)

    def __init__(self, width=16, limit=None):
        if width < 8:
            raise ValueError(f"width must be at least 8, not {width!r}")
        super().__init__({"i": In(stream.Signature(unsigned(8))), "o": Out(stream.Signature(unsigned(width)))})
        self.limit = limit

    def elaborate(self, platform):
        m = Module()
        m.submodules.history = history = History()
        m.d.comb += [history.i.payload.eq(self.i.payload), history.i.valid.eq(self.i.valid & self.i.ready),
                     self.i.ready.eq(~self.o.valid | self.o.ready)]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += self.o.payload.eq(self.o.payload + self.i.payload)
        if self.limit is not None:
            m.d.sync += Assert(self.o.payload < self.limit)
        return m


class Two(wiring.Component):
    """Two clones of one converted module, end to end in the sense of :mod:`rtl.clone`."""

    module_name = "two"

    def __init__(self):
        self.extra_modules = {"summer": RunningSum(8)}
        self.extra_modules["summer"].public_signals = ()
        self.public_signals = (("summer", "o__payload"),)
        super().__init__({"i": In(stream.Signature(unsigned(8))), "o": Out(stream.Signature(unsigned(8)))})

    def elaborate(self, platform):
        from rtl.clone import clone

        m = Module()
        first, m.submodules.first = clone("summer", self.extra_modules["summer"])
        second, m.submodules.second = clone("summer", self.extra_modules["summer"])
        connect(m, flipped(self.i), first.i)
        connect(m, first.o, second.i)
        connect(m, second.o, flipped(self.o))
        return m
