"""Sweep specifications for tests."""

from pathlib import Path

SMALL = """
name = "Small"
[grid]
loads = [0.1, 0.5, 0.9]
shapes = [[4, 4, 4]]
patterns = ["uniform", "tornado"]
[measure]
warmup = 100
cycles = 1000
[saturation]
tolerance = 0.05
"""
"""6 points of a grid; with the network of :mod:`tests.sweep.fake` the searches need 10 more."""


def written(folder: Path, text: str = SMALL) -> Path:
    """A file with a specification."""
    path = folder / "sweep.toml"
    path.write_text(text)
    return path
