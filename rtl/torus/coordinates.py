"""Places in a torus: coordinates, dense ranks and node ids, in Python and in hardware.

A dense rank counts nodes with x fastest. A node id is a coordinate packed as {z, y, x}, ceil(log2 size) bits each; the
functions on integers and the components compute the same, and in hardware the torus size comes from straps.
"""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Direction, Straps

__all__ = [
    "Coordinate", "CoordinatePacker", "CoordinateUnpacker", "ID_BITS", "coordinate_of", "id_bits", "neighbour_of",
    "node_coordinates", "node_id", "rank_of", "size_bits",
]

Coordinate = tuple[int, int, int]

ID_BITS = 16
_SIZES = ("size_x", "size_y", "size_z")


def coordinate_of(rank: int, sizes: Sequence[int]) -> Coordinate:
    """Coordinate of a dense rank."""
    return rank % sizes[0], rank // sizes[0] % sizes[1], rank // (sizes[0] * sizes[1])


def rank_of(coordinate: Sequence[int], sizes: Sequence[int]) -> int:
    """Dense rank of a coordinate."""
    x, y, z = coordinate
    return x + sizes[0] * (y + sizes[1] * z)


def neighbour_of(rank: int, direction: Direction | int, sizes: Sequence[int]) -> int:
    """Rank of the next node in a direction; the node itself in a dimension of size 1."""
    coordinate, dimension = list(coordinate_of(rank, sizes)), direction // 2
    coordinate[dimension] = (coordinate[dimension] + (-1 if direction % 2 else 1)) % sizes[dimension]
    return rank_of(coordinate, sizes)


def id_bits(sizes: Sequence[int]) -> int:
    """Bits of the node ids of a torus."""
    return sum(map(size_bits, sizes))


def size_bits(size: int) -> int:
    """Bits of a coordinate in a dimension of `size` nodes: 0 to 6."""
    return (size - 1).bit_length()


def node_id(sizes: Sequence[int], coordinates: Sequence[int]) -> int:
    """The id of the node at (x, y, z) in a torus of `sizes`.

    Raises
    ------
    ValueError
        If a coordinate is outside the torus.
    """
    packed, shift = 0, 0
    for size, coordinate in zip(sizes, coordinates, strict=True):
        if not 0 <= coordinate < size:
            raise ValueError(f"coordinate {tuple(coordinates)!r} is outside a torus of {tuple(sizes)!r}")
        packed |= coordinate << shift
        shift += size_bits(size)
    return packed


def node_coordinates(sizes: Sequence[int], packed: int) -> Coordinate:
    """The fields (x, y, z) of a node id; a field can lie outside a size that is no power of two."""
    found = []
    for size in sizes:
        found.append(packed & (1 << size_bits(size)) - 1)
        packed >>= size_bits(size)
    x, y, z = found
    return x, y, z


def _bits_of(size: Value) -> Value:
    """:func:`size_bits` in hardware, 3 bits."""
    bits: Value = Const(0, 3)
    for count in range(1, 7):
        bits = Mux(size > 1 << count - 1, Const(count, 3), bits)
    return bits


class CoordinatePacker(wiring.Component):
    """Packs a coordinate to a node id. No latency.

    Members
    -------
    straps : In(Straps)
    x, y, z : In(8)
        A coordinate, as in a packet header.
    id : Out(16)
        Its node id; means nothing unless `inside`.
    inside : Out(1)
        The coordinate is in the torus.
    """

    straps: In(Straps)
    x: In(8)
    y: In(8)
    z: In(8)
    id: Out(ID_BITS)
    inside: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        bits_x = Signal(3)
        bits_y = Signal(3)
        m.d.comb += [
            bits_x.eq(_bits_of(self.straps.size_x)),
            bits_y.eq(_bits_of(self.straps.size_y)),
            self.inside.eq(
                (self.x < self.straps.size_x) & (self.y < self.straps.size_y) & (self.z < self.straps.size_z)
            ),
        ]
        zy = Signal(ID_BITS)
        m.d.comb += [
            zy.eq(self.y[:6] | self.z[:6] << bits_y),
            self.id.eq(self.x[:6] | zy << bits_x),
        ]
        return m


class CoordinateUnpacker(wiring.Component):
    """Splits a node id in its coordinate. No latency.

    Members
    -------
    straps : In(Straps)
    id : In(16)
    x, y, z : Out(8)
        As in a packet header. A field can lie outside a size that is no power of two.
    """

    straps: In(Straps)
    id: In(ID_BITS)
    x: Out(8)
    y: Out(8)
    z: Out(8)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        rest: Value = self.id
        for size, field in zip(_SIZES, (self.x, self.y, self.z), strict=True):
            bits = Signal(3)
            mask = Signal(6)
            above = Signal(ID_BITS, name=f"above_{size}")
            m.d.comb += [
                bits.eq(_bits_of(self.straps[size])),
                mask.eq((1 << bits) - 1),
                field.eq(rest[:6] & mask),
                above.eq(rest >> bits),
            ]
            rest = above
        return m
