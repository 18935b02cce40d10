"""Packets as they pass one place: what a stream or a cable carried, cut at first and last flits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from khhw.trace.ports import members
from khhw.trace.waves import Steps, Waves
from rtl.codec import Codec
from rtl.formats import Flit
from rtl.signatures import FlitStream, TorusLink, TreeLink

__all__ = ["Sighting", "cable", "stream", "transfers", "tree_cable"]

_FLIT = Codec.of(Flit)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A packet at one place.

    Parameters
    ----------
    begin, end : int
        Steps in which its first and its last flit passed.
    flits : tuple of int
        64 bits each.
    bad : bool
        Its last flit was marked bad.
    whole : bool
        Its last flit has passed; False where the run, or a reset, cut it.
    channel : int
        Virtual channel; 0 where there are none.
    """

    begin: int
    end: int
    flits: tuple[int, ...]
    bad: bool
    whole: bool
    channel: int


def transfers(waves: Waves, prefix: str, ports: dict[str, int]) -> tuple[Steps, list[int]]:
    """Steps in which a stream moved something, and what.

    Parameters
    ----------
    waves : Waves
    prefix : str
        The stream's path, ``node_0.from_ni__0``.
    ports : dict of str to int
        Its ports `valid`, `ready` and `payload` and their widths; one without `ready` moves whenever it is valid.
    """
    moves = waves.signal(f"{prefix}__valid", 1).every(waves.steps)
    if "ready" in ports:
        moves = moves & waves.signal(f"{prefix}__ready", 1).every(waves.steps)
    steps: Steps = np.flatnonzero(moves)
    if not len(steps):
        return steps, []
    return steps, waves.signal(f"{prefix}__payload", ports["payload"]).pick(steps)


def stream(waves: Waves, prefix: str) -> list[Sighting]:
    """Packets on a flit stream inside a node."""
    steps, flits = transfers(waves, prefix, members(FlitStream))
    return list(_cut(zip(steps.tolist(), flits, [0] * len(flits), strict=True)))


def cable(waves: Waves, prefix: str) -> list[Sighting]:
    """Packets on a torus cable, seen from either end."""
    return _linked(waves, prefix, "vc", members(TorusLink))


def tree_cable(waves: Waves, prefix: str) -> list[Sighting]:
    """Packets on a tree cable. Packets of two channels are not interleaved."""
    return _linked(waves, prefix, "channel", members(TreeLink))


def _linked(waves: Waves, prefix: str, channel: str, ports: dict[str, int]) -> list[Sighting]:
    steps: Steps = np.flatnonzero(waves.signal(f"{prefix}__valid", 1).every(waves.steps))
    if not len(steps):
        return []
    flits = waves.signal(f"{prefix}__flit", ports["flit"]).pick(steps)
    channels = waves.signal(f"{prefix}__{channel}", ports[channel]).pick(steps)
    return list(_cut(zip(steps.tolist(), flits, channels, strict=True)))


def _cut(moved: Iterable[tuple[int, int, int]]) -> Iterator[Sighting]:
    flits: list[int] = []
    begin = end = channel = 0
    for step, flit, here in moved:
        fields = _FLIT.unpack(flit)
        if fields["first"]:
            if flits:
                yield Sighting(begin, end, tuple(flits), False, False, channel)
            flits, begin, channel = [], step, here
        elif not flits:
            # The rest of what was cut.
            continue
        end = step
        flits.append(fields["data"])
        if fields["last"]:
            yield Sighting(begin, end, tuple(flits), bool(fields["bad"]), True, channel)
            flits = []
    if flits:
        yield Sighting(begin, end, tuple(flits), False, False, channel)
