"""Every packet, header and descriptor layout, once.

RTL uses the layouts directly, host code through :func:`pack` and :func:`unpack`, and the C and
SystemVerilog headers and ``docs/formats.md`` are generated from them.

All formats are big-endian: fields are listed most significant first, a flit is eight bytes of memory
with the first byte in its most significant bits, and a memory word is four flits with the first flit
most significant.

Fields and widths are Blue Gene/P's, as its system-programming headers (``DMA_Packet.h``,
``DMA_Descriptors.h``) and the drivers of the Kittyhawk project have them; the 24 bits of the torus
header that were checksum skip and reserved carry the source id, the epoch parity and the header CRC
here.
"""

import enum
from collections.abc import Mapping

from amaranth.hdl import Cat, Value
from amaranth.lib import data

from rtl.codec import pack, unpack

__all__ = [
    "FLIT_BITS", "FLIT_BYTES", "CHUNK_BYTES", "CHUNK_FLITS", "WORD_BITS", "WORD_BYTES", "WORD_FLITS",
    "PACKET_BYTES", "PACKET_FLITS", "PAYLOAD_BYTES", "DESCRIPTOR_BYTES", "TREE_PAYLOAD_BYTES",
    "TREE_PACKET_FLITS", "STALE_COMMITS", "ANSWER_COMMITS", "EXTERNAL", "VirtualChannel", "TreeChannel", "Direction",
    "Protocol", "asked_at",
    "TreeClass", "ControlOp", "Reason", "Straps", "Writer", "Header", "FifoHeader", "PutHeader", "Descriptor", "Flit",
    "TrafficHeader", "TreeHeader", "LinkHeader", "TorusLinkHeader", "ControlWord", "FORMATS", "INSIDE", "FIELDS",
    "layout_of", "pack", "unpack", "ring_of", "pids_of",
]

FLIT_BITS = 64
FLIT_BYTES = FLIT_BITS // 8
CHUNK_BYTES = 32
CHUNK_FLITS = CHUNK_BYTES // FLIT_BYTES
WORD_BITS = 256
WORD_BYTES = WORD_BITS // 8
WORD_FLITS = WORD_BYTES // FLIT_BYTES
PACKET_BYTES = 256
PACKET_FLITS = PACKET_BYTES // FLIT_BYTES
PAYLOAD_BYTES = 240
DESCRIPTOR_BYTES = 32
TREE_PAYLOAD_BYTES = 240
TREE_PACKET_FLITS = 1 + 2 + TREE_PAYLOAD_BYTES // FLIT_BYTES

STALE_COMMITS = 4
"""Age from which a tree packet of a node is refused. A change of domains takes two commits, so what was sent before a
right was revoked is not delivered when it is granted again."""

ANSWER_COMMITS = 3
"""Age from which a remote get is not answered any more. A node is handed over by four commits, of which the last grants
the rights of its next tenant: what the tenant before asked for has this age before. A single change takes two."""

EXTERNAL = 0xFFFFFF
"""The point-to-point tree vector of the outside: the port above the root."""


def layout_of(fields: Mapping[str, object]) -> data.StructLayout:
    """A struct whose fields are given most significant first."""
    return data.StructLayout(dict(reversed(list(fields.items()))))


class VirtualChannel(enum.IntEnum):
    """Virtual channels of the torus."""

    ADAPTIVE0 = 0
    """Minimal adaptive; goes with `dynamic` = 1."""
    ADAPTIVE1 = 1
    """Minimal adaptive; goes with `dynamic` = 1."""
    ESCAPE = 2
    """Dimension order, deadlock-free by the bubble; goes with `dynamic` = 0."""
    PRIORITY = 3
    """Dimension order in a ring of its own; goes with `dynamic` = 0 and the owner's grant."""


class TreeChannel(enum.IntEnum):
    """Virtual channels of the tree. The owner's has buffers and priority of its own."""

    OWNER = 0
    """Control words from the port above the root, and their answers."""
    TENANT = 1
    """Consoles."""


class Direction(enum.IntEnum):
    """Torus directions in port order; a packet that arrives on port ``d`` travels direction ``d ^ 1``."""

    XP = 0
    XM = 1
    YP = 2
    YM = 3
    ZP = 4
    ZM = 5


class Protocol(enum.IntEnum):
    """Link protocols of tree packets."""

    ETHERNET = 0x01
    """Frames of an overlay network."""
    CONSOLE = 0x10
    """Text, and raw bytes, of a console channel."""
    CONTROL = 0x20
    """Control words of the owner, and their answers."""


