"""How long frames are, and what of them a packet holds."""

from rtl.formats import PAYLOAD_BYTES, TorusLinkHeader

__all__ = ["ETHERNET_HEADER", "LEAST_MTU", "LINK_HEADER", "MOST_MTU", "VLAN_TAG", "longest_frame", "packets_of"]

ETHERNET_HEADER = 14
"""Bytes in front of what the MTU counts: two addresses and a type."""
VLAN_TAG = 4
"""Bytes that a frame may have besides, of IEEE 802.1Q."""
LINK_HEADER: int = (TorusLinkHeader.size - TorusLinkHeader["frame"].width) // 8
"""Bytes of the torus link header, once a frame."""
LEAST_MTU = 68
"""Of IPv4, RFC 791."""
MOST_MTU = 9000
"""What the original's torus networks used."""


def longest_frame(mtu: int) -> int:
    """Bytes of the longest frame that an interface with this MTU, in bytes, gives or takes."""
    return ETHERNET_HEADER + VLAN_TAG + mtu


def packets_of(frame_bytes: int) -> int:
    """Torus packets that a frame of so many bytes takes, with its link header."""
    return -(-(LINK_HEADER + frame_bytes) // PAYLOAD_BYTES)
