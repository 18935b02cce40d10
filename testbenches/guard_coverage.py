"""What the testbenches of the guard have seen it judge, in bins: reason, kind of packet, where it came from."""

from rtl.formats import Header, PutHeader, Reason, unpack
from testbenches.kit.coverage import Covergroup
from testbenches.kit.stream import Packet

__all__ = ["judged", "judged_text"]

_OUT = {Reason.NONE, Reason.NO_TABLE, Reason.ROW, Reason.RANGE, Reason.HINT, Reason.DEPOSIT, Reason.CHANNEL,
        Reason.PRIORITY}
_IN = {Reason.NONE, Reason.NO_TABLE, Reason.COLUMN}
POSSIBLE = {"own": _OUT, "node": _IN, "beyond": _IN - {Reason.NONE},
            "tree": {Reason.NONE, Reason.TREE, Reason.STALE}}
"""Reasons by source: the node's own software, a node that the column is about, an id beyond it, the console tree."""

_JUDGED = Covergroup(
    "guard.judged", reason=[reason.name for reason in Reason], kind=("fifo", "put", "get", "text"), source=POSSIBLE,
    deposit=(0, 1))
_JUDGED.cross("reason", "kind", "source", illegal=lambda reason, kind, source: (
    Reason[reason] not in POSSIBLE[source] or (kind == "text") != (source == "tree")))
_JUDGED.cross("reason", "source", "deposit", illegal=lambda reason, source, deposit: (
    Reason[reason] not in POSSIBLE[source] or source == "tree" or (reason == "DEPOSIT" and deposit == "0")))


def judged(reason: Reason, packet: Packet, *, own: bool, nodes: int) -> None:
    """A packet was let through or refused, as it should be.

    Parameters
    ----------
    reason : Reason
        Why it was refused, or NONE.
    packet : Packet
        As it came.
    own : bool
        It came from the node's own network interface, else from the torus.
    nodes : int
        How many the tables are about.
    """
    header = unpack(Header, packet.words[0])
    get = header["dma"] and unpack(PutHeader, packet.words[1])["remote_get"]
    _JUDGED.sample(
        reason=reason.name, kind="get" if get else "put" if header["dma"] else "fifo", deposit=header["deposit"],
        source="own" if own else "node" if header["source"] < nodes else "beyond")


def judged_text(reason: Reason) -> None:
    """A console packet was let through or refused."""
    _JUDGED.sample(reason=reason.name, kind="text", source="tree")
