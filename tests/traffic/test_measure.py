"""What a measurement programs and what it makes of the counters, on an engine that does arithmetic."""

from dataclasses import replace

import pytest

from khhw.traffic.capacity import capacity
from khhw.traffic.measure import WrongPacketsError, measure_on
from khhw.traffic.measurement import Measurement
from khhw.traffic.patterns import permutation
from khhw.traffic.point import Build, Point
from rtl.parameters import Parameters
from tests.traffic.model import Model

POINT = Point(shape=(4, 1, 1), build=Build(node=Parameters(traffic=True)), pattern="uniform", lengths=(8,), load=0.5,
              seed=3, warmup=500, cycles=20_000, drain=2_000, batches=10)
UNIT = capacity((4, 1, 1), 2)


def written(model, name):
    return [(index, values) for written, index, values in model.written if written == name]


def test_below_saturation():
    model = Model()
    found = measure_on(model, POINT)
    assert found.offered == pytest.approx(0.5 * UNIT, rel=0.01)
    assert found.accepted == pytest.approx(0.5 * UNIT, rel=0.01)
    assert found.latency_mean == found.latency_p50 == found.latency_max == 20
    assert found.packets == pytest.approx(4 * 20_000 * 0.5 * UNIT / 32, rel=0.01)
    assert found.drained
    assert found.refused is False
    assert 20_500 < found.cycles < model.now
    assert found.latency_p99 == 20
    assert len(found.batches) == 10
    for batch in found.batches:
        assert batch.accepted == pytest.approx(0.5 * UNIT, rel=0.05)
        assert batch.offered == pytest.approx(0.5 * UNIT, rel=0.05)
        assert batch.latency_mean == pytest.approx(20, rel=0.05)
    assert sum(batch.packets for batch in found.batches) == pytest.approx(found.packets, rel=0.02)
    assert Measurement.from_dict(found.as_dict()) == found


def test_saturated():
    """What finds the queue full counts as offered."""
    found = measure_on(Model(most=0.3 * UNIT / 32), POINT)
    assert found.offered == pytest.approx(0.5 * UNIT, rel=0.01)
    assert found.accepted == pytest.approx(0.3 * UNIT, rel=0.01)
    assert found.refused
    assert all(batch.offered == pytest.approx(0.5 * UNIT, rel=0.05) for batch in found.batches)


def test_what_does_not_arrive_in_time():
    found = measure_on(Model(most=0.3 * UNIT / 32, queue=10_000), replace(POINT, drain=1000))
    assert not found.drained
    assert found.packets < 4 * 20_000 * 0.5 * UNIT / 32


def test_few_packets_have_no_tail():
    found = measure_on(Model(), replace(POINT, cycles=4_000))
    assert 100 < found.packets < 1000
    assert (found.latency_p50, found.latency_p99) == (20, None)


def test_no_packets():
    found = measure_on(Model(most=0.0), replace(POINT, drain=100))
    assert (found.packets, found.latency_mean, found.latency_p50, found.latency_max) == (0, None, None, None)
    assert found.refused


def test_counters_go_round():
    """Low halves are read at the ends of batches: their differences are right all the same."""
    model = Model(base=2**32 - 5_000)
    found = measure_on(model, POINT)
    assert all(batch.accepted == pytest.approx(0.5 * UNIT, rel=0.05) for batch in found.batches)
    assert all(batch.latency_mean == pytest.approx(20, rel=0.05) for batch in found.batches)


def test_wrong_packets_are_no_measurement():
    model = Model()
    model.errors[2] = 3
    with pytest.raises(WrongPacketsError, match="packets arrived wrong: 12 misrouted"):
        measure_on(model, POINT)


def test_what_is_programmed():
    model = Model()
    measure_on(model, replace(POINT, pattern="tornado", lengths=(1, 8, 8, 4)))
    assert written(model, "TRAFFIC_SEED") == [(0, [3] * 4)]
    quarter = 65536 // 4
    assert [values[0] for _, values in written(model, "TRAFFIC_LENGTHS")] == [quarter] * 3 + [2 * quarter] * 4
    ((_, (probability, *_)),) = written(model, "TRAFFIC_PROBABILITY")
    assert probability / 2**32 == pytest.approx(0.5 * UNIT / (4 * 21 / 4))
    controls = [values[0] for _, values in written(model, "TRAFFIC_CONTROL")]
    assert controls == [3 << 2 | 1, 3 << 2 | 3, 3 << 2 | 1, 3 << 2]
    assert not written(model, "TRAFFIC_HOTSPOT")


def test_waits_until_checkers_are_clear():
    model = Model(clear_at=3000)
    found = measure_on(model, POINT)
    assert found.cycles > 3000 + 20_500


def test_hot_spot():
    model = Model(nodes=24)
    measure_on(model, replace(POINT, shape=(4, 3, 2), pattern="hot_spot", hot_node=23, hot_share=0.25))
    assert written(model, "TRAFFIC_HOTSPOT") == [(0, [3 << 16 | 2 << 8 | 1] * 24)]
    assert written(model, "TRAFFIC_HOTSPOT_PROBABILITY") == [(0, [1 << 30] * 24)]


def test_permutation():
    model = Model()
    measure_on(model, replace(POINT, pattern="permutation"))
    assert written(model, "TRAFFIC_TARGET") == [(0, [int(there) << 16 for there in permutation(4, 3)])]
