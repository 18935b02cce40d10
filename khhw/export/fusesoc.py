"""The core file by which FuseSoC finds, checks, simulates and synthesises an exported module."""

from collections.abc import Sequence

from khhw._version import __version__
from khhw.export.banner import banner
from khhw.export.sv_package import PACKAGE
from rtl.parameters import Parameters

__all__ = ["core_file"]


def core_file(module: str, what: str, parameters: Parameters, verilog: Sequence[str]) -> str:
    """Text of ``MODULE.core``: targets `lint`, `sim` and `synth`.

    Parameters
    ----------
    module : str
        The top module.
    what : str
        What it is, on one line.
    parameters : Parameters
        What it was generated for.
    verilog : sequence of str
        Its files.
    """
    files = "\n".join(f"      - {name}" for name in verilog)
    return f"""\
CAPI=2:
{banner('#', what, parameters)}

name: khhw:rtl:{module}:{__version__}
description: "khhw: {what}"

filesets:
  rtl:
    files:
{files}
    file_type: verilogSource
  package:
    files:
      - {PACKAGE}.sv
      - {module}_instance.svh:
          is_include_file: true
    file_type: systemVerilogSource
  software:
    files:
      - khhw.h:
          is_include_file: true
    file_type: cSource
  waivers:
    files:
      - khhw.vlt
    file_type: vlt
  testbench:
    files:
      - {module}_tb.sv
    file_type: systemVerilogSource

targets:
  default: &default
    filesets:
      - package
      - rtl
    toplevel: {module}
  lint:
    <<: *default
    description: Verilator's lint, all warnings on
    flow: lint
    flow_options:
      tool: verilator
      verilator_options:
        - -Wall
    filesets:
      - waivers
      - package
      - rtl
  sim:
    <<: *default
    description: The testbench, with Icarus Verilog, or Verilator by --tool verilator
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options:
        - -g2012
      mode: binary
      verilator_options:
        - -Wno-fatal
        - -CFLAGS -std=c++20
    filesets:
      - package
      - rtl
      - testbench
    toplevel: {module}_tb
  synth:
    <<: *default
    description: Yosys for the Lattice ECP5, or another family by --arch xilinx and the like
    flow: generic
    flow_options:
      tool: yosys
      arch: ecp5
      output_format: json
    filesets:
      - rtl
"""
