"""``python -m tests.schedule``: builds ahead, what `make test-all` runs, recording of durations, a list of the longest.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date

from formal.prove import PROOFS
from khhw.build import history
from khhw.build.cache import COMPLETE, build_root
from khhw.build.simulator import BuildTime
from khhw.estimate import in_words
from tests.schedule.builds import KINDS, ROOT, build_all, used
from tests.schedule.durations import Durations, Took
from tests.schedule.items import Item, Pass, age, all_items, begins, in_order, load_passes, recorded, save_passes
from tests.schedule.plugin import NOTED

FAST = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-m", "not rare", "--ignore",
        "tests/structure")
CACHE = ROOT / ".pytest_cache" / "v" / NOTED


def find_items() -> list[Item]:
    """All items there are."""
    listed = subprocess.run([sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", "rare"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    rare = [line.partition("@[")[0] for line in listed.stdout.splitlines() if line.startswith("tests/")]
    if listed.returncode not in (0, 5):
        raise SystemExit(listed.stdout)
    return all_items(rare, [name for job in PROOFS for name in job.properties])


def commit() -> str:
    """The commit that is checked out; empty outside git."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run_items(words: Sequence[str], minutes: float | None, since: float, keep: bool) -> int:
    """Run items, the oldest first; number of failures of what has passed before: only that is a step back."""
    items, durations, passes = find_items(), Durations.load(), load_passes()
    chosen = [item for item in items if not words or any(word in item.name for word in words)]
    limit = None if minutes is None else minutes * 60
    failed, never, slower = [], [], durations.slower(_noted())
    for item in in_order(chosen, passes, commit()):
        expected, here = recorded(item, durations), history.known(f"item {item.name}")
        # What was found built here before may have to be built now; and this machine may be the slower one.
        longest = max(filter(None, (expected and expected * slower, here.middle if here else None)), default=None)
        took = "; ".join([
            "no time recorded" if expected is None else f"{expected:.0f} s recorded",
            *([f"took {in_words(here.low, here.high)} here"] if here else [])])
        told = f"{item.name} ({age(item, passes, date.today())}; {took})"
        if not begins(longest, time.time() - since, limit):
            print(f"left out: {told}", flush=True)
            continue
        print(f"running:  {told}", flush=True)
        began = time.monotonic()
        code = subprocess.run(item.command, cwd=ROOT, check=False).returncode
        history.note(f"item {item.name}", time.monotonic() - began)
        if code:
            (failed if item.name in passes else never).append(item.name)
        elif keep:
            passes[item.name] = Pass(commit(), date.today().isoformat())
            save_passes(passes, items)
    for names, what in ((failed, "items failed"), (never, "items have never passed, and did not now")):
        print(f"{len(names)} {what}" + "".join(f"\n  {name}" for name in names))
    return len(failed)


def record(words: Sequence[str], *, run: bool) -> int:
    """Record durations; without `run` those of the last runs of single tests, as pytest's cache has them."""
    durations, failed = Durations.load(), 0
    if run and not words:
        build_all(durations.builds)
        since = time.time()
        failed += subprocess.run([sys.executable, *FAST], cwd=ROOT, check=False).returncode
        durations.builds = used(since)
    for item in find_items() if run else ():
        if not words or any(word in item.name for word in words):
            since = time.time()
            failed += subprocess.run(item.command, cwd=ROOT, check=False).returncode
            # A fresh machine has to build as well what was found built here.
            durations.items[item.name] = time.time() - since + _built_before(since)
            durations.save()
    durations.put(_noted())
    there = {name for name in durations.tests if (ROOT / name).is_file()}
    durations.tests = {name: tests for name, tests in durations.tests.items() if name in there}
    durations.machine = {"recorded": date.today().isoformat(), "commit": commit()[:10], "processor": platform.machine(),
                         "cores": os.cpu_count(),
                         "load": round(os.getloadavg()[2], 1)}
    durations.save()
    return failed


def _noted() -> dict[str, Took]:
    """What pytest noted of the last run of each test."""
    noted = json.loads(CACHE.read_text()) if CACHE.is_file() else {}
    return {node: Took(*took) for node, took in noted.items()}


def _built_before(since: float) -> float:
    """Seconds of wall that builds took that were used since a time, but made before."""
    made = [folder / "build-time.json" for kind in KINDS for folder in (build_root() / kind).iterdir()
            if (stamp := folder / COMPLETE).is_file() and stamp.stat().st_mtime >= since]
    return sum(took.wall_seconds for file in made if file.is_file() and file.stat().st_mtime < since
               and (took := BuildTime.of(file.parent)))


def longest(count: int) -> int:
    """Print the tests that take longest."""
    tests = [(took, f"{name}::{test}") for name, each in Durations.load().tests.items() for test, took in each.items()]
    for took, node in sorted(tests, key=lambda pair: -pair[0].wall)[:count]:
        print(f"{took.wall:7.1f} s {took.cpu:7.1f} s CPU  {node}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 if nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedule", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("builds", help="build what `make test` needs, the longest first")
    rest = commands.add_parser("rest", help="run what `make test` leaves out, the oldest first")
    rest.add_argument("words", nargs="*", help="only items whose name has one of these")
    rest.add_argument("--minutes", type=float, help="begin nothing that would end later than this")
    rest.add_argument("--since", type=float, default=time.time(), help="when the minutes began, as `date +%%s` says it")
    rest.add_argument("--keep", action="store_true", help="write passes to tests/last_passes.json")
    recording = commands.add_parser("record", help="run everything, and write tests/durations.json")
    recording.add_argument("words", nargs="*", help="only items of `make test-all` whose name has one of these")
    recording.add_argument("--noted", action="store_true", help="run nothing: take what pytest noted in its last runs")
    listing = commands.add_parser("longest", help="the tests that take longest")
    listing.add_argument("count", nargs="?", type=int, default=60)
    chosen = parser.parse_args(arguments)
    if chosen.command == "builds":
        build_all(Durations.load().builds)
        return 0
    if chosen.command == "rest":
        return min(run_items(chosen.words, chosen.minutes, chosen.since, chosen.keep), 1)
    if chosen.command == "record":
        return min(record(chosen.words, run=not chosen.noted), 1)
    return longest(chosen.count)


if __name__ == "__main__":
    sys.exit(main())
