"""Headers in words: fields by their names in :mod:`rtl.formats`, with numbers that stand for something spelt out."""

from khhw.node import Shape
from khhw.node.tree_packets import tree_destination
from rtl.formats import (
    CHUNK_BYTES,
    Direction,
    FifoHeader,
    Header,
    LinkHeader,
    Protocol,
    PutHeader,
    TreeHeader,
    VirtualChannel,
    ring_of,
    unpack,
)
from rtl.torus.hints import hint_bit

__all__ = [
    "Fields", "NodeName", "destination_of", "direction_name", "header_fields", "link_header", "node_name",
    "second_fields", "tree_fields",
]

Fields = dict[str, int | str]
NodeName = int | str
"""A rank, or words for what has none."""


def direction_name(direction: Direction) -> str:
    """``X+``."""
    return direction.name[0] + ("+" if direction.name[1] == "P" else "-")


def destination_of(shape: Shape, header: int) -> NodeName:
    """Where a torus header goes: a rank, or the coordinate if that is outside the machine."""
    fields = unpack(Header, header)
    coordinate = fields["x"], fields["y"], fields["z"]
    inside = all(c < size for c, size in zip(coordinate, shape.sizes, strict=True))
    return shape.rank(coordinate) if inside else str(coordinate)


def node_name(shape: Shape, node_id: int) -> NodeName:
    """The rank of a node id, or words if no node has it."""
    try:
        return shape.rank_of_id(node_id)
    except ValueError:
        return f"id {node_id}"


def header_fields(shape: Shape, header: int) -> Fields:
    """A torus header."""
    fields = unpack(Header, header)
    hints = [direction_name(direction) for direction in Direction if fields["hint"] >> hint_bit(direction) & 1]
    return {
        "source": node_name(shape, fields["source"]), "destination": destination_of(shape, header),
        "bytes": (fields["size"] + 1) * CHUNK_BYTES, "vc": VirtualChannel(fields["vc"]).name,
        "hint": " ".join(hints) or "none", "dynamic": fields["dynamic"], "deposit": fields["deposit"],
        "dma": fields["dma"], "pid": ring_of(fields), "epoch": fields["epoch"],
        "crc": f"{fields['crc']:#04x}",
    }


def second_fields(header: int, second: int) -> Fields:
    """The second header of a torus packet: a put's, or a message's."""
    layout = PutHeader if unpack(Header, header)["dma"] else FifoHeader
    return dict(unpack(layout, second))


def link_header(flits: tuple[int, ...]) -> dict[str, int]:
    """The link header of a tree packet; zeros for what is too short to have one."""
    return unpack(LinkHeader, flits[1] << 64 | flits[2] if len(flits) > 2 else 0)


def tree_fields(shape: Shape, flits: tuple[int, ...]) -> Fields:
    """Both headers of a tree packet."""
    header, link = unpack(TreeHeader, flits[0]), link_header(flits)
    known = link["protocol"] in list(Protocol)
    return {
        "source": "outside" if header["external"] else node_name(shape, header["source"]),
        "destination": tree_destination(header),
        "owner": header["owner"], "external": header["external"], "words": header["words"],
        "protocol": Protocol(link["protocol"]).name if known else f"{link['protocol']:#x}",
        "channel": link["dst_key"], "sender": link["src_key"], "message": link["conn_id"],
        "part": f"{link['this_pkt'] + 1} of {link['total_pkt']}", "bytes": link["opt"],
    }
