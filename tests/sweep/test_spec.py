"""Specifications: every fault is named with its line, before anything is built."""

import json
import sys

import pytest

from khhw.cli import main
from khhw.sweep.grid import builds, curves
from khhw.sweep.reading import SweepSpecError, load
from tests.sweep.specs import SMALL, written

GRID = "[grid]\nloads = [0.1, 0.2]\nshapes = [[4, 4, 4]]\n"

WRONG = {
    "unknown key": (GRID + "patern = ['uniform']\n", 4, "grid.patern: unknown key; keys here are lengths, loads"),
    "unknown table": (GRID + "[mesure]\n", 4, "mesure: unknown key; keys here are grid"),
    "empty list": ("[grid]\nloads = []\nshapes = [[2, 2, 2]]\n", 2, "grid.loads: has 0 entries; it needs 1 or more"),
    "no loads": ("[grid]\nshapes = [[2, 2, 2]]\n", 1, "grid.loads: Field required"),
    "load too high": ("[grid]\nloads = [\n  0.1,\n  2.5,\n]\nshapes = [[2, 2, 2]]\n", 4, "less than or equal to 2"),
    "no load": ("[grid]\nloads = [0.0]\nshapes = [[2, 2, 2]]\n", 2, "greater than 0"),
    "not a number": ("[grid]\nloads = [nan]\nshapes = [[2, 2, 2]]\n", 2, "grid.loads[0]"),
    "unknown pattern": (GRID + "patterns = ['zigzag']\n", 4, "unknown pattern 'zigzag'; patterns are uniform"),
    "silent pattern": ("[grid]\nloads = [1]\nshapes = [[2, 1, 2]]\npatterns = ['tornado']\n", 4,
                       "tornado does not go with [2, 1, 2]: every node would send to itself"),
    "shape too large": ("[grid]\nloads = [1]\nshapes = [[65, 1, 1]]\n", 3, "three sizes from 1 to 64"),
    "one node": ("[grid]\nloads = [1]\nshapes = [[1, 1, 1]]\n", 3, "two nodes or more"),
    "table too small": ("[grid]\nloads = [1]\nshapes = [[8, 8, 8]]\n", 3, "make it 512"),
    "given table too small": (GRID + "[node]\ntable_nodes = 32\n", 5, "node.table_nodes: table_nodes is 32"),
    "one table too small": (GRID + "[grid.node]\ntable_nodes = [64, 32]\n", 5, "grid.node.table_nodes: table_nodes"),
    "no such parameter": (GRID + "[node]\nslotz = 3\n", 5, "no such parameter of a node; parameters are lanes, slots"),
    "no such varied parameter": (GRID + "[grid.node]\nslotz = [3]\n", 5, "no such parameter of a node"),
    "parameter out of range": (GRID + "[grid.node]\nslots = [3,\n 9]\n", 6, "slots must be an integer from 3 to 8"),
    "fixed and varied": (GRID + "[node]\nslots = 3\n[grid.node]\nslots = [3, 4]\n", 7, "either varied or fixed"),
    "traffic": (GRID + "[node]\ntraffic = true\n", 5, "leave it out"),
    "repeated load": ("[grid]\nloads = [0.1, 0.2, 0.1]\nshapes = [[2, 2, 2]]\n", 2, "0.1 is in the list twice"),
    "repeated lengths": (GRID + "lengths = [[1, 8], [8, 1]]\n", 4, "in the list twice"),
    "packet too long": (GRID + "lengths = [[9]]\n", 4, "less than or equal to 8"),
    "more than a packet a cycle": ("[grid]\nloads = [2]\nshapes = [[3, 3, 3]]\nlengths = [[1]]\n[node]\nlanes = 6\n", 2,
                                   "1.44 packets a cycle"),
    "hot spot outside": (GRID + "patterns = ['hot_spot']\n[hot_spot]\nnode = 64\n", 6, "nodes are 0 to 63"),
    "unequal batches": (GRID + "[measure]\ncycles = 1001\n", 4, "make cycles 1010"),
    "search upside down": (GRID + "[saturation]\nzero_load = 0.5\nhighest = 0.4\n", 5, "below highest, 0.4"),
    "no such part": (GRID + "[parts]\nrouter = 'nowhere:Router'\n", 5, "no module 'nowhere'"),
    "not TOML": ("[grid\n", 1, "is not TOML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_fault_has_its_line_and_mend(case, tmp_path):
    text, line, message = WRONG[case]
    with pytest.raises(SweepSpecError) as caught:
        load(written(tmp_path, text))
    assert (caught.value.line, message in caught.value.message) == (line, True), str(caught.value)


RIGHT = """\
name = "right"
[grid]
loads = [0.1, 0.2]
shapes = [[4, 4, 4], [2, 2, 2]]
patterns = ["uniform", "hot_spot"]
lengths = [[8], [4, 8]]
seeds = [1, 2]
[grid.node]
slots = [3, 4]
lanes = [1, 2]
[node]
table_nodes = 64
memory_bytes = 65536
[parts]
router = "rtl.torus.router:Router"
[hot_spot]
node = 3
share = 0.2
[measure]
warmup = 100
cycles = 1000
batches = 10
drain = 1000
extend = 4
[saturation]
search = true
tolerance = 0.1
latency = 3.0
zero_load = 0.02
highest = 0.9
"""
LINES = RIGHT.splitlines()
SLIPS = {
    3: "loads = [0.1, 2.5]", 4: "shapes = [[4, 4, 0], [2, 2, 2]]", 5: 'patterns = ["hot_spot", "zigzag"]',
    6: "lengths = [[8], [9]]", 7: "seeds = [1, 1]", 9: "slots = [3, 9]", 10: "lanes = [1, 7]", 13: "memory_byte = 5",
    15: 'router = "nowhere:Router"', 17: "node = 64", 22: "batches = 7", 26: "search = 1", 27: "tolerance = 0.9"}
"""By line, what has nothing to do with the others."""


def faults(tmp_path, lines):
    text = "\n".join(lines.get(number, line) for number, line in enumerate(LINES, 1)) + "\n"
    try:
        load(written(tmp_path, text))
    except SweepSpecError as error:
        return error.problems
    return []


def test_it_is_right(tmp_path):
    assert faults(tmp_path, {}) == []


@pytest.mark.parametrize("line", [number for number, line in enumerate(LINES, 1) if " = " in line])
def test_nothing_follows_from_a_misspelt_key_or_a_value_of_another_kind(line, tmp_path):
    key, _, value = LINES[line - 1].partition(" = ")
    (found,) = faults(tmp_path, {line: f"{key}x = {value}"})
    assert found[0] == line
    (found,) = faults(tmp_path, {line: f"{key} = {7 if value == 'true' else 'true'}"})
    assert found[0] == line


@pytest.mark.parametrize("line", [number for number, line in enumerate(LINES, 1) if line.startswith("[")])
def test_nothing_follows_from_a_misspelt_table(line, tmp_path):
    (found,) = faults(tmp_path, {line: LINES[line - 1].replace("[", "[x")})
    assert found[0] == line and "unknown key" in found[1]


def test_many_slips_are_as_many_faults(tmp_path):
    apart = [faults(tmp_path, {line: SLIPS[line]}) for line in SLIPS]
    assert [[line for line, _ in found] for found in apart] == [[line] for line in SLIPS]
    assert faults(tmp_path, SLIPS) == [found for (found,) in apart]


def test_command_refuses_before_anything_is_made(tmp_path, capsys):
    path = written(tmp_path, WRONG["unknown key"][0])
    assert main(["sweep", str(path), "-o", str(tmp_path / "out")]) == 2
    assert f"{path}:4: grid.patern" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_points_are_the_product(tmp_path):
    text = GRID + """patterns = ["uniform", "hot_spot"]
lengths = [[8], [1, 8]]
seeds = [1, 2, 3]
[grid.node]
slots = [3, 4]
lanes = [1, 2]
[node]
memory_bytes = 4096
"""
    path = written(tmp_path, text)
    spec = load(path)
    found = curves(spec, tmp_path)
    assert len(found) == len(set(found)) == 2 * 2 * 3 * 4
    assert {(c.build.node.slots, c.build.node.lanes) for c in found} == {(3, 1), (3, 2), (4, 1), (4, 2)}
    assert all(c.build.node.traffic and c.build.node.memory_bytes == 4096 for c in found)
    assert {c.hot_share for c in found if c.pattern == "uniform"} == {0.0}
    assert {c.hot_share for c in found if c.pattern == "hot_spot"} == {0.1}
    assert len(builds(spec, tmp_path)) == 4


def test_the_folder_of_parts_is_no_part_of_a_point(tmp_path):
    spec = load(written(tmp_path, SMALL))
    here, there = curves(spec, tmp_path), curves(spec, tmp_path / "elsewhere")
    assert [c.identity("b", "v") for c in here] == [c.identity("b", "v") for c in there]


def test_identity_is_of_everything(tmp_path):
    point = curves(load(written(tmp_path)), tmp_path)[0].at(0.5)
    names = {point.identity("b", "v"), point.identity("c", "v"), point.identity("b", "w"),
             point.at(0.50001).identity("b", "v")}
    assert len(names) == 4
    assert type(point).from_dict(point.as_dict()) == point


class TestRequest:
    """What is wrong with a request beside its specification: exit code 2, one line, nothing made."""

    @pytest.fixture
    def refused(self, tmp_path, capsys):
        def run(*options):
            out = tmp_path / "out"
            assert main(["sweep", str(written(tmp_path)), "-o", str(out), *options]) == 2
            assert not out.is_dir()
            printed = capsys.readouterr()
            assert printed.out == ""
            return printed.err

        return run

    @pytest.mark.parametrize("module", ["distributed", "pyarrow"])
    def test_missing_extra(self, refused, monkeypatch, module):
        monkeypatch.setitem(sys.modules, module, None)
        assert "which is not installed; install it with: pip install 'khhw[cluster]'" in refused()

    def test_no_compiler(self, refused, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        assert "cannot build a simulation without" in refused()

    def test_address_that_is_none(self, refused):
        assert "'nonsense' is no address of a scheduler; one is tcp://host:8786" in refused("--scheduler", "nonsense")

    def test_no_workers(self, refused):
        assert "--workers takes a number from 1" in refused("--workers", "0")
        assert "not with --scheduler" in refused("--workers", "2", "--scheduler", "tcp://127.0.0.1:1")

    def test_a_file_where_the_folder_is_to_be(self, refused, tmp_path):
        (tmp_path / "out").write_text("")
        assert "is a file; -o takes a folder" in refused()

    def test_no_specification(self, capsys):
        assert main(["sweep"]) == 2
        assert "for example examples/sweep.toml" in capsys.readouterr().err


def test_schema(capsys):
    assert main(["sweep", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "SweepSpec"
