"""Hint normalisation: which way round each ring a packet goes, decided once, where it is injected.

Per dimension: no distance clears both bits; no bit set takes the shortest way, and where both ways are
as long plus if the parity of the source's coordinate sum is even (so that neighbours take turns), else
minus; one bit is kept if it is a shortest way; the long way and both bits are illegal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Straps

__all__ = ["HintNormaliser", "Hints", "hint_bit", "normalise"]


def hint_bit(direction: int) -> int:
    """The position of a direction's bit in the `hint` field of a header: X+ is the most significant."""
    return 5 - direction


@dataclass(frozen=True)
class Hints:
    """What :func:`normalise` found; the members of :class:`HintNormaliser` of the same names."""

    hint: int
    illegal: bool
    here: bool
    straight: bool
    direction: int
    hops: int


def normalise(sizes: Sequence[int], source: Sequence[int], destination: Sequence[int], hint: int) -> Hints:
    """Normalise the hint bits of a packet.

    Parameters
    ----------
    sizes, source, destination : sequence of 3 int
        Of the torus, and coordinates inside it.
    hint : int
        The 6 bits software gave.
    """
    odd = sum(source) % 2
    bits, illegal = 0, False
    ways: list[tuple[int, int]] = []
    for dimension, (size, start, end) in enumerate(zip(sizes, source, destination, strict=True)):
        plus = (end - start) % size
        if not plus:
            continue
        minus = size - plus
        wants_plus = bool(hint >> hint_bit(2 * dimension) & 1)
        wants_minus = bool(hint >> hint_bit(2 * dimension + 1) & 1)
        illegal |= (wants_plus and (wants_minus or plus > minus)) or (wants_minus and minus > plus)
        goes_minus = wants_minus if wants_plus or wants_minus else minus < plus or (minus == plus and bool(odd))
        direction = 2 * dimension + goes_minus
        bits |= 1 << hint_bit(direction)
        ways.append((direction, min(plus, minus)))
    straight = len(ways) == 1
    direction, hops = ways[0] if straight else (0, 0)
    return Hints(bits, illegal, not ways, straight, direction, hops)


class HintNormaliser(wiring.Component):
    """Normalises the hint bits of a packet at its source. No latency.

    The destination must be inside the torus; otherwise the outputs mean nothing.

    Members
    -------
    straps : In(Straps)
        Torus size and the source's coordinate.
    x, y, z : In(8)
        Destination.
    hint_in : In(6)
        What software gave.
    hint : Out(6)
        One bit a dimension with distance; means nothing if `illegal`.
    illegal : Out(1)
        Both bits of a dimension with distance, or the long way.
    here : Out(1)
        The destination is the source.
    straight : Out(1)
        Exactly one dimension differs: a deposit packet may go there.
    direction : Out(3)
        If `straight` and not `illegal`: the direction it goes, else 0.
    hops : Out(6)
        If `straight` and not `illegal`: its distance, else 0.
    distance : Out(7)
        Hops in all dimensions; means nothing if `illegal`.
    """

    straps: In(Straps)
    x: In(8)
    y: In(8)
    z: In(8)
    hint_in: In(6)
    hint: Out(6)
    illegal: Out(1)
    here: Out(1)
    straight: Out(1)
    direction: Out(3)
    hops: Out(6)
    distance: Out(7)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        odd = Signal()
        m.d.comb += odd.eq(self.straps.x[0] ^ self.straps.y[0] ^ self.straps.z[0])

        differs = Signal(3)
        illegal = Signal(3)
        minuses = []
        distances = []
        for dimension, axis in enumerate("xyz"):
            size = self.straps[f"size_{axis}"]
            end, start = getattr(self, axis)[:6], self.straps[axis]
            plus = Signal(7, name=f"plus_{axis}")
            minus = Signal(7, name=f"minus_{axis}")
            wants = Signal(2, name=f"wants_{axis}")
            goes_minus = Signal(name=f"goes_minus_{axis}")
            way = hint_bit(2 * dimension + 1)
            m.d.comb += [
                plus.eq(Mux(end < start, end - start + size, end - start)),
                minus.eq(size - plus),
                wants.eq(self.hint_in[way:way + 2]),
                differs[dimension].eq(end != start),
                illegal[dimension].eq((wants[1] & (wants[0] | (plus > minus))) | (wants[0] & (minus > plus))),
                goes_minus.eq(Mux(wants.any(), wants[0], (minus < plus) | ((minus == plus) & odd))),
                self.hint[way:way + 2].eq(Cat(goes_minus, ~goes_minus) & differs[dimension].replicate(2)),
            ]
            minuses.append(goes_minus)
            distances.append(Mux(goes_minus, minus, plus)[:6])

        only = [self.straight & differs[dimension] for dimension in range(3)]
        m.d.comb += [
            self.illegal.eq((illegal & differs).any()),
            self.here.eq(~differs.any()),
            self.straight.eq((differs == 0b001) | (differs == 0b010) | (differs == 0b100)),
            self.direction.eq(Cat(reduce(or_, [o & g for o, g in zip(only, minuses, strict=True)]), only[1], only[2])),
            self.hops.eq(reduce(or_, [Mux(o, d, 0) for o, d in zip(only, distances, strict=True)])),
            self.distance.eq(sum(Mux(differs[dimension], d, 0) for dimension, d in enumerate(distances))),
        ]
        return m
