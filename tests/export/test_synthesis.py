"""The node can be built for an FPGA: no latches, nothing the FPGA does not have, memories in memories."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from khhw._version import __version__
from khhw.build.design import Design, convert
from khhw.cli import main
from khhw.errors import BuildError
from khhw.export import synthesis
from khhw.export.families import FAMILIES
from khhw.export.package import Package
from khhw.export.synthesis import synthesise

PAGE = Path(__file__).parents[2] / "docs" / "traffic.md"
families = pytest.mark.parametrize("family", [
    pytest.param(family, marks=[pytest.mark.rare] * (family != "ecp5")) for family in FAMILIES])


def design_of(folder, text):
    source = folder / "top.v"
    source.write_text(text)
    return Design(top="top", sources=(source,))


@pytest.fixture(autouse=True)
def own_cache(request, tmp_path, monkeypatch):
    """Tests of tiny designs leave nothing in the build folder."""
    if request.function.__name__ != "test_node":
        monkeypatch.setenv("KHHW_BUILD", str(tmp_path / "build"))


@pytest.mark.rare
@pytest.mark.timeout(1800)
def test_node():
    found = synthesise(convert("khhw.export.tops:node"))
    assert not found.unmapped
    assert found.lut > 1000
    assert found.flip_flops > 1000
    # The node memory alone: 256 bits a word take eight memories of 36 bits each, four times for its depth.
    assert found.block_ram >= 32
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()
    rows = dict(re.findall(r"^\| (.+?) \| ([\d,]+) \| [\d,]+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    luts, flip_flops, block = (int(rows[name].replace(",", "")) for name in (
        "LUT4", "flip-flops", "block RAM (18 kbit)"))
    assert (luts, flip_flops) == pytest.approx((found.lut, found.flip_flops), rel=0.02)
    assert block == found.block_ram


COUNTED = """
module top(input c, input w, input [9:0] a, input [17:0] i, j, output reg p, output reg [17:0] o, output reg [31:0] m);
  reg [17:0] ram [1023:0];
  always @(posedge c) begin
    if (w) ram[a] <= i;
    o <= ram[a];
    p <= ^i[3:0];
    m <= i[15:0] * j[15:0];
  end
endmodule
"""


@families
def test_counts(family, tmp_path):
    """A parity of four bits, a product of 16 by 16, and 18 kbit of memory."""
    found = synthesise(design_of(tmp_path, COUNTED), family)
    assert not found.unmapped
    assert (found.family, found.lut, found.block_ram, found.lut_ram, found.dsp) == (family, 1, 1, 0, 1)
    # Registers of the product and of what is read may be those of multiplier and memory.
    assert found.flip_flops in (1, 33, 51)
    assert sum(found.cells.values()) >= 4


@families
def test_lut_ram(family, tmp_path):
    found = synthesise(design_of(tmp_path, (
        "module top(input c, w, input [3:0] a, b, input [3:0] i, output [3:0] o);\n  reg [3:0] ram [15:0];\n"
        "  always @(posedge c) if (w) ram[a] <= i;\n  assign o = ram[b];\nendmodule\n")), family)
    assert not found.unmapped
    assert found.lut_ram > 0 == found.block_ram


def test_a_cell_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(FAMILIES, "ecp5", replace(FAMILIES["ecp5"], flip_flops=()))
    found = synthesise(design_of(tmp_path, "module top(input c, i, output reg o);\nalways @(posedge c) o <= i;\n"
                                           "endmodule\n"))
    assert found.unmapped == {"TRELLIS_FF": 1}


class TestCommand:
    def test_table(self, tmp_path, monkeypatch, capsys):
        """One line a family, and all of it in the file."""
        small = design_of(tmp_path, "module top(input c, i, output reg o);\nalways @(posedge c) o <= ~i;\n"
                                    "endmodule\n")
        monkeypatch.setattr(Package, "written", small)
        asked = ["gowin", "ecp5", "gowin"]
        assert main(["verilog", "-o", str(tmp_path / "out"), "--top", "guard", "--synth", *asked]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[-3:]] == ["top", "Gowin", "Lattice"]
        kept = json.loads((tmp_path / "out" / "synthesis.json").read_text())
        assert [(each["family"], each["flip_flops"]) for each in kept["synthesis"]] == [("gowin", 1), ("ecp5", 1)]
        assert (kept["khhw"], kept["parameters"]["lanes"]) == (__version__, 2)

    def test_unknown_family(self, tmp_path, capsys):
        assert main(["verilog", "-o", str(tmp_path / "out"), "--top", "guard", "--synth", "ice40"]) == 2
        assert "no FPGA family 'ice40'; there are ecp5, xilinx7, gowin" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_a_latch_is_seen(tmp_path):
    with pytest.raises(BuildError, match="Latch inferred"):
        synthesise(design_of(tmp_path, "module top(input e, input i, output reg o);\n"
                                       "always @* if (e) o = i;\nendmodule\n"))


def test_a_box_that_is_missing(tmp_path):
    with pytest.raises(BuildError, match="missing"):
        synthesise(design_of(tmp_path, "module top(output o);\nmissing part(.o(o));\nendmodule\n"))


def test_found_again(tmp_path, monkeypatch):
    design = design_of(tmp_path, "module top(input a, output b);\nassign b = ~a;\nendmodule\n")
    first = synthesise(design)
    monkeypatch.setattr(synthesis, "_run", None)
    assert synthesise(design) == first
