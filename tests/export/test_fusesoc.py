"""The core file, by FuseSoC itself."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pytest

from khhw._version import __version__
from khhw.build.toolchain import find_verilator
from khhw.export.package import write_package

# FuseSoC comes with the extra dev; who only uses khhw may lack it.
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("fusesoc"), reason="needs FuseSoC (pip install fusesoc)")


@pytest.fixture
def core(tmp_path):
    """A folder with a small guard as a core."""
    return write_package(tmp_path / "cores", "guard", values={"lanes": 1, "table_nodes": 8}).folder


def fusesoc(core, target, *options):
    """Run a target of the core, with khhw's Verilator in the search path."""
    verilator = find_verilator()
    homes = {f"XDG_{name}_HOME": str(core.parent / name.lower()) for name in ("CONFIG", "CACHE", "DATA")}
    environment = {**os.environ, **verilator.environment(), **homes,
                   "MAKEFLAGS": " ".join(verilator.make_variables())}
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", core, "run", "--work-root", core.parent / target,
               "--target", target, f"khhw:rtl:khhw_guard:{__version__}", *options]
    return subprocess.run(command, cwd=core.parent, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.rare
def test_lint(core):
    result = fusesoc(core, "lint")
    assert result.returncode == 0, result.stdout + result.stderr
    source = core / "khhw_guard.v"
    source.write_text(source.read_text().replace("endmodule", "  assign nowhere = clk;\nendmodule", 1))
    broken = fusesoc(core, "lint")
    assert broken.returncode != 0
    assert "nowhere" in broken.stdout + broken.stderr


# Icarus Verilog is optional on a user's machine; .ci/run installs it.
@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
def test_sim(core):
    result = fusesoc(core, "sim")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed" in result.stdout.splitlines()
    testbench = core / "khhw_guard_tb.sv"
    testbench.write_text(testbench.read_text().replace("left == FLITS", "left == 0"))
    assert fusesoc(core, "sim").returncode != 0


@pytest.mark.rare
def test_sim_with_verilator(core):
    result = fusesoc(core, "sim", "--tool", "verilator")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed" in result.stdout.splitlines()


# FuseSoC drives Yosys by Tcl, which the Yosys of pip has not; .ci/run installs Debian's.
@pytest.mark.skipif(not shutil.which("yosys"), reason="needs a Yosys of the system (apt-get install yosys)")
@pytest.mark.rare
@pytest.mark.parametrize(("options", "cell"), [((), "TRELLIS_FF"), (("--arch", "xilinx"), "FDRE")])
def test_synth(core, options, cell):
    result = fusesoc(core, "synth", *options)
    assert result.returncode == 0, result.stdout + result.stderr
    (netlist,) = (core.parent / "synth").glob("*.json")
    modules = json.loads(netlist.read_text())["modules"]
    # synth_xilinx keeps the hierarchy.
    below = {name for name in modules if name.startswith("khhw_guard")}
    assert cell in {found["type"] for name in below for found in modules[name]["cells"].values()}
