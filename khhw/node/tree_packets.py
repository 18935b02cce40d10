"""Tree packets: what the owner, the outside console and a node's console ring exchange."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtl.formats import (
    EXTERNAL,
    FLIT_BYTES,
    TREE_PAYLOAD_BYTES,
    ControlOp,
    ControlWord,
    LinkHeader,
    Protocol,
    TreeClass,
    TreeHeader,
    pack,
    unpack,
)

__all__ = [
    "CONTROL_WORDS", "Control", "TreePacket", "TreePacketError", "console_packets", "control_packet",
    "tree_destination",
]

CONTROL_WORDS = TREE_PAYLOAD_BYTES // FLIT_BYTES
"""Control words one packet can carry."""
HEADER_BYTES = 3 * FLIT_BYTES
_NUMBERS = (1 << 8) - 1
"""A number of a question, in its header, has 8 bits."""
_MOST_PACKETS = (1 << 8) - 1
"""Packets of a text: `total_pkt` has 8 bits."""


class TreePacketError(ValueError):
    """Flits that are not a tree packet."""


@dataclass(frozen=True, kw_only=True)
class TreePacket:
    """A tree packet. Stamps (`source`, `owner`, `external`) are hardware's; the outside cannot set them.

    Parameters
    ----------
    protocol : int
        A :class:`rtl.formats.Protocol`.
    payload : bytes
        Up to 240 bytes.
    vector : int or None
        Destination of a point-to-point packet: a rank, or ``EXTERNAL``. None for one to the members of a class.
    tree_class : int
        The class, see :class:`~rtl.formats.TreeClass`.
    dst_key, src_key, conn_id : int
        As in :data:`rtl.formats.LinkHeader`.
    this_pkt, total_pkt : int
        Index in a text of several packets, from 0, and how many it has; 0 of them: raw data, no text.
    source : int
        Stamped node id of the sender.
    external, owner : bool
        Stamps of the port above the root.
    combine : bool
        Of a question to several nodes: they answer as one. Of an answer: it is one of several nodes, for which `source`
        speaks.
    epoch : int
        Commits of the sender modulo 256; in a question that is answered as one, and in its answers, its number.
    """

    protocol: int
    payload: bytes
    vector: int | None = None
    tree_class: int = TreeClass.BROADCAST
    dst_key: int = 0
    src_key: int = 0
    conn_id: int = 0
    this_pkt: int = 0
    total_pkt: int = 1
    source: int = 0
    external: bool = False
    owner: bool = False
    combine: bool = False
    epoch: int = 0

    @property
    def raw(self) -> bool:
        """Whether it is marked as raw data."""
        return self.total_pkt == 0

    def flits(self) -> list[int]:
        """The packet as 64-bit flits."""
        if not len(self.payload) <= TREE_PAYLOAD_BYTES:
            raise TreePacketError(f"{len(self.payload)} bytes do not fit into a tree packet")
        words = -(-len(self.payload) // FLIT_BYTES)
        header = pack(
            TreeHeader, tree_class=self.tree_class, p2p=int(self.vector is not None), vector=self.vector or 0,
            words=2 + words, source=self.source, external=int(self.external), owner=int(self.owner),
            combine=int(self.combine), epoch=self.epoch)
        link = pack(
            LinkHeader, dst_key=self.dst_key, src_key=self.src_key, conn_id=self.conn_id, this_pkt=self.this_pkt,
            total_pkt=self.total_pkt, protocol=self.protocol, opt=len(self.payload))
        body = self.payload.ljust(words * FLIT_BYTES, b"\0")
        return [header, link >> 64, link & (1 << 64) - 1, *struct.unpack(f">{words}Q", body)]

    @classmethod
    def parse(cls, flits: Sequence[int]) -> "TreePacket":
        """The packet in `flits`; more flits than it has words are padding.

        Raises
        ------
        TreePacketError
            If there are fewer flits than the header says, or its length field promises more than there is.
        """
        if len(flits) < 3:
            raise TreePacketError(f"A tree packet has at least 3 flits, not {len(flits)}")
        header = unpack(TreeHeader, flits[0])
        link = unpack(LinkHeader, flits[1] << 64 | flits[2])
        words = header["words"] - 2
        if words < 0 or len(flits) < 3 + words or link["opt"] > words * FLIT_BYTES:
            raise TreePacketError(
                f"Tree packet of {len(flits)} flits says {header['words']} words and {link['opt']} bytes")
        payload = struct.pack(f">{words}Q", *flits[3:3 + words])[:link["opt"]]
        return cls(
            protocol=link["protocol"], payload=payload, vector=header["vector"] if header["p2p"] else None,
            tree_class=header["tree_class"], dst_key=link["dst_key"], src_key=link["src_key"], conn_id=link["conn_id"],
            this_pkt=link["this_pkt"], total_pkt=link["total_pkt"], source=header["source"],
            external=bool(header["external"]), owner=bool(header["owner"]), combine=bool(header["combine"]),
            epoch=header["epoch"])

    @staticmethod
    def record_bytes(header: int) -> int:
        """Bytes a packet with this first flit takes in a console ring."""
        return -(-(1 + unpack(TreeHeader, header)["words"]) // 4) * 4 * FLIT_BYTES


def tree_destination(header: Mapping[str, int]) -> int | str:
    """Whom a packet with these fields of :data:`~rtl.formats.TreeHeader` is for: a rank, or several in words."""
    if header["p2p"]:
        return "outside" if header["vector"] == EXTERNAL else header["vector"]
    number = header["tree_class"]
    fixed: dict[int, str] = {TreeClass.OUTSIDE: "outside", TreeClass.BROADCAST: "everybody"}
    return fixed.get(number, f"class {number}")


@dataclass(frozen=True)
class Control:
    """One control word: a register operation and, in an answer, its result."""

    op: int
    address: int
    data: int = 0

    @property
    def failed(self) -> bool:
        """Whether the node refused it."""
        return bool(self.op & ControlOp.FAILED)

    @classmethod
    def parse_all(cls, payload: bytes) -> list["Control"]:
        """The control words of a payload."""
        words = struct.unpack(f">{len(payload) // FLIT_BYTES}Q", payload[:len(payload) // FLIT_BYTES * FLIT_BYTES])
        return [cls(**unpack(ControlWord, word)) for word in words]


def control_packet(
    words: Sequence[Control], *, vector: int | None, conn_id: int, key: int = 0, combine: int | None = None,
    tree_class: int = TreeClass.BROADCAST,
) -> TreePacket:
    """Owner control packet of up to 30 words to a rank, or to the members of `tree_class` if `vector` is None.

    An answer brings `conn_id` back, and `key` (32 bits) as its `dst_key`. With `combine` those asked answer as one: it
    is a number that such questions count up, modulo 256.
    """
    payload = b"".join(
        pack(ControlWord, op=w.op, address=w.address, data=w.data).to_bytes(FLIT_BYTES, "big") for w in words)
    return TreePacket(protocol=Protocol.CONTROL, payload=payload, vector=vector, conn_id=conn_id, src_key=key,
                      combine=combine is not None, epoch=(combine or 0) & _NUMBERS, tree_class=tree_class)


def console_packets(
    channel: int, data: bytes, sequence: int, *, vector: int | None = None, raw: bool = False,
) -> list[TreePacket]:
    """Console packets of 240 bytes that carry `data` from the outside to channel id `channel`.

    `sequence` numbers the first one; the number travels as `conn_id` and wraps at 16 bits, so that a receiver
    sees what it missed. Packets of a text are counted besides, so that a receiver sees where one begins; raw data, and
    what takes more packets than 8 bits count, is marked as no text.
    """
    blocks = [data[at:at + TREE_PAYLOAD_BYTES] for at in range(0, len(data), TREE_PAYLOAD_BYTES)]
    total = 0 if raw or len(blocks) > _MOST_PACKETS else len(blocks)
    return [
        TreePacket(
            protocol=Protocol.CONSOLE, payload=block, vector=vector, dst_key=channel, src_key=EXTERNAL,
            conn_id=sequence + index & 0xFFFF, this_pkt=index if total else 0, total_pkt=total)
        for index, block in enumerate(blocks)
    ]
