"""RDMA reads of memcached items while others write and evict them: is one ever torn, or another's?

    python -m benchmarks.torn_reads --json
    python -m benchmarks.torn_reads --reads 2000 --unchecked

A server with little room, and clients that read by ``rdma_get`` and write by ``rdma_put`` and over streams, all at the
same time, values of random sizes. Every value says in each of its bytes which key and which write it belongs to. Rounds
with other seeds follow until there are enough reads. With ``--unchecked`` readers do not look at versions: then there
must be wrong values, or the campaign would not find any.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from khhw.commands.output import report
from khhw.machine.machine import Machine

__all__ = ["campaign", "machine_text"]

STORES = {60: 3500, 300: 7000, 1500: 24_000}
"""Largest value, and bytes of the store: about two thirds of what 40 keys would take."""
MEASURE_CYCLES = 400_000
_TOLD = re.compile(r"(\d+) values read, (\d+) wrong, (\d+) evictions")


def machine_text(*, unchecked: bool = False, measure_cycles: int = MEASURE_CYCLES) -> str:
    """The machine file: two nodes, six connections; a phase for each size and each of two ways to write."""
    check = " check=nothing" if unchecked else ""
    phases = "\n".join(f"""
[[phases]]
name = "values_of_{size}_by_{sets}"
measure = "memcached"
domains = "both"
kernels = [
  {{ nodes = [0], kernel = "memcached", arguments = "store={store}", service = true }},
  {{ nodes = [1], kernel = "memcached_load", arguments = "server=0 clients=1 path=rdma sets={sets} sizes={size} \
gets=70 keys=40 distribution=zipf vary=1 fill=1 connections=6 warmup=2000 measure={measure_cycles} samples=2000 \
seed={{seed}}{check}" }},
]""" for size, store in STORES.items() for sets in ("rdma", "tcp"))
    return f"""name = "Torn reads"
[torus]
shape = [2, 1, 1]
[node]
memory_bytes = {4 << 20}
[host]
max_cycles = 1000000000
[domains.both]
rules = ["0 -> 0 1", "1 -> 0 1"]
{phases}
"""


def campaign(file: Path, reads: int, seed: int) -> dict[str, Any]:
    """Rounds of the machine until `reads` values were read.

    Parameters
    ----------
    file : Path
        A :func:`machine_text`.
    reads : int
    seed : int
        Of the first round; the next ones count up.

    Returns
    -------
    dict
        Counts of the measurements: ``writes``, ``misses``, ``evictions``, ``retried`` (reads that were stale or torn
        and done again), ``refused`` (writes the server had no room for). Counts with warm-ups: ``reads``, ``wrong``,
        ``cycles``, ``rounds``. ``complaints``: what was wrong.
    """
    machine, total, complaints = Machine.load(file), Counter[str](), list[str]()
    while total["reads"] < reads:
        results = machine.run(file.parent / f"round{total['rounds']}", seed=seed + total["rounds"])
        if results.state != "done":
            raise RuntimeError(f"round {total['rounds']} ended as {results.state}: {results.message}")
        total.update(rounds=1, cycles=results.cycles)
        for point in results.results.memcached:
            total.update(retried=point.retries, misses=point.misses, refused=point.errors)
            if point.op == "set":
                total["writes"] += point.ops
        for line in results.results.console:
            if told := _TOLD.search(line.text):
                total.update(reads=int(told[1]), wrong=int(told[2]), evictions=int(told[3]))
            if "wrong value" in line.text:
                complaints.append(line.text.partition("memcached_load: ")[2])
    total["refused"] -= total["wrong"]
    return {**total, "complaints": complaints}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=100_000, help="values to read (100,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (1)")
    parser.add_argument("--unchecked", action="store_true", help="readers do not look at versions")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "machine.toml"
        file.write_text(machine_text(unchecked=options.unchecked), encoding="utf-8")
        result = campaign(file, options.reads, options.seed)
    if options.json:
        print(json.dumps(report(
            [result], seed=options.seed, parameters=vars(options), build="fast", cpu_model="ideal")))
    else:
        counts = (f"{value:,} {name}" for name, value in result.items() if name != "complaints")
        print(", ".join(counts), *result["complaints"], sep="\n")
    return int((result["wrong"] > 0) != options.unchecked)

if __name__ == "__main__":
    sys.exit(main())
