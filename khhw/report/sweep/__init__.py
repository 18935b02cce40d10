"""What a sweep has to say: latency over load, saturation, a page, a summary."""

from khhw.report.sweep.terminal import SweepView, print_sweep
from khhw.report.sweep.write import write_sweep

__all__ = ["SweepView", "print_sweep", "write_sweep"]
