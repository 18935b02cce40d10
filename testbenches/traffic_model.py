"""What the traffic generator sends and where to, in plain Python."""

from collections.abc import Sequence

from rtl.formats import Header, TrafficHeader, pack
from rtl.registers import Pattern
from rtl.torus.coordinates import coordinate_of, rank_of
from testbenches.kit.stream import Packet

__all__ = ["bin_of", "destination_of", "traffic_packet", "xorshift"]

Coordinate = tuple[int, int, int]

MASK = (1 << 64) - 1


def xorshift(state: int) -> int:
    """The state of a 64-bit xorshift generator (13, 7, 17) after `state`."""
    state ^= state << 13 & MASK
    state ^= state >> 7
    return state ^ state << 17 & MASK


def traffic_packet(
    destination: Sequence[int], source: int, *, size: int, generated: int, number: int = 0, recorded: int = 1,
    bad: bool = False, **header: int,
) -> Packet:
    """A packet as the generator of node id `source` makes it, of ``size + 1`` chunks; `header` has other fields."""
    x, y, z = destination
    head = pack(Header, **{"pid0": 1, "pid1": 1, "vc": 2, "size": size, "x": x, "y": y, "z": z, "source": source,
                           **header})
    software = pack(TrafficHeader, generated=generated & 0xFFFFFFFF, number=number, recorded=recorded)
    state = software ^ (x << 56 | y << 48 | z << 40 | source << 24 | 0x9E3779)
    words = [head, software]
    for _ in range(4 * size + 2):
        state = xorshift(state)
        words.append(state)
    return Packet(tuple(words), bad)


def destination_of(
    pattern: Pattern, coordinate: Coordinate, sizes: Coordinate, target: Coordinate = (0, 0, 0),
) -> Coordinate:
    """Where the node at `coordinate` sends by a pattern without chance."""
    x, y, z = coordinate
    if pattern is Pattern.TARGET:
        return target
    if pattern is Pattern.TRANSPOSE:
        return coordinate_of(rank_of((z, y, x), sizes[::-1]), sizes)
    step = {
        Pattern.BIT_COMPLEMENT: lambda at, size: size - 1 - at,
        Pattern.TORNADO: lambda at, size: (at + -(-size // 2) - 1) % size,
        Pattern.NEIGHBOUR: lambda at, size: (at + 1) % size,
    }[pattern]
    a, b, c = (step(at, size) for at, size in zip(coordinate, sizes, strict=True))
    return a, b, c


def bin_of(latency: int) -> int:
    """The bin of the histogram a latency belongs to."""
    if latency < 16:
        return latency
    octave = latency.bit_length() - 1
    return min(127, 8 * (octave - 2) + (latency >> octave - 3 & 7))
