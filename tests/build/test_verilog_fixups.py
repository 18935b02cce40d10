"""Constants in Verilog have their values in four-state simulators too."""

import shutil
import subprocess

import pytest
from amaranth.back import verilog
from amaranth.hdl import Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from khhw.build.verilog_fixups import wake_constants, wake_in_systemverilog


class Half(wiring.Component):
    """Drives one bit of its output in a process and leaves the other at 0."""

    i: In(1)
    o: Out(2)

    def elaborate(self, platform):
        from amaranth.hdl import Module

        m = Module()
        seen = Signal(2)
        with m.If(self.i):
            m.d.comb += seen[1].eq(1)
        m.d.comb += self.o.eq(seen)
        return m


BENCH = """
module bench;
  wire [1:0] o;
  half half(.i(1'b1), .o(o));
  initial #1 $display("%b", o);
endmodule
"""


@pytest.fixture
def text():
    return verilog.convert(Half(), name="half", emit_src=False, strip_internal_attrs=True)


def test_lone_constants_are_woken(text):
    fixed = wake_constants(text)
    assert fixed != text, "Yosys does not write what this fixes any more: remove it"
    assert wake_constants(fixed) == fixed


def test_a_module_without_a_wake_register_gets_one():
    fixed = wake_constants("module m(o);\n  output o;\n  reg o;\n  always @*\n    o = 1'h0;\nendmodule\n")
    assert "reg \\khhw$wake  = 0;" in fixed
    assert "    if (\\khhw$wake ) begin end\n    o = 1'h0;\n" in fixed


def test_every_block_waits_for_a_register_that_changes(text):
    fixed = wake_in_systemverilog(wake_constants(text))
    assert "= 0;" not in fixed, "all registers that wake blocks, and there is no other"
    assert wake_in_systemverilog(fixed) == fixed


# Icarus Verilog is optional on a user's machine; .ci/run installs it.
@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
def test_icarus_sees_the_constant(text, tmp_path):
    (tmp_path / "half.v").write_text(wake_constants(text) + BENCH)
    subprocess.run(["iverilog", "-g2012", "-o", "half.vvp", "half.v"], cwd=tmp_path, check=True)
    result = subprocess.run(["vvp", "-n", "half.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["10"]


@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
def test_icarus_sees_it_as_systemverilog_too(tmp_path):
    """What follows from a register alone that keeps its initial value."""
    text = ("module half(i, o);\n  reg \\$auto$verilog_backend$1 = 0;\n  input i;\n  output [1:0] o;\n  reg [1:0] o;\n"
            "  reg kept = 1'h1;\n  always @* begin\n    if (\\$auto$verilog_backend$1 ) begin end\n"
            "    o = { kept, 1'h0 };\n  end\nendmodule\n").replace("$1 =", "$1  =")
    shown = []
    for source in (text, wake_in_systemverilog(text)):
        (tmp_path / "half.v").write_text(source + BENCH)
        subprocess.run(["iverilog", "-g2012", "-o", "half.vvp", "half.v"], cwd=tmp_path, check=True)
        result = subprocess.run(["vvp", "-n", "half.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
        shown += result.stdout.split()
    assert shown == ["xx", "10"]
