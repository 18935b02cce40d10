"""What operations of memcached take on the wire at least: their packets, one after the other, and the hops."""

from dataclasses import dataclass

from khhw.kernels.memcached.item import VERSION_BYTES, item_bytes
from khhw.net.segments import PREFIX_BYTES
from khhw.net.windows import EXPORT
from rtl.formats import CHUNK_BYTES, DESCRIPTOR_BYTES, FLIT_BYTES, PAYLOAD_BYTES

__all__ = ["ACCESS_CYCLES", "HOP_CYCLES", "MESSAGE_CYCLES", "Messages", "flits", "messages"]

HOP_CYCLES = 3
"""Cycles from one router's output to the next one's; ``khhw bench cosim`` measures them as `cycles_per_hop`."""
ACCESS_CYCLES = 4
"""Cycles a register access takes on the host port."""
MESSAGE_CYCLES = 20
"""Cycles of a message in the two network interfaces and guards, besides its flits and hops: in ``examples/pair.toml`` 8
bytes take 27 cycles from the doorbell to the interrupt, of which 4 are flits and 3 the hop."""

_HEADERS = 2 * FLIT_BYTES
_CHUNK_FLITS = CHUNK_BYTES // FLIT_BYTES
_EXPORT_DIGITS = 2 * EXPORT.size
_OFFSET_AND_LENGTH = 12
"""Digits, of an item that was stored."""


@dataclass(frozen=True)
class Messages:
    """The messages of one operation, each of which waits for the one before.

    Parameters
    ----------
    payloads : tuple of int
        Bytes of each.
    turns : int
        How often the torus is crossed, from the client or to it.
    """

    payloads: tuple[int, ...]
    turns: int

    @property
    def flits(self) -> int:
        """Flits of all."""
        return sum(flits(payload) for payload in self.payloads)

    def bound(self, hops: float) -> float:
        """Cycles they take at least over `hops` hops."""
        return self.flits + self.turns * hops * HOP_CYCLES


def flits(payload: int) -> int:
    """Flits of a message: full packets, and a last one of whole chunks."""
    full, rest = divmod(payload, PAYLOAD_BYTES)
    last = -(-(rest + _HEADERS) // CHUNK_BYTES) * _CHUNK_FLITS if rest or not full else 0
    return full * ((PAYLOAD_BYTES + _HEADERS) // FLIT_BYTES) + last


def messages(path: str, op: str, key_bytes: float, value_bytes: float) -> Messages:
    """The messages of one GET or SET.

    Parameters
    ----------
    path : str
        ``tcp``: request and answer as segments of a stream. ``rdma``: the GET is one request for two sources and what
        they hold; the SET is a request, its slot, the put and the answer.
    op : str
        ``get`` or ``set``.
    key_bytes, value_bytes : float
    """
    key, value = round(key_bytes), round(value_bytes)
    digits = len(str(value))
    if path == "rdma" and op == "get":
        return Messages((2 * DESCRIPTOR_BYTES, item_bytes(key, value), VERSION_BYTES), 2)
    if path == "rdma":
        line = len("rset  0 0 \r\n") + key + digits
        return Messages((
            PREFIX_BYTES + line, PREFIX_BYTES + len("SLOT \r\n") + _EXPORT_DIGITS, value,
            PREFIX_BYTES + len("STORED \r\n") + _OFFSET_AND_LENGTH), 4)
    if op == "get":
        return Messages((
            PREFIX_BYTES + len("get \r\n") + key, _segment(len("VALUE  0 \r\n\r\nEND\r\n") + key + digits + value)), 2)
    return Messages((
        _segment(len("set  0 0 \r\n\r\n") + key + digits + value), PREFIX_BYTES + len("STORED\r\n")), 2)


def _segment(text: int) -> int:
    """Bytes of a stream's segment: short ones begin with a prefix, long ones are nothing but text."""
    return PREFIX_BYTES + text if PREFIX_BYTES + text <= PAYLOAD_BYTES else text
