"""A network that takes no time: what a sweep measures where the simulator is not what is tested.

Latency follows an open queue up to the capacity of a pattern; behind it, what is accepted stays where it is. Points can
be made slow, fail, take their worker with them, or end with other hardware, by files in the folder ``KHHW_FAKE`` names.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from khhw.sweep.backend import Backend
from khhw.traffic.capacity import capacity
from khhw.traffic.measurement import Batch, Measurement
from khhw.traffic.point import Build, Point

FAKE = Backend(identify=f"{__name__}:identify", prepare=f"{__name__}:prepare", measure=f"{__name__}:measure")
SATURATION = {"uniform": 0.62, "tornado": 0.33, "hot_spot": 0.12}
"""Loads at which patterns saturate."""


def _folder() -> Path | None:
    return Path(os.environ["KHHW_FAKE"]) if "KHHW_FAKE" in os.environ else None


def _log(text: str) -> None:
    if folder := _folder():
        with (folder / "log").open("a") as file:
            file.write(f"{text}\n")


def identify(build: Build) -> str:
    folder = _folder()
    return f"fake {build.name}{' edited' if folder and (folder / 'edited').exists() else ''}"


def prepare(build: Build, sizes: Sequence[int]) -> None:
    _log(f"build {build.node.slots} {sizes}")
    if build.node.slots == 7:
        raise OSError("no compiler for seven slots")


def _obey(point: Point) -> None:
    folder = _folder()
    if folder is None:
        return
    name = f"{point.pattern}-{point.load:g}-{point.seed}"
    _log(f"point {name}")
    if (folder / f"slow-{name}").exists() or (folder / "slow").exists():
        time.sleep(0.4)
    if (folder / f"fail-{name}").exists():
        raise ValueError(f"told to fail at {name}")
    if (folder / f"edit-{name}").exists():
        (folder / "edited").touch()
    once, always = folder / f"kill-once-{name}", folder / f"kill-{name}"
    if once.exists() or always.exists():
        once.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)


def measure(point: Point) -> Measurement:
    _obey(point)
    limit = SATURATION.get(point.pattern, 0.5) * (1 + 0.01 * (point.seed % 3 - 1))
    random = np.random.default_rng([point.seed, round(point.load * 1e6)])
    noise = random.normal(1, 0.01, point.batches)
    unit = capacity(point.shape, point.build.node.lanes)
    used = min(point.load, limit) / limit
    latency = 60 * (1 + 0.5 * used / (1.02 - used)) * noise
    accepted = unit * min(point.load, limit) * noise
    packets = round(point.nodes * point.cycles * min(point.load, limit) * unit / 32)
    batches = tuple(Batch(offered=unit * point.load, accepted=float(a), packets=packets // point.batches,
                          latency_mean=float(each)) for a, each in zip(accepted, latency, strict=True))
    mean = float(latency.mean())
    return Measurement(
        offered=unit * point.load, accepted=float(accepted.mean()), packets=packets, latency_mean=mean,
        latency_p50=mean * 0.9, latency_p99=mean * 2 if packets >= 1000 else None, latency_max=round(mean * 4),
        errors=0, drained=point.load < limit, batches=batches, cycles=point.warmup + point.cycles, wall_seconds=0.01)
