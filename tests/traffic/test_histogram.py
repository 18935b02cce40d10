"""Quantiles from bins lie in the bin of the true one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.traffic.histogram import BINS, low_edges, quantile


def bin_of(latency):
    """As the hardware does; see TRAFFIC_HISTOGRAM."""
    if latency < 16:
        return latency
    exponent = latency.bit_length() - 1
    return min(BINS - 1, 8 * (exponent - 2) + ((latency >> (exponent - 3)) & 7))


def test_edges_are_the_hardware_s():
    edges = low_edges()
    assert np.all(np.diff(edges) > 0)
    for latency in [*range(5000), *(1 << bits for bits in range(4, 17)), *((1 << bits) - 1 for bits in range(4, 17))]:
        found = bin_of(latency)
        assert edges[found] <= latency < edges[found + 1]


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=300), st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_in_the_right_bin(latencies, share):
    counts = np.bincount([bin_of(latency) for latency in latencies], minlength=BINS).astype(np.int64)
    true = int(np.quantile(latencies, share, method="inverted_cdf"))
    found = quantile(counts, share, max(latencies))
    edges = low_edges()
    assert edges[bin_of(true)] <= found <= edges[bin_of(true) + 1]
    assert found <= max(max(latencies), edges[bin_of(max(latencies))])


def test_small_latencies_are_exact():
    counts = np.zeros(BINS, np.int64)
    counts[[3, 7, 15]] = 10, 10, 10
    assert [quantile(counts, share, 15) for share in (0.1, 0.5, 0.99)] == [3, 7, 15]


def test_packets_lie_evenly_in_a_bin():
    counts = np.zeros(BINS, np.int64)
    counts[bin_of(64)] = 100
    # From 64 to 71.
    assert quantile(counts, 0.5, 1000) == pytest.approx(68)
    assert quantile(counts, 0.99, 66) <= 66
