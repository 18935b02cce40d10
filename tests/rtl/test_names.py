"""Signals have names, so that waves, proofs and the converted Verilog can be read."""

import re

import pytest
from amaranth.back import rtlil

from rtl.node import Node
from rtl.parameters import Parameters


@pytest.mark.rare
def test_every_signal_has_a_name():
    """Amaranth names a signal after the variable it is given to; what is one of several in a tuple gets none."""
    source, unnamed = "", set()
    for line in rtlil.convert(Node(Parameters(traffic=True)), name="node", emit_src=True).splitlines():
        if found := re.search(r'attribute \\src "(\S*)"', line):
            source = found[1]
        elif re.search(r"wire .*\\\$sig", line):
            unnamed.add(source)
    assert not {location for location in unnamed if "/rtl/" in location}