class TreeClass(enum.IntEnum):
    """Tree classes whose members are fixed; those of 1 to 14 are what the registers CLASS_ROUTE say."""

    OUTSIDE = 0
    """The outside alone."""
    BROADCAST = 15
    """Every node and the outside."""


class ControlOp(enum.IntEnum):
    """Operations of a control word; an answer repeats the word with bit 7 set if it was refused."""

    NOP = 0
    """Nothing."""
    WRITE = 1
    """`data` to the register at `address`."""
    READ = 2
    """`data` from the register at `address`; in a combined answer the bitwise OR over the nodes."""
    ALL = 3
    """As READ; in a combined answer the bitwise AND."""
    SUM = 4
    """As READ; in a combined answer the sum modulo 2^32."""
    FAILED = 0x80
    """Bit set in an answer: the access was refused and changed nothing."""


class Reason(enum.IntEnum):
    """Why a guard refused a packet."""

    NONE = 0
    NO_TABLE = 1
    """No table has been committed since the fabric reset."""
    ROW = 2
    """``isAllowed(source, destination)`` is 0 in the row of the source."""
    COLUMN = 3
    """``isAllowed(source, destination)`` is 0 in the column of the destination."""
    RANGE = 4
    """The destination is outside the machine."""
    HINT = 5
    """Both signs of a dimension are hinted, or the long way round."""
    DEPOSIT = 6
    """A deposit packet would turn, or go further than the reach of its direction."""
    CHANNEL = 7
    """The dynamic bit and the virtual channel disagree."""
    PRIORITY = 8
    """The owner has not granted this node the priority channel."""
    TREE = 9
    """``isAllowed(source, destination)`` is 0 for a tree packet, in the column of the destination."""
    STALE = 10
    """A tree packet was sent :data:`STALE_COMMITS` commits ago or more."""


Straps = layout_of({
    "x": 6, "y": 6, "z": 6,
    "size_x": 7, "size_y": 7, "size_z": 7,
    "rank": 16,
    "children": 2,
})
"""Constants of a node: coordinate, torus size (1 to 64 each), dense rank, tree children present
(bit 0 left, bit 1 right)."""

Writer = layout_of({"armed": 1, "any": 1, "node": 16, "key": 6})
"""Who may put by a reception counter: if `armed`, the node with id `node` or, with `any`, every node that may send
here, and only puts that carry `key`. The register RECEPTION_WRITER."""

Header = layout_of({
    "crc": 7,
    "epoch": 1,
    "hint": 6,
    "deposit": 1,
    "pid0": 1,
    "size": 3,
    "pid1": 1,
    "dma": 1,
    "dynamic": 1,
    "vc": 2,
    "x": 8, "y": 8, "z": 8,
    "source": 16,
})
"""First flit of a torus packet. `hint` is X+ X- Y+ Y- Z+ Z- from its most significant bit; `size` is
32-byte chunks minus one. `crc`, `epoch` and `source` are written by hardware whatever software put there."""

FifoHeader = layout_of({"put_offset": 32, "argument": 24, "function": 8})
"""Second flit of a memory-FIFO packet (`dma` = 0)."""

PutHeader = layout_of({
    "put_offset": 32, "counter": 8, "valid_bytes": 8, "key": 6, "pacing": 1, "remote_get": 1, "ring": 8,
})
"""Second flit of a direct put or remote get (`dma` = 1). `put_offset` counts from the base of reception
counter `counter`; the descriptors of a remote get go to injection ring `ring`."""

TrafficHeader = layout_of({"generated": 32, "number": 24, "reserved": 7, "recorded": 1})
"""Second flit of a packet of the traffic generator (`pid` 3, `dma` = 0, in a node that has one)."""

Descriptor = layout_of({
    "reserved0": 30, "prefetch": 1, "local_copy": 1,
    "reserved1": 24, "counter": 8,
    "base_offset": 32, "length": 32,
    "header": Header,
    "software": 64,
})
"""An injection descriptor: one memory word. `base_offset` counts from the base of injection counter
`counter`; `length` is the message in bytes. In what a remote get brings, hardware writes `header.source`, who
asked, and :func:`asked_at`, when."""


