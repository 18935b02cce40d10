"""Speed of the co-simulation: the lean build against cocotb's own runner, on the same RTL, in turns.

Loads are `idle` and each phase of a machine file. All cycles are simulated: nothing is jumped over. The same host
program runs on both builds, so what differs is how Verilator was called.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from khhw.build.simulator import Simulation, SimulationBuild
from khhw.errors import BuildError
from khhw.machine.design import design_of
from khhw.machine.machine import Machine
from khhw.machine.results import RunRecord
from khhw.sim.process import ProcessResult, Request, run

__all__ = ["BUILDS", "LOADS", "Lap", "cycles_per_hop", "measure", "spread", "summary"]

LOADS = Path(__file__).with_name("cosim.toml")
"""The machine that is measured where no other is named."""
BUILDS = ("stock", "lean")

Lap = Mapping[str, float]
"""``cycles``, ``wall_seconds`` and ``cpu_seconds`` of one measurement."""
Tell = Callable[[str], None]


def measure(
    machine: Machine, *, repeat: int, seconds: float, seed: int, tell: Tell, builds: Sequence[str] = BUILDS,
) -> dict[str, Any]:
    """Build both ways, run all loads on both in turns.

    Parameters
    ----------
    machine : Machine
        Each of its phases is a load.
    repeat : int
        Runs of each load on each build.
    seconds : float
        Wall time of one idle run.
    seed : int
        Of the machine.
    tell : callable
        Called with what is being done.
    builds : sequence of str
        Of :data:`BUILDS`.

    Returns
    -------
    dict
        See :func:`summary`.

    Raises
    ------
    BuildError
        If a build or a run fails.
    """
    made = {}
    for name in builds:
        tell(f"building: {name}")
        design = design_of(machine.file, machine.folder)
        made[name] = Simulation(design=design, stock=name == "stock").build()
    # Jumps are off: a skipped cycle is not a simulated one.
    asked = machine.request(seed)
    request = replace(asked, entry="khhw.bench.programs:timed", options=replace(asked.options, jump=False),
                      arguments={**asked.arguments, "idle_seconds": seconds})
    laps: dict[tuple[str, str], list[Lap]] = defaultdict(list)
    record = RunRecord()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(repeat):
            for name, build in made.items():
                tell(f"run {number + 1} of {repeat}: {name}")
                result = _run(build, request, Path(scratch) / name, seed)
                for load, lap in result.results["laps"].items():
                    laps[name, load].append(lap)
                record = RunRecord.model_validate(result.results["record"])
    return summary(laps, made, record)


def _run(build: SimulationBuild, request: Request, folder: Path, seed: int) -> ProcessResult:
    result = run(build, request, folder, seed=seed)
    if not result.finished:
        raise BuildError(f"the benchmark's run ended as {result.state}: {result.message}", result.log)
    return result


def summary(
    laps: Mapping[tuple[str, str], Sequence[Lap]], builds: Mapping[str, SimulationBuild], record: RunRecord,
) -> dict[str, Any]:
    """What all runs came to.

    Parameters
    ----------
    laps : mapping
        Measurements by build and load.
    builds : mapping
        By name; what they took to make.
    record : RunRecord
        Of a run of the phases.

    Returns
    -------
    dict
        ``results``: an object a build and load. ``ratio``: lean over stock by load, of the medians; ``wall`` and
        ``cpu``. ``build_seconds`` by build, None where that was not recorded. ``cycles_per_hop``, None without a
        latency phase.
    """
    results: list[dict[str, Any]] = [
        {"build": build, "load": load, "samples": len(values),
         "cycles": int(np.median([lap["cycles"] for lap in values])),
         "cycles_per_second": spread(values, "cycles", "wall_seconds"),
         "cycles_per_cpu_second": spread(values, "cycles", "cpu_seconds")}
        for (build, load), values in laps.items()]
    median = {(r["build"], r["load"], key): r[key]["median"] for r in results
              for key in ("cycles_per_second", "cycles_per_cpu_second")}
    loads = [load for build, load in laps if build == "lean"]
    ratio = {load: {short: round(median["lean", load, key] / median["stock", load, key], 2)
                    for short, key in (("wall", "cycles_per_second"), ("cpu", "cycles_per_cpu_second"))}
             for load in loads if ("stock", load) in laps}
    return {"results": results, "ratio": ratio, "cycles_per_hop": cycles_per_hop(record),
            "build_seconds": {name: asdict(build.time) if build.time else None for name, build in builds.items()}}


def spread(laps: Sequence[Lap], work: str, time: str) -> dict[str, int]:
    """Median, least and most of `work` over `time`."""
    speeds = [lap[work] / lap[time] for lap in laps]
    return {"median": round(float(np.median(speeds))), "min": round(min(speeds)), "max": round(max(speeds))}


def cycles_per_hop(record: RunRecord) -> float | None:
    """What one more hop adds to the median latency of the smallest messages, in cycles; None without two distances."""
    if not record.latency:
        return None
    smallest = min(sample.size_bytes for sample in record.latency)
    by_hops = defaultdict(list)
    for sample in record.latency:
        if sample.size_bytes == smallest:
            by_hops[sample.hops].append(sample.cycles)
    if len(by_hops) < 2:
        return None
    hops = sorted(by_hops)
    return float(np.polyfit(hops, [np.median(by_hops[h]) for h in hops], 1)[0])
