"""MAC addresses: which node a frame is for.

The address of a node in a torus network is 06 : XX : YY : x : y : z with its coordinate at the end, as in the
original, where XX and YY named rack, midplane and card. There is no such place here, and they are 0.
"""

from khhw.node.shape import Coordinate, Shape

__all__ = ["BROADCAST", "MAC_BYTES", "is_group", "mac_of", "rank_of_mac"]

MAC_BYTES = 6
BROADCAST = b"\xff" * MAC_BYTES
_GROUP = 0x01
_TORUS, _TORUS_MASK = 0x06, 0x07
"""The first byte of what the torus carries to one node: locally administered, and no group."""


def mac_of(coordinate: Coordinate) -> bytes:
    """Address of the node at a coordinate: 6 bytes."""
    return bytes((_TORUS, 0, 0, *coordinate))


def is_group(mac: bytes) -> bool:
    """Whether an address is of several nodes: broadcast or multicast."""
    return bool(mac[0] & _GROUP)


def rank_of_mac(mac: bytes, shape: Shape) -> int | None:
    """The node that an address of one node names; None if it names none of this torus.

    Parameters
    ----------
    mac : bytes
        6 of them.
    shape : Shape
    """
    x, y, z = mac[3:]
    if mac[0] & _TORUS_MASK != _TORUS or x >= shape.x or y >= shape.y or z >= shape.z:
        return None
    return shape.rank((x, y, z))
