"""Reports of runs: pictures, an HTML page, a summary on the terminal."""

from khhw.report.terminal import print_summary
from khhw.report.write import write_report

__all__ = ["print_summary", "write_report"]
