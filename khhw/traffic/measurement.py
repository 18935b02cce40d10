"""What was measured at one point, as plain values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from khhw.statistics import Interval, batch_half_width, lowest_part

__all__ = ["ACCEPTED_SHARE", "CONFIDENCE", "Batch", "Measurement"]

ACCEPTED_SHARE = 0.95
"""A network that accepts less than this share of what is offered is saturated.

In the steady state below saturation accepted and offered traffic are equal (W. J. Dally, B. Towles, *Principles and
Practices of Interconnection Networks*, section 23.1).
"""

CONFIDENCE = 0.99
"""What an interval holds with that decides whether a network is saturated."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One part of the measurement.

    Parameters
    ----------
    offered, accepted : float
        Flits a node and cycle.
    packets : int
        That arrived.
    latency_mean : float or None
        Of these, in cycles; None without any.
    """

    offered: float
    accepted: float
    packets: int
    latency_mean: float | None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Synthetic traffic at one point.

    Parameters
    ----------
    offered : float
        Flits a node and cycle that the generators created in the measurement, whether they could be injected or not.
    accepted : float
        Flits a node and cycle that arrived in the measurement.
    packets : int
        Packets whose latency was measured.
    latency_mean : float or None
        Cycles from the creation of a packet to the arrival of its last flit, waiting at the source included. None
        without packets.
    latency_p50, latency_p99 : float or None
        Median, and the 99th percentile; that is None below 1,000 packets.
    latency_max : int or None
        The longest.
    errors : int
        Packets that arrived where they must not, or with wrong content, and packets lost.
    drained : bool
        The generators' queues and the network emptied within the point's `drain`.
    batches : tuple of Batch
        Of the measurement, in order.
    cycles : int
        That were simulated, all phases together.
    wall_seconds : float
        The simulation took.
    """

    offered: float
    accepted: float
    packets: int
    latency_mean: float | None
    latency_p50: float | None
    latency_p99: float | None
    latency_max: int | None
    errors: int
    drained: bool
    batches: tuple[Batch, ...]
    cycles: int
    wall_seconds: float

    @property
    def refused(self) -> bool | None:
        """Whether less than :data:`ACCEPTED_SHARE` of what is offered is accepted; None where batches do not tell, as
        where no packet was created."""
        surplus = [batch.accepted - ACCEPTED_SHARE * batch.offered for batch in self.batches]
        half = batch_half_width(surplus, CONFIDENCE)
        if half is None or (self.drained and not self.packets):
            return None
        mean = self.accepted - ACCEPTED_SHARE * self.offered
        return True if mean + half < 0 else False if mean - half >= 0 else None

    @property
    def latency_interval(self) -> Interval | None:
        """Where `latency_mean` of a longer measurement may be, in cycles; None where the batches do not tell.

        A measurement begins with an empty network, or one that is warmer, but not full. So latencies that rise from
        batch to batch are on their way to what they are in the steady state, or to no end: how much they rise makes it
        less certain how far up that is, but not that it is above the lowest of them.
        """
        half = self.latency_half(CONFIDENCE)
        if self.latency_mean is None or half is None:
            return None
        low = max(self.latency_mean - half, lowest_part(self._latencies, CONFIDENCE) or 0.0)
        return min(low, self.latency_mean), self.latency_mean + half

    def latency_half(self, confidence: float) -> float | None:
        """Half the interval of `latency_mean`, in cycles, with any rise taken for chance; None where the batches do not
        tell."""
        return batch_half_width(self._latencies, confidence)

    @property
    def _latencies(self) -> list[float]:
        """Means of the batches, without the first: of packets that were created in the measurement it has those alone
        that arrived at once. Of two batches it is better than nothing."""
        batches = self.batches[1:] if len(self.batches) > 2 else self.batches
        return [batch.latency_mean for batch in batches if batch.latency_mean is not None]

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Measurement":
        """What :meth:`as_dict` gave."""
        return cls(**{**values, "batches": tuple(Batch(**batch) for batch in values["batches"])})
