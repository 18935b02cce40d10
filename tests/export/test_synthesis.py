"""The node can be built for an FPGA: no latches, nothing the FPGA does not have, memories in memories."""

import json
import re
from pathlib import Path

import pytest

from khhw.build.design import Design, convert
from khhw.errors import BuildError
from khhw.export import synthesis
from khhw.export.synthesis import synthesise

README = Path(__file__).parents[2] / "README.md"


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
    assert found.lut4 > 1000
    assert found.flip_flops > 1000
    # The node memory alone: 256 bits a word take eight memories of 36 bits each, four times for its depth.
    assert found.block_ram >= 32
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()
    shown = re.search(r"^\| two lanes, .* \| ([\d,]+) \| ([\d,]+) \| (\d+) \| (\d+) \|$", README.read_text(),
                      re.MULTILINE)
    assert shown, "README has a table of this"
    luts, flip_flops, block, distributed = (int(number.replace(",", "")) for number in shown.groups())
    assert (luts, flip_flops) == pytest.approx((found.lut4, found.flip_flops), rel=0.02)
    assert (block, distributed) == (found.block_ram, found.distributed_ram)


def test_counts(tmp_path):
    found = synthesise(design_of(tmp_path, "module top(input c, input [3:0] i, output reg o);\n"
                                           "always @(posedge c) o <= ^i;\nendmodule\n"))
    assert (found.lut4, found.flip_flops, found.block_ram) == (1, 1, 0)
    assert not found.unmapped


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
