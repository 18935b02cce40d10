"""Quantiles of the traffic checker's histogram of latencies."""

import numpy as np
import numpy.typing as npt

__all__ = ["BINS", "EXACT", "low_edges", "quantile"]

BINS = 128
EXACT = 16
"""Latencies below this one have a bin each; from it on there are eight bins to a factor of two."""


def low_edges() -> npt.NDArray[np.int64]:
    """The smallest latency of each bin, and behind it the end of the last; see TRAFFIC_HISTOGRAM."""
    bins = np.arange(BINS + 1)
    return np.where(bins < EXACT, bins, (8 + bins % 8) << np.maximum(bins // 8 - 1, 0))


def quantile(counts: npt.NDArray[np.int64], share: float, longest: int) -> float:
    """A quantile of latencies that were counted in bins.

    Parameters
    ----------
    counts : array of int
        Packets by bin, shape (128,); at least one.
    share : float
        Of the packets that take no longer, 0 to 1.
    longest : int
        The longest latency in cycles.

    Returns
    -------
    float
        In cycles. Exact below 16; above, packets are taken to lie evenly in their bin, which is an eighth of the
        latency wide at most.
    """
    edges = low_edges()
    wanted = share * counts.sum()
    before = np.concatenate(([0], np.cumsum(counts)))
    found = min(int(np.searchsorted(before, wanted, side="left")) - 1, BINS - 1) if wanted > 0 else 0
    found = max(found, int(np.flatnonzero(counts)[0]))
    if found < EXACT:
        return float(edges[found])
    inside = (wanted - before[found]) / counts[found]
    top = min(int(edges[found + 1]), longest)
    return round(float(edges[found] + inside * max(0, top - edges[found])), 2)
