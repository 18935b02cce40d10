"""The Verilog package: complete, clean, and refused when it cannot be made."""

import json
import re
import subprocess

import pytest

from khhw._version import __version__
from khhw.cli import main
from khhw.errors import BuildError, RequestError
from khhw.export.netlist import read_modules
from khhw.export.package import TOPS, WAIVERS, lint, parse_values, write_package
from rtl.fabric import straps_of
from rtl.formats import Straps
from rtl.parameters import Parameters


# A node takes longer than its parts together, and eight nodes longer still; two are linted below.
@pytest.fixture(scope="module", params=[
    pytest.param(top, marks=[pytest.mark.rare] * (top in ("node", "fabric"))) for top in TOPS])
def package(request, tmp_path_factory):
    return write_package(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def names(package):
    return json.loads((package.folder / "names.json").read_text())


def head_of(package):
    """The declaration of the top module and its ports."""
    text = (package.folder / package.files[0]).read_text()
    body = text[re.search(rf"^module {package.module} \(", text, re.MULTILINE).start():]
    return body[:body.index("\n);\n")]


class TestPackage:
    def test_lint_is_clean(self, package):
        lint(package)

    def test_files(self, package):
        assert {path.name for path in package.folder.iterdir()} == set(package.files)
        top = package.folder.name.rstrip("0123456789")
        verilog = ["khhw_fabric.v", "khhw_node.v"] if top == "fabric" else [f"khhw_{top}.v"]
        assert list(package.files) == [
            *verilog, "khhw.h", "khhw_pkg.sv", f"khhw_{top}_instance.svh", f"khhw_{top}_tb.sv", "khhw.vlt",
            f"khhw_{top}.core", "names.json"]

    def test_every_file_says_what_it_is(self, package, names):
        for name in package.files:
            text = (package.folder / name).read_text()
            if name != "names.json":
                head = text[:1000]
                assert f"khhw {__version__}: " in head, name
                assert "SPDX-License-Identifier: Apache-2.0\n" in head, name
                assert "lanes=2 slots=3 table_nodes=64 memory_bytes=65536" in head, name
        assert (names["khhw"], names["licence"]) == (__version__, "Apache-2.0")

    def test_ports_are_those_of_the_module(self, package, names):
        """In the order of the signature, clock and reset first; each with a meaning in front of its group."""
        head = head_of(package)
        found = re.findall(r"^  (input|output) +(?:wire|reg) +(?:\[(\d+):0\] )?(\w+)[ ,]?", head, re.MULTILINE)
        declared = [(name, direction, int(high or 0) + 1) for direction, high, name in found]
        assert declared == [(port["name"], port["direction"], port["width"]) for port in names["ports"]]
        assert [name for name, _, _ in declared[:2]] == ["clk", "rst"]
        assert not [name for name, _, _ in declared if "__" in name]
        groups = re.findall(r"\n\n?  // (\w+): (.*)\n", head)
        assert groups
        assert all(meaning for _, meaning in groups)
        assert {group for group, _ in groups} >= {"clk", "rst"}

    def test_structs_have_types(self, names):
        kinds = {port["name"]: port["type"] for port in names["ports"]}
        expected = {"straps": "straps_t", "inject_0_payload": "flit_t", "tx_5_flit": "flit_t",
                    "owner_in_payload": "tree_flit_t", "memory_write_payload": "memory_write_t", "now": None}
        for name, kind in expected.items():
            if name in kinds:
                assert kinds[name] == (kind or "logic [63:0]")

    def test_modules_exist(self, names):
        assert names["module"] in names["modules"]
        for module in names["modules"].values():
            assert set(module["instances"].values()) <= set(names["modules"])

    def test_core_file_names_the_files(self, package):
        text = (package.folder / f"{package.module}.core").read_text()
        assert text.startswith("CAPI=2:\n")
        listed = re.findall(r"^      - (\w[\w.]*\.\w+):?$", text, re.MULTILINE)
        assert sorted(listed) == sorted(set(package.files) - {"names.json", f"{package.module}.core"})


class TestNames:
    def test_node_memory(self, tmp_path):
        write_package(tmp_path, "node")
        names = json.loads((tmp_path / "names.json").read_text())
        memory = names["modules"]["khhw_node"]["instances"]["memory"]
        sizes = {memory["bits"] * memory["words"] for memory in names["modules"][memory]["memories"].values()}
        assert Parameters().memory_bytes * 8 in sizes
        assert sum(field["width"] for field in names["straps"].values()) == Straps.size

    @pytest.mark.rare
    def test_fabric_nodes(self, tmp_path):
        lint(write_package(tmp_path, "fabric", shape=(2, 1, 1)))
        names = json.loads((tmp_path / "names.json").read_text())
        assert names["shape"] == [2, 1, 1]
        assert [node["instance"] for node in names["nodes"]] == ["node_0", "node_1"]
        assert names["nodes"][1]["straps"] == straps_of(1, (2, 1, 1))

    def test_same_request_same_bytes(self, tmp_path):
        for name in ("a", "b"):
            write_package(tmp_path / name, "guard", values={"lanes": 1})
        for path in (tmp_path / "a").iterdir():
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()

    def test_parameters_arrive(self, tmp_path):
        write_package(tmp_path, "ni", values={"counters": 64})
        assert json.loads((tmp_path / "names.json").read_text())["parameters"]["counters"] == 64
        assert "#define KHHW_PARAM_COUNTERS 64u" in (tmp_path / "khhw.h").read_text()

    def test_read_modules(self):
        text = ("module \\a.b (x);\n  reg [7:0] ram [15:0];\n  \\c$d  inner (\n    .x(x)\n  );\nendmodule\n"
                "module \\c$d (x);\n  reg flag [3:0];\nendmodule\n")
        modules = read_modules(text)
        assert modules["a.b"].instances == {"inner": "c$d"}
        assert modules["a.b"].memories == {"ram": (8, 16)}
        assert modules["c$d"].memories == {"flag": (1, 4)}


class TestLint:
    def test_smallest_table(self, tmp_path):
        """Its index has no bits, which Verilog cannot say."""
        lint(write_package(tmp_path, "guard", values={"lanes": 1, "table_nodes": 8}))

    def test_a_fault_is_found(self, tmp_path):
        package = write_package(tmp_path, "guard")
        source = tmp_path / "khhw_guard.v"
        source.write_text(source.read_text().replace("endmodule", "  assign nowhere = clk;\nendmodule", 1))
        with pytest.raises(BuildError, match="nowhere"):
            lint(package)

    @pytest.mark.rare
    def test_no_waiver_is_idle(self, tmp_path):
        package = write_package(tmp_path, "node")
        (tmp_path / "khhw.vlt").write_text("`verilator_config\n")
        with pytest.raises(BuildError) as caught:
            lint(package)
        assert set(re.findall(r"%Warning-([A-Z]+)", str(caught.value))) == set(WAIVERS)


class TestWrongRequests:
    @pytest.mark.parametrize(("arguments", "message"), [
        (["--top", "cpu"], "no top 'cpu'; there are ni, router, guard, node, fabric"),
        (["--top", "node", "--nodes", "2x2x2"], "only a fabric has a number of nodes"),
        (["--top", "fabric", "--nodes", "2x2"], "nodes are given as XxYxZ, for example 2x2x2, not '2x2'"),
        (["--top", "fabric", "--nodes", "0x2x2"], "three sizes from 1 to 64, not [0, 2, 2]"),
        (["--top", "fabric", "--nodes", "64x64x64"], "need 18 bits; 16 are the limit"),
        (["--top", "fabric", "--nodes", "8x8x8"], "too few for the ids of a torus [8, 8, 8]: make it 512"),
        (["--top", "node", "-P", "lanes"], "a parameter is given as NAME=VALUE, not 'lanes'"),
        (["--top", "node", "-P", "lane=2"], "no parameter 'lane'; parameters are lanes, slots"),
        (["--top", "node", "-P", "lanes=7"], "lanes must be an integer from 1 to 6, not 7"),
        (["--top", "node", "-P", "lanes=two"], "lanes must be an integer from 1 to 6, not 'two'"),
        (["--top", "node", "-P", "counters=3"], "counters must be a power of two, not 3"),
    ])
    def test_message_and_code(self, arguments, message, tmp_path, capsys):
        assert main(["verilog", "-o", str(tmp_path / "out"), *arguments]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_folder_that_cannot_be_made(self, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        assert main(["verilog", "-o", str(tmp_path / "file" / "out"), "--top", "guard"]) == 2
        assert "cannot write to" in capsys.readouterr().err

    def test_hexadecimal_values(self):
        assert parse_values(["memory_bytes=0x4000", "bubble=off"]) == {"memory_bytes": 16384, "bubble": "off"}
        with pytest.raises(RequestError, match="bubble must be one of"):
            parse_values(["bubble=sometimes"])


def test_json(tmp_path, capsys):
    assert main(["verilog", "-o", str(tmp_path), "--top", "router", "-P", "lanes=1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["parameters"]["lanes"] == 1
    assert answer["results"]["module"] == "khhw_router"


def test_header_of_a_package_compiles(tmp_path):
    write_package(tmp_path, "guard")
    command = ["gcc", "-std=c99", "-Wall", "-Werror", "-fsyntax-only", "-x", "c", "khhw.h"]
    subprocess.run(command, cwd=tmp_path, check=True)
