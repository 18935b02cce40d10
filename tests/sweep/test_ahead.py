"""What is left of a sweep, against what it turns out to be: points that do not tell cost many times what others do."""

import pytest

from khhw.sweep.grid import curves
from khhw.sweep.plan import Plan, cost
from khhw.sweep.reading import load
from khhw.sweep.store import Record
from tests.sweep.queues import measure
from tests.sweep.specs import written
from tests.sweep.test_knee import QUEUES


def run(folder, seed):
    """The work of every point, as one worker measures them, and what was ahead before each and at the end."""
    spec = load(written(folder, QUEUES.format(seed=seed)))
    (curve,) = curves(spec, folder)
    plan, work, ahead = Plan(spec, [curve]), [], []
    while needed := plan.needed(curve):
        ahead.append((plan.ahead(), plan.known))
        point = needed[0]
        work.append(cost(point))
        plan.add(Record(id="a", point=point, build="b", version="v", state="done", measurement=measure(point)))
    return work, ahead, plan.ahead()


@pytest.mark.parametrize("seed", range(1, 9))
def test_work_that_is_left_is_about_right(tmp_path, seed):
    work, ahead, _ = run(tmp_path, seed)
    rests = [(found.work, sum(work[number:])) for number, (found, _) in enumerate(ahead)]
    # As many points of the cycles in the specification are a tenth of what is left.
    assert rests[0][0] < 0.12 * rests[0][1]
    ratios = [told / rest for told, rest in rests[5:] if rest > 0.25 * sum(work)]
    assert len(ratios) > 8
    assert all(0.5 < ratio < 2.2 for ratio in ratios), ratios


def test_nothing_is_left_at_the_end(tmp_path):
    _, ahead, end = run(tmp_path, 1)
    assert (end.points, end.again, end.work) == (0, 0, 0)
    assert all(found.work > 0 for found, _ in ahead)
    assert max(found.again for found, _ in ahead) > 2
    totals = [known + found.points for found, known in ahead]
    assert max(totals) - min(totals) <= 6
