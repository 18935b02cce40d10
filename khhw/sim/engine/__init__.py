"""The native engine: machines of thousands of nodes, one verilated node for all of them."""

from khhw.sim.engine.engine import NEVER, Engine
from khhw.sim.engine.library import Reason

__all__ = ["NEVER", "Engine", "Reason"]
