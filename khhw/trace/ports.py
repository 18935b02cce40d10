"""Names of ports in the waves, from the signatures the RTL is made of."""

from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

__all__ = ["members"]


def members(signature: wiring.Signature) -> dict[str, int]:
    """Ports of a signature: names as in Verilog, and widths in bits.

    Parameters
    ----------
    signature : Signature
        Of a block, as in :mod:`rtl.signatures`.
    """
    found: dict[str, int] = {}
    _add(found, "", signature)
    return found


def _add(found: dict[str, int], prefix: str, signature: Any) -> None:
    for name, member in signature.members.items():
        for indices in _indices(member.dimensions):
            path = "__".join(filter(None, (prefix, name, *map(str, indices))))
            if member.is_port:
                found[path] = Shape.cast(member.shape).width
            else:
                _add(found, path, member.signature)


def _indices(dimensions: tuple[int, ...]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for size in dimensions:
        found = [(*indices, index) for indices in found for index in range(size)]
    return found
