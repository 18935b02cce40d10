"""Initial zeros of large memories stay out of the Verilog; all other initial values are there."""

import pytest
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from khhw.build.memories import LARGE_BITS, large_memories_uninitialised

WIDTH = 256


class Store(wiring.Component):
    """A memory of 256-bit words behind a read port."""

    def __init__(self, depth, init):
        self._depth, self._init = depth, init
        super().__init__({"address": In(range(depth)), "word": Out(WIDTH)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = Memory(shape=WIDTH, depth=self._depth, init=self._init)
        read = ram.read_port()
        m.d.comb += [read.en.eq(1), read.addr.eq(self.address), self.word.eq(read.data)]
        return m


@pytest.mark.parametrize(("depth", "init", "written"), [
    (LARGE_BITS // WIDTH, [], True), (LARGE_BITS // WIDTH + 1, [], False), (LARGE_BITS // WIDTH + 1, [7], True)])
def test_only_large_zeros_are_left_out(depth, init, written):
    with large_memories_uninitialised():
        text = verilog.convert(Store(depth, init), name="store", emit_src=False)
    assert ("[0] = 256'" in text) == written