def asked_at(header: data.View) -> Value:
    """Commits of the answering node, modulo 256, when a remote get was let in: in the header of each descriptor it
    brought, in the place of `epoch` and `crc`, which a packet gets when it is sent."""
    return Cat(header.epoch, header.crc)


Flit = layout_of({"first": 1, "last": 1, "bad": 1, "data": FLIT_BITS})
"""What moves in a cycle. `bad` counts only with `last`: the packet must be discarded where it is ejected."""

TreeHeader = layout_of({
    "tree_class": 4, "p2p": 1, "combine": 1, "vector": 24, "reserved": 1, "more": 1,
    "owner": 1, "external": 1, "epoch": 8, "words": 6, "source": 16,
})
"""First flit of a tree packet. `owner` and `external` are set only at the port above the root and
cleared at every node's inject port; `source` is the stamped node id, `epoch` the stamped number of commits, modulo
256; `words` flits follow. `combine`, in the place of the original's interrupt request, counts on the owner's channel:
with it in a question to the members of a class, their answers are joined on the way up to one. `more`, in the place of
the original's checksum mode, counts on the tenants' channel, see :class:`~rtl.tree.rounds.Rounds`."""

LinkHeader = layout_of({
    "dst_key": 32, "src_key": 32,
    "conn_id": 16, "this_pkt": 8, "total_pkt": 8, "protocol": 16, "opt": 16,
})
"""Second and third flit of a tree packet. For the console `dst_key` is the
sender's send id, `src_key` its rank, `opt` the length in bytes."""

TorusLinkHeader = layout_of({"dst_key": 32, "length": 32, "protocol": 16, "opt": 16, "frame": 32})
"""Third and fourth flit of the first packet of a frame that is carried by memory-FIFO packets: a link header of 12
bytes, and the frame behind it. In all packets of the frame `function` of :data:`FifoHeader` is its number and
`argument` the coordinate of its sender, as in the original's driver; `put_offset` counts from the link header on."""

ControlWord = layout_of({"op": 8, "address": 24, "data": 32})
"""One register operation of the owner; a control packet carries up to 30."""

FORMATS: dict[str, data.StructLayout] = {
    "Header": Header,
    "FifoHeader": FifoHeader,
    "PutHeader": PutHeader,
    "TrafficHeader": TrafficHeader,
    "Descriptor": Descriptor,
    "TreeHeader": TreeHeader,
    "LinkHeader": LinkHeader,
    "TorusLinkHeader": TorusLinkHeader,
    "ControlWord": ControlWord,
}
"""The layouts software sees, by name."""

INSIDE: dict[str, data.StructLayout] = {"Flit": Flit, "Straps": Straps}
"""The layouts that only blocks see, by name."""


