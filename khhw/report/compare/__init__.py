"""Two runs of the same experiment on different hardware, one over the other."""

from khhw.report.compare.pair import MismatchError, Pair
from khhw.report.compare.write import write_comparison

__all__ = ["MismatchError", "Pair", "write_comparison"]
