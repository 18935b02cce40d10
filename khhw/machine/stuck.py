"""Where packets are in a machine that came to no end."""

from collections.abc import Callable

from khhw.node import Shape
from rtl.parameters import Parameters

__all__ = ["stuck_packets"]


def stuck_packets(shape: Shape, parameters: Parameters, read: Callable[[str], int]) -> list[str]:
    """Every packet whose head waits."""
    return []