FIELDS: dict[str, dict[str, str]] = {
    "Header": {
        "crc": "Header CRC over the other 57 bits, most significant first: polynomial x^7 + x^3 + 1, initial value 0, "
               "inverted at the end. Written by hardware at every hop.",
        "epoch": "Parity of the sender's epoch. Written by hardware.",
        "hint": "Directions the packet may take: X+ 0x20, X- 0x10, Y+ 8, Y- 4, Z+ 2, Z- 1. A dimension without a bit: "
                "hardware takes the shortest way. Cleared on arrival in the dimension.",
        "deposit": "1: every node passed on a straight line keeps a copy.",
        "pid0": "Reception ring, high bit.",
        "size": "Chunks of 32 bytes in the packet, minus one. Set by hardware when it sends.",
        "pid1": "Reception ring, low bit.",
        "dma": "0: for a reception ring, FifoHeader follows. 1: direct put or remote get, PutHeader follows.",
        "dynamic": "1 with `vc` 0 or 1; 0 with `vc` 2 or 3.",
        "vc": "A `VirtualChannel`.",
        "x": "Destination.",
        "y": "Destination.",
        "z": "Destination.",
        "source": "Node id of the sender. Written by hardware.",
    },
    "FifoHeader": {
        "put_offset": "Free for software; hardware adds the bytes already sent, so each packet of a message says where "
                      "its payload belongs.",
        "argument": "Free for software.",
        "function": "Free for software.",
    },
    "PutHeader": {
        "put_offset": "Bytes from the base of the reception counter to the first byte of the payload, a multiple "
                      "of 8; hardware counts it up from packet to packet.",
        "counter": "Reception counter.",
        "valid_bytes": "Payload bytes that are written and counted. Set by hardware when it sends.",
        "key": "Must be that of the counter's RECEPTION_WRITER. A generation, to tell a late put from one that is "
               "waited for; not a secret. Of no meaning in a remote get.",
        "pacing": "Kept from the original; hardware ignores it.",
        "remote_get": "1: the payload is descriptors, to be injected at the destination.",
        "ring": "Injection ring at the destination the descriptors of a remote get are put into.",
    },
    "TrafficHeader": {
        "generated": "Cycle in which the packet was generated, low half.",
        "number": "Number of the packet among those of its source, modulo 2^24.",
        "reserved": "0.",
        "recorded": "1: generated while `record` was on; the receiver measures it.",
    },
    "Descriptor": {
        "reserved0": "0.",
        "prefetch": "Of the original; a descriptor that sets it is skipped (`Fault.UNSUPPORTED`).",
        "local_copy": "Of the original; a descriptor that sets it is skipped (`Fault.UNSUPPORTED`).",
        "reserved1": "0.",
        "counter": "Injection counter: its window holds the message, its value counts down as the message leaves.",
        "base_offset": "First byte of the message, from the base of the injection counter; a multiple of 8.",
        "length": "Bytes of the message.",
        "header": "Torus header of every packet; hardware writes `crc`, `epoch`, `size` and `source`.",
        "software": "Second header of every packet: FifoHeader or PutHeader.",
    },
    "TreeHeader": {
        "tree_class": "Class: a `TreeClass`, or one whose ways CLASS_ROUTE says. Written by hardware in what a node's "
                      "console sends: CONSOLE_CLASS.",
        "p2p": "1: to `vector` only, if it is the outside or a member of `tree_class`. 0: to all members of that.",
        "combine": "1 in a question of the owner to a class: its members answer as one. 1 in an answer: for all "
                   "members behind the cable by which it comes, of which `source` is one.",
        "vector": "Dense rank of the destination; 0xffffff is the outside, above the root.",
        "reserved": "0.",
        "more": "1 on the tenants' way up, from router to router: its sender promises another packet of the same "
                "round. Written by the routers; 0 in all that the root turns or lets out.",
        "owner": "1: entered at the port above the root on the owner's channel.",
        "external": "1: entered at the port above the root.",
        "epoch": "Commits of the sender when it sent this, modulo 256. Written by hardware, but in what the owner asks "
                 "and in answers to it: there, with `combine`, a number that the owner counts up.",
        "words": "Flits that follow this one.",
        "source": "Node id of the sender, 0 for the outside. Written by hardware.",
    },
    "LinkHeader": {
        "dst_key": "Channel; for the console the sender's send id.",
        "src_key": "Dense rank of the sender.",
        "conn_id": "Number of the message; an answer repeats that of its question.",
        "this_pkt": "Index of the packet in the message.",
        "total_pkt": "Packets in the message.",
        "protocol": "A `Protocol`.",
        "opt": "For the console: bytes of text.",
    },
    "TorusLinkHeader": {
        "dst_key": "Number of the network.",
        "length": "Bytes of link header and frame, of all packets together.",
        "protocol": "A `Protocol`.",
        "opt": "0.",
        "frame": "The first four bytes of the frame.",
    },
    "ControlWord": {
        "op": "A `ControlOp`.",
        "address": "Byte address of a register.",
        "data": "What to write; in an answer, what was read.",
    },
    "Flit": {
        "first": "1 on the header of a packet.",
        "last": "1 on the last flit of a packet.",
        "bad": "1 on a last flit: the packet must be discarded where it is ejected.",
        "data": "Eight bytes of the packet, the first in the most significant bits.",
    },
    "Straps": {
        "x": "Coordinate.", "y": "Coordinate.", "z": "Coordinate.",
        "size_x": "Size of the torus.", "size_y": "Size of the torus.", "size_z": "Size of the torus.",
        "rank": "Dense rank, x + X (y + Y z).",
        "children": "Children in the tree: bit 0 left, bit 1 right.",
    },
}
"""What every field means, by layout and field; for the reference and the headers."""


def ring_of(header: Mapping[str, int]) -> int:
    """The reception ring that the fields of a :data:`Header` name."""
    return 2 * header["pid0"] + header["pid1"]


def pids_of(ring: int) -> dict[str, int]:
    """The fields of a :data:`Header` that name a reception ring, 0 to 3."""
    high, low = divmod(ring, 2)
    return {"pid0": high, "pid1": low}
