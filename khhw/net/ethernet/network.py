"""A network: a number that frames bear, and the nodes that share it."""

from dataclasses import dataclass

from khhw.net.ethernet.limits import longest_frame

__all__ = ["EthernetNetwork"]


@dataclass(frozen=True)
class EthernetNetwork:
    """An Ethernet that some nodes share. Who may send to whom is the guards' to say, not this.

    Parameters
    ----------
    number : int
        What frames bear as `dst_key`, 32 bits.
    members : frozenset of int
        Ranks.
    mtu : int
        Bytes of a frame behind its header.
    """

    number: int
    members: frozenset[int]
    mtu: int

    @property
    def longest_frame(self) -> int:
        """Bytes of the longest frame."""
        return longest_frame(self.mtu)
