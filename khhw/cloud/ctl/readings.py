"""The command that shows what a lease has used."""

import argparse
from collections.abc import Iterator, Mapping

from khhw.cloud.ctl.leases import find
from khhw.cloud.ctl.session import Session
from khhw.cloud.ctl.show import Shown, table
from khhw.cloud.models import Reading
from khhw.cloud.stays import Stay, stays
from rtl.formats import FLIT_BYTES

__all__ = ["readings"]

_HEADINGS = (
    "node", "boot", "from cycle", "to", "peers", "sent", "bytes", "received", "bytes", "byte-hops", "busy cycles")
_SO_FAR = ", so far"
_PEERS = ("own", "shared", "external")


def readings(session: Session, arguments: argparse.Namespace) -> Shown:
    """A row for each node, each of its stays, and each kind of peer that it had to do with."""
    found = session.get(session.path("/v1/leases/{}/readings", find(session, arguments.lease)), now=True)
    there = stays(map(Reading.model_validate, found))
    text = table(_HEADINGS, [row for stay in there for row in _rows(stay)], nothing="no readings yet")
    if any(stay.end is None for stay in there):
        text += "-: nobody has read an end: the node is there and does not answer now, or a power cut ended the boot\n"
    return Shown(found, text)


def _rows(stay: Stay) -> Iterator[tuple[object, ...]]:
    begin, end, used = stay.begin, stay.end, stay.used
    until = None if end is None else f"{end.cycle}{_SO_FAR if end.moment == 'now' else ''}"
    when = (begin.rank, begin.boot, begin.cycle, until)
    if used is None:
        yield (*when, *[None] * (len(_HEADINGS) - len(when)))
        return
    yield (*when, *_traffic("own", used), used["busy_cycles"])
    for peers in _PEERS[1:]:
        if used[f"{peers}_sent_packets"] or used[f"{peers}_received_packets"]:
            yield (*[""] * len(when), *_traffic(peers, used), "")


def _traffic(peers: str, used: Mapping[str, int]) -> tuple[object, ...]:
    # A tree has no distances.
    hops = used.get(f"{peers}_flit_hops")
    return (peers, used[f"{peers}_sent_packets"], used[f"{peers}_sent_flits"] * FLIT_BYTES,
            used[f"{peers}_received_packets"], used[f"{peers}_received_flits"] * FLIT_BYTES,
            "" if hops is None else hops * FLIT_BYTES)
