"""Where a node is in a torus: dense rank, node id and coordinate."""

from collections.abc import Iterator
from dataclasses import dataclass

from rtl.formats import Direction
from rtl.torus.coordinates import Coordinate, coordinate_of, neighbour_of, node_coordinates, node_id, rank_of

__all__ = ["Coordinate", "Shape"]


@dataclass(frozen=True)
class Shape:
    """Size of a torus, and what follows from it.

    People and the tree use the dense *rank* ``x + X (y + Y z)``; tables and stamps use the *node id*,
    {z, y, x} packed into ``ceil(log2 size)`` bits each.

    Parameters
    ----------
    x, y, z : int
        Nodes along each dimension, 1 to 64.

    Raises
    ------
    ValueError
        If a size is out of range.
    """

    x: int
    y: int
    z: int

    def __post_init__(self) -> None:
        for name, size in zip("xyz", self.sizes, strict=True):
            if not 1 <= size <= 64:
                raise ValueError(f"Size {name} of a torus must be 1 to 64, not {size!r}")

    @property
    def sizes(self) -> Coordinate:
        """Nodes along x, y and z."""
        return self.x, self.y, self.z

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.x * self.y * self.z

    def __str__(self) -> str:
        return f"{self.x}x{self.y}x{self.z}"

    def coordinate(self, rank: int) -> Coordinate:
        """Coordinate of a rank.

        Raises
        ------
        ValueError
            If there is no such rank.
        """
        if not 0 <= rank < self.nodes:
            raise ValueError(f"Node {rank} is not in a {self} torus of {self.nodes} nodes")
        return coordinate_of(rank, self.sizes)

    def rank(self, coordinate: Coordinate) -> int:
        """Rank of a coordinate."""
        return rank_of(coordinate, self.sizes)

    def node_id(self, rank: int) -> int:
        """Node id of a rank: what the guard stamps and what indexes the tables."""
        return node_id(self.sizes, self.coordinate(rank))

    def rank_of_id(self, packed: int) -> int:
        """Rank of a node id.

        Raises
        ------
        ValueError
            If no node of this torus has the id.
        """
        coordinate = node_coordinates(self.sizes, packed)
        inside = all(c < size for c, size in zip(coordinate, self.sizes, strict=True))
        if not inside or node_id(self.sizes, coordinate) != packed:
            raise ValueError(f"Node id {packed} is not in a {self} torus")
        return self.rank(coordinate)

    def line(self, rank: int, direction: Direction) -> Iterator[int]:
        """The other nodes of the ring through `rank`, in the order a packet in `direction` meets them."""
        for _ in range(self.sizes[direction // 2] - 1):
            rank = neighbour_of(rank, direction, self.sizes)
            yield rank

    def distance(self, source: int, destination: int) -> int:
        """Hops of a shortest way between two ranks."""
        there = zip(self.coordinate(source), self.coordinate(destination), self.sizes, strict=True)
        return sum(min((a - b) % size, (b - a) % size) for a, b, size in there)
