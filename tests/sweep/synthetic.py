"""Results of sweeps without workers and without hardware."""

from khhw.sweep.grid import curves
from khhw.sweep.plan import Plan
from khhw.sweep.reading import load
from khhw.sweep.results import SweepResults
from khhw.sweep.store import Record
from tests.sweep.fake import measure
from tests.sweep.specs import SMALL, written

SEEDS = SMALL.replace('["uniform", "tornado"]', '["uniform", "tornado"]\nseeds = [1, 2, 3]')
"""The same with three seeds."""


def swept(folder, text=SMALL, *, fail=()):
    """A sweep of the network that takes no time, without workers."""
    spec = load(written(folder, text))
    lines = curves(spec, folder)
    plan = Plan(spec, lines)
    for line in lines:
        while needed := plan.needed(line):
            for point in needed:
                failed = (point.pattern, point.load) in fail
                plan.add(Record(id=point.identity("b", "v"), point=point, build="b", version="v",
                                state="failed" if failed else "done", reason="<told> to" if failed else "",
                                measurement=None if failed else measure(point), worker="here"))
    rows = list(plan.rows())
    return SweepResults(version="v", parameters=spec.model_dump(mode="json"), source="small.toml",
                        state="failed" if fail else "done",
                        message="1 of 15 points failed" if fail else "", reused=2, wall_seconds=1.5, results=rows,
                        saturation=list(plan.saturation()))
