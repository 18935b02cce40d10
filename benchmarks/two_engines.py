"""What a machine takes under cocotb and on the native engine: CPU and wall seconds of whole runs, in turns.

    python -m benchmarks.two_engines [FILE] [--repeat 3]

FILE is a machine file, by default examples/talk.toml. Each run is the process that simulates, from its start to its
end, Python included; builds are made or found before. CPU seconds are what to compare on a computer that does other
work. Both must have done the same, up to the signature of every node. Prints one JSON object.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.same_machine import differences
from khhw.commands.output import report
from khhw.machine.machine import Machine
from khhw.machine.results import Results

__all__ = ["main", "measure", "same", "summary"]

ENGINES: tuple[Literal["cocotb", "native"], ...] = ("cocotb", "native")


def measure(file: Path, repeat: int) -> dict[str, Any]:
    """Run both in turns.

    Parameters
    ----------
    file : pathlib.Path
        Machine file.
    repeat : int
        Runs on each.

    Returns
    -------
    dict
        See :func:`summary`.

    Raises
    ------
    RuntimeError
        If a run fails, or does something else than the first one.
    """
    machines = {engine: Machine.load(file, engine=engine) for engine in ENGINES}
    for engine, machine in machines.items():
        print(f"building: {engine}", file=sys.stderr)
        machine.build()
    taken: dict[str, list[tuple[float, float]]] = {engine: [] for engine in ENGINES}
    first: Results | None = None
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(repeat):
            for engine, machine in machines.items():
                print(f"run {number + 1} of {repeat}: {engine}", file=sys.stderr)
                before, began = _children(), time.monotonic()
                results = machine.run(Path(scratch) / engine)
                taken[engine].append((_children() - before, time.monotonic() - began))
                first = first or results
                same(first, results)
    assert first is not None
    return summary(taken) | {"cycles": first.cycles}


def same(first: Results, other: Results) -> None:
    """Whether two runs of a machine ended well and did the same.

    Raises
    ------
    RuntimeError
        If not; names the first differences.
    """
    if not other.passed or not other.signature:
        raise RuntimeError(f"a run on {other.engine} ended as {other.state}: {other.message}")
    found = [line for line in differences(first.model_dump(mode="json"), other.model_dump(mode="json"))
             if not line.startswith("results.engine: ")]
    if found:
        raise RuntimeError(f"a run on {other.engine} differs from one on {first.engine}: {'; '.join(found[:5])}")


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def summary(taken: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Samples, median, least and most of CPU and wall seconds by engine, and how many times the native engine's
    median cocotb's is; `taken` has CPU and wall seconds of each run."""
    rows = [{"engine": engine, "samples": len(runs),
             **{name: {"median": round(float(np.median(values)), 2), "min": round(min(values), 2),
                       "max": round(max(values), 2)}
                for name, values in zip(("cpu_seconds", "wall_seconds"), zip(*runs, strict=True), strict=True)}}
            for engine, runs in taken.items()]
    cocotb, native = rows
    ratio = {name: round(cocotb[name]["median"] / native[name]["median"], 2)
             for name in ("cpu_seconds", "wall_seconds")}
    return {"results": rows, "ratio": ratio}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("examples/talk.toml"))
    parser.add_argument("--repeat", type=int, default=3, help="runs on each engine (%(default)s)")
    asked = parser.parse_args()
    found = measure(asked.file, asked.repeat)
    results = found.pop("results")
    parameters = {"machine": Machine.load(asked.file).file.model_dump(mode="json"), "repeat": asked.repeat}
    common = report(results, seed=parameters["machine"]["seed"], parameters=parameters, build="fast",
                    cpu_model=parameters["machine"]["host"]["cpu"], also=["benchmarks/two_engines.py"])
    print(json.dumps(common | found, indent=1))


if __name__ == "__main__":
    main()
