"""What must hold between the meters of all nodes, whatever software has done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from khhw.control.meters import GuardCounts, Reading
from rtl.meter_lines import MeterLine

__all__ = ["Law", "laws", "total"]

_MODULUS = 1 << 32
"""Of what guards count."""
_PEERS = ("OWN", "SHARED")


@dataclass(frozen=True)
class Law:
    """Two numbers that must be equal, or of which the first must not be below the second.

    Parameters
    ----------
    name : str
        Of what, in words.
    left, right : int
    equal : bool
        Whether they must be equal.
    """

    name: str
    left: int
    right: int
    equal: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.left == self.right if self.equal else self.left >= self.right


def total(readings: Sequence[Reading], *lines: MeterLine) -> int:
    """Sum of some lines over readings."""
    return sum(reading.counts[line] for reading in readings for line in lines)


def laws(readings: Sequence[Reading], guards: GuardCounts) -> list[Law]:
    """What must hold while no packet moves.

    Parameters
    ----------
    readings : sequence of Reading
        Of all nodes, taken while no packet moves.
    guards : GuardCounts
        Of the same moment.
    """
    return [*_nothing_is_lost(readings, guards), *_as_the_guards(readings, guards), *_by_lease(readings)]


def _lines(what: str, unit: str) -> tuple[MeterLine, ...]:
    """The lines OWN and SHARED of what is sent or received."""
    return tuple(MeterLine[f"{peer}_{what}_{unit}"] for peer in _PEERS)


def _nothing_is_lost(readings: Sequence[Reading], guards: GuardCounts) -> Iterator[Law]:
    """What was sent has ended or is under way."""
    left = sum(guards.under_way)
    for unit in ("PACKETS", "FLITS"):
        sent = total(readings, *_lines("SENT", unit))
        ended = total(readings, *_lines("RECEIVED", unit), MeterLine[f"REFUSED_{unit}"], MeterLine[f"DROPPED_{unit}"])
        if unit == "PACKETS":
            yield Law("packets sent = received + refused + dropped + under way", sent, ended + left)
        elif left:
            # A packet that stands still may have entered the torus in part.
            yield Law("flits sent >= received + refused + dropped", sent, ended, equal=False)
        else:
            yield Law("flits sent = received + refused + dropped", sent, ended)


def _as_the_guards(readings: Sequence[Reading], guards: GuardCounts) -> Iterator[Law]:
    """Guards count packets on their own, modulo 2^32, to balance a change of domains."""
    for name, lines, counted in (
        ("sent", _lines("SENT", "PACKETS"), guards.injected),
        ("received", _lines("RECEIVED", "PACKETS"), guards.delivered),
        ("refused", (MeterLine.REFUSED_PACKETS,), guards.refused),
        ("dropped", (MeterLine.DROPPED_PACKETS,), guards.dropped),
    ):
        yield Law(f"packets {name} = the guards' count, modulo 2^32", total(readings, *lines) % _MODULUS,
                  sum(counted) % _MODULUS)


def _by_lease(readings: Sequence[Reading]) -> Iterator[Law]:
    """What was received of one's own lease, or of others, was sent so, as long as no node changes its lease."""
    for peer in _PEERS:
        for unit in ("PACKETS", "FLITS"):
            sent, received = (total(readings, MeterLine[f"{peer}_{what}_{unit}"]) for what in ("SENT", "RECEIVED"))
            yield Law(f"{peer.lower()} {unit.lower()} sent >= received", sent, received, equal=False)
