"""Credits of torus cables over time, from what their waves show."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from khhw.trace.fields import direction_name
from khhw.trace.flits import cable
from khhw.trace.passages import Layer, Port
from khhw.trace.ports import members
from khhw.trace.run import Run
from rtl.fabric import cables
from rtl.formats import Header, VirtualChannel, unpack
from rtl.parameters import Bubble
from rtl.signatures import TorusLink

__all__ = ["CreditHistory", "credit_histories"]


@dataclass(frozen=True, slots=True)
class CreditHistory:
    """Credits that the transmitter of a cable has for a virtual channel.

    Parameters
    ----------
    port : Port
        The transmitter's.
    channel : VirtualChannel
    changes : list of (int, int)
        Step, and credits from it on; the first is that of step 0, when all the room was free.
    """

    port: Port
    channel: VirtualChannel
    changes: list[tuple[int, int]]


def credit_histories(run: Run) -> Iterator[CreditHistory]:
    """Of the cables that leave nodes in the waves, those channels that carried something.

    Counted are the first flits of packets and the credits that come back, both where they pass the port: a packet's
    credit is spent one cycle before its first flit is on the cable, and one that came back counts one cycle later. Of
    waves that do not begin with the run there are none: what was under way before is not known.
    """
    if not run.waves.from_start:
        return
    for rank, direction, _ in cables(run.shape.sizes):
        if rank in run.waves.ranks:
            port = Port(rank, direction_name(direction), Layer.TORUS)
            for channel, changes in _of_cable(run, f"node_{rank}.tx__{int(direction)}").items():
                yield CreditHistory(port, channel, _summed(changes, run.parameters.link_units))


def _of_cable(run: Run, prefix: str) -> dict[VirtualChannel, list[tuple[int, int]]]:
    """By channel, the steps in which credits change, and by how many."""
    changes: dict[VirtualChannel, list[tuple[int, int]]] = {}
    in_chunks = run.parameters.bubble is Bubble.CHUNKS
    for sighting in cable(run.waves, prefix):
        units = unpack(Header, sighting.flits[0])["size"] + 1 if in_chunks else 1
        changes.setdefault(VirtualChannel(sighting.channel), []).append((sighting.begin, -units))
    returned = run.waves.signal(f"{prefix}__credit", members(TorusLink)["credit"]).every(run.waves.steps)
    for channel, found in changes.items():
        found += [(step, 1) for step in np.flatnonzero(returned >> channel & 1).tolist()]
    return changes


def _summed(changes: list[tuple[int, int]], units: int) -> list[tuple[int, int]]:
    """Values instead of differences, one a step."""
    values = {0: units}
    level = units
    for step, change in sorted(changes):
        level += change
        values[step] = level
    return list(values.items())
