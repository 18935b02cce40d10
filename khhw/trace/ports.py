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
        for place in _places(member.dimensions):
            path = "__".join(filter(None, (prefix, name, *map(str, place))))
            if member.is_port:
                found[path] = Shape.cast(member.shape).width
            else:
                _add(found, path, member.signature)


def _places(dimensions: tuple[int, ...]) -> list[tuple[int, ...]]:
    places: list[tuple[int, ...]] = [()]
    for size in dimensions:
        places = [(*place, index) for place in places for index in range(size)]
    return places
