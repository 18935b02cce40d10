"""What a neighbour adds to an operation is wait, not work of the network interface or of software."""

import pytest

from khhw.machine.measurements.memcached import MEASUREMENT
from khhw.machine.results import Breakdown, RunRecord
from khhw.machine.waits import with_waits
from tests.report.synthetic_memcached import point

QUIET, FLOODED = "quiet", "flooded"


def parts(phase, ni, software=0.0, wait=0.0, **changes):
    return point(phase=phase, breakdown=Breakdown(software=software, ni=ni, hops=12, serialization=152, wait=wait),
                 **changes)


def kept(*phases):
    """As the phases of a run leave them, one after the other."""
    record = RunRecord()
    for found in phases:
        MEASUREMENT.keep(record, None, [found])
    return record.memcached


@pytest.mark.parametrize("first", [QUIET, FLOODED])
def test_a_flood_makes_no_work(first: str) -> None:
    points = sorted([parts(QUIET, 67.23), parts(FLOODED, 100.83)], key=lambda each: each.phase != first)
    found = {each.phase: each.breakdown for each in kept(*points)}
    assert (found[QUIET].ni, found[QUIET].wait) == (67.23, 0)
    assert (found[FLOODED].ni, found[FLOODED].wait) == (67.23, 33.6)


def test_what_waited_already_waits_longer_and_all_of_it_stays() -> None:
    points = [parts(QUIET, 30.0, 30.0), parts(FLOODED, 50.0, 40.0, 6.26)]
    _, found = with_waits(points)
    assert (found.breakdown.ni, found.breakdown.software) == (33.33, 26.67)
    assert sum(found.breakdown.model_dump().values()) == pytest.approx(
        sum(points[1].breakdown.model_dump().values()), abs=0.02)
    assert found.breakdown.wait == 36.26


@pytest.mark.parametrize("changes", [{"value_bytes": 64}, {"path": "rdma"}, {"op": "set"}, {"cpu_scale": 2.0}])
def test_another_measurement_tells_nothing(changes: dict[str, object]) -> None:
    points = [parts(QUIET, 10.0, **changes), parts(FLOODED, 100.83), point(breakdown=None)]
    assert kept(*points) == points
