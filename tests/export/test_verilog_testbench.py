"""What ships with the Verilog for its users: an instance to copy, and a testbench that finds faults."""

import os
import re
import shutil
import subprocess

import pytest

from khhw.build.toolchain import find_verilator
from khhw.errors import BuildError
from khhw.export.package import TOPS, write_package
from khhw.export.ports import declared

# Icarus Verilog is optional on a user's machine; .ci/run installs it.
needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
# What takes longer covers little more.
tops = pytest.mark.parametrize("top", [pytest.param(top, marks=[pytest.mark.rare] * (top != "router")) for top in TOPS])

FAULTS = {
    "router": ("tx_0_valid", "1'b0"),
    "guard": ("node_id", "16'd0"),
    "ni": ("host_rdata", "32'h4b484856"),
    "node": ("held", "1'b0"),
    "fabric": ("held", "2'b00"),
}
"""For each top, an output that is made constant, and the constant."""


def written(folder, top, **values):
    return write_package(folder, top, values=values, shape=(2, 1, 1) if top == "fabric" else None)


def run_icarus(package, *options):
    sources = ["khhw_pkg.sv", *(name for name in package.files if name.endswith(".v")), f"{package.module}_tb.sv"]
    subprocess.run(["iverilog", "-g2012", *options, "-s", f"{package.module}_tb", "-o", "tb.vvp", *sources],
                   cwd=package.folder, check=True)
    return subprocess.run(["vvp", "-n", "tb.vvp"], cwd=package.folder, capture_output=True, text=True, check=False)


def run_verilator(package):
    verilator = find_verilator()
    sources = ["khhw_pkg.sv", *(name for name in package.files if name.endswith(".v")), f"{package.module}_tb.sv"]
    command = [verilator.executable, "--binary", "-Wno-fatal", "--top-module", f"{package.module}_tb", "--Mdir", "obj",
               "-CFLAGS", "-std=c++20 -O0", "-MAKEFLAGS", " ".join(verilator.make_variables()), *sources]
    subprocess.run(command, cwd=package.folder, env={**os.environ, **verilator.environment()}, check=True,
                   capture_output=True)
    return subprocess.run([f"./obj/V{package.module}_tb"], cwd=package.folder, capture_output=True, text=True,
                          check=False)


def break_output(package, name, value):
    """Let the top module say something else at an output."""
    source = package.folder / package.files[0]
    text = source.read_text()
    module = text.index(f"module {package.module} (")
    head = re.compile(rf"^  output (?:wire|reg ) (\[\d+:0\] )?{name}\b[^,\n]*", re.MULTILINE)
    broken = text[:module] + head.sub(
        lambda found: f"  output wire {found[1] or ''}{name}_seen", text[module:], count=1).replace(
        "\n);\n", f"\n);\n  reg {head.search(text, module)[1] or ''}{name};\n  assign {name}_seen = {value};\n", 1)
    source.write_text(broken)
    for file in package.files:
        if file.endswith("_instance.svh"):
            path = package.folder / file
            path.write_text(path.read_text().replace(f".{name}({name})", f".{name}_seen({name})"))


class TestTestbench:
    @needs_icarus
    @tops
    def test_passes_on_icarus(self, top, tmp_path):
        result = run_icarus(written(tmp_path, top))
        assert (result.returncode, result.stdout.splitlines()[-1:]) == (0, ["passed"]), result.stdout + result.stderr

    @needs_icarus
    @tops
    def test_finds_a_fault(self, top, tmp_path):
        package = written(tmp_path, top)
        break_output(package, *FAULTS[top])
        result = run_icarus(package)
        assert result.returncode != 0, result.stdout
        assert "passed" not in result.stdout

    @pytest.mark.rare
    @needs_icarus
    @pytest.mark.parametrize(("top", "values"), [("router", {"lanes": 1, "slots": 8}), ("guard", {"lanes": 6})])
    def test_passes_with_other_parameters(self, top, values, tmp_path):
        assert "passed" in run_icarus(written(tmp_path, top, **values)).stdout

    @pytest.mark.rare
    @pytest.mark.parametrize("top", TOPS)
    def test_passes_on_verilator(self, top, tmp_path):
        result = run_verilator(written(tmp_path, top))
        assert result.returncode == 0, result.stdout + result.stderr
        assert "passed" in result.stdout


class TestInstance:
    """The text to copy is complete: a module that holds nothing else is accepted."""

    @pytest.fixture(params=["router", "ni"])
    def package(self, request, tmp_path):
        package = written(tmp_path, request.param)
        (tmp_path / "user.sv").write_text(f'module user;\n`include "{package.module}_instance.svh"\nendmodule\n')
        return package

    def test_every_port_is_connected(self, package):
        verilator = find_verilator()
        command = [verilator.executable, "--lint-only", "-Wall", "-Wno-UNDRIVEN", "-Wno-UNUSEDSIGNAL",
                   "--top-module", "user", "khhw.vlt", "khhw_pkg.sv", package.files[0], "user.sv"]
        result = subprocess.run(command, cwd=package.folder, env={**os.environ, **verilator.environment()},
                                capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    @needs_icarus
    def test_icarus_takes_it(self, package):
        result = subprocess.run(["iverilog", "-g2012", "-t", "null", "-s", "user", "khhw_pkg.sv", package.files[0],
                                 "user.sv"], cwd=package.folder, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout + result.stderr) == (0, "")


class TestDeclared:
    """Ports of the Verilog that are not those of the component stop the export."""

    TEXT = "module m(a);\n  input a;\n  wire a;\nendmodule\n"

    def test_another_port(self):
        with pytest.raises(BuildError, match="not those of its signature: a"):
            declared(self.TEXT, "m", [])

    def test_no_module(self):
        with pytest.raises(BuildError, match="no module n"):
            declared(self.TEXT, "n", [])
