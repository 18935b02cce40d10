"""Conversion of the RTL to Verilog, and compilation of the Verilog to simulators."""

from khhw.build.design import Design, PublicSignal, convert
from khhw.build.results import CaseResult, RunResult
from khhw.build.simulator import Simulation, SimulationBuild
from khhw.errors import BuildError, RequestError

__all__ = [
    "BuildError", "CaseResult", "Design", "PublicSignal", "RequestError", "RunResult", "Simulation",
    "SimulationBuild", "convert",
]
