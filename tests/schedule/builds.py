"""What ``make test`` builds before its tests: the longest first, each once, shared by all workers."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from khhw.build.cache import COMPLETE, build_root
from khhw.build.design import convert
from khhw.build.engine import build_engine
from khhw.build.lanes.demands import missing_for_lanes
from khhw.build.simulator import REQUEST, BuildTime, Simulation
from khhw.errors import BuildError, RequestError

__all__ = ["build_all", "make", "used"]

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("engine", "sim")


def used(since: float, root: Path | None = None) -> list[dict[str, Any]]:
    """What was built or used since a time and can be built ahead, the longest first.

    Parameters
    ----------
    since : float
        Seconds since the epoch.
    root : Path, optional
        Build folder, if not this process's.

    Returns
    -------
    list of dict
        ``kind``, ``seconds`` of CPU, and ``what`` to build, with folders relative to the checkout. What needs a file
        outside it, a test's own design, is left out.
    """
    found = []
    for kind in KINDS:
        for stamp in sorted(((root or build_root()) / kind).glob(f"*/{COMPLETE}")):
            request = stamp.parent / REQUEST
            if stamp.stat().st_mtime < since or not request.is_file():
                continue
            took = BuildTime.of(stamp.parent)
            what = json.loads(request.read_text())
            design = what.get("design", what)
            folders = [Path(folder) for folder in design["path"]]
            if all(folder.is_relative_to(ROOT) for folder in folders):
                design["path"] = [str(folder.relative_to(ROOT)) for folder in folders]
                found.append({"kind": kind, "seconds": round(took.cpu_seconds) if took else 0, "what": what})
    return sorted(found, key=lambda each: (-each["seconds"], json.dumps(each)))


def make(build: Mapping[str, Any]) -> float:
    """Build one of them, or find it built; seconds that took."""
    started, what = time.monotonic(), dict(build["what"])
    if build["kind"] == "engine":
        build_engine(what.pop("parameters"), what.pop("parts"), **{**what, "path": _folders(what["path"])})
    else:
        asked = dict(what.pop("design"))
        design = convert(asked["target"], asked["values"], path=_folders(asked["path"]), strict=asked["strict"])
        Simulation(design=design, **what).build()
    return time.monotonic() - started


def _folders(names: Iterable[str]) -> list[Path]:
    return [ROOT / name for name in names]


def build_all(builds: Iterable[Mapping[str, Any]], workers: int = 2) -> int:
    """Build all in some processes; number of failures. They are only told: the tests that need them will say more."""
    failed = 0
    wanted = [build for build in builds if not _skipped(build["what"])]
    with ProcessPoolExecutor(workers) as pool:
        running = {pool.submit(make, build): build for build in wanted}
        for future in as_completed(running):
            try:
                took = future.result()
            except (BuildError, RequestError) as error:
                failed += 1
                print(f"cannot build {_name(running[future])}: {error}", file=sys.stderr, flush=True)
            else:
                if took > 2:
                    print(f"built {_name(running[future])} in {took:.0f} s", flush=True)
    return failed


def _skipped(what: Mapping[str, Any]) -> bool:
    """Whether the tests that need it are skipped here."""
    return ((what.get("simulator") == "icarus" and not shutil.which("iverilog"))
            or (what.get("evaluator") == "lanes" and bool(missing_for_lanes())))


def _name(build: Mapping[str, Any]) -> str:
    what = build["what"]
    values = what["design"]["values"] if "design" in what else what["parameters"]
    target = what["design"]["target"] if "design" in what else f"engine, {what['evaluator']}"
    return f"{target} {' '.join(f'{name}={value}' for name, value in values.items())}".replace(os.linesep, " ")
