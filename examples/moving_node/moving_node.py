"""Move a node between communication domains while memcached is under load, and plot what every client gets.

    python examples/moving_node/moving_node.py -o out/moving_node

writes throughput.png and moving_node.json. The same seed gives the same cycles.
"""

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from moving_client import ANSWERED, OUTCOMES
from moving_plot import picture

from khhw import Machine
from khhw.commands.output import report
from khhw.errors import BuildError, RequestError
from khhw.sim.process import run

HERE = Path(__file__).resolve().parent
MOVED = 3
SHORTEST = 60_000


def move(folder: Path, *, seed: int, cycles: int, engine: str) -> dict[str, Any]:
    """Run it; everything that was seen.

    Parameters
    ----------
    folder : Path
        Where the simulator's log is written.
    seed : int
        Of values, and of which one is asked for.
    cycles : int
        Of load: a third at home, a third away, a third at home again.
    engine : str
        ``native`` or ``cocotb``.

    Raises
    ------
    BuildError
        If the run did not come to its end.
    """
    machine = Machine.load(HERE / "machine.toml", engine=engine)
    request = machine.request(seed)
    request = replace(request, entry="moving_owner:program", arguments={**request.arguments, "cycles": cycles})
    done = run(machine.build(), request, folder, seed=seed, path=[HERE])
    if not done.finished:
        raise BuildError(f"the run ended as {done.state}: {done.message}; see {done.log}")
    return {**done.results, "cycles": cycles, "servers": machine.file.phases[0].kernels[0].nodes,
            "machine": machine.file.model_dump(mode="json"), "engine": engine}


def throughput(records: list[list[int]], start: int, cycles: int, window: int) -> dict[int, list[int]]:
    """GETs that were answered in each window, by the rank of the server that answered."""
    counts: dict[int, list[int]] = {}
    for cycle, _, server, outcome in records:
        if outcome == ANSWERED and start <= cycle < start + cycles:
            counts.setdefault(server, [0] * -(-cycles // window))[(cycle - start) // window] += 1
    return counts


def median(records: list[list[int]], since: int, until: int) -> float | None:
    """Cycles of a GET that was answered in a span of cycles; None if none was."""
    took = [took for cycle, took, _, outcome in records if outcome == ANSWERED and since <= cycle < until]
    return statistics.median(took) if took else None


def told(found: dict[str, Any], seed: int, window: int) -> dict[str, Any]:
    """The object that is written: like what ``khhw --json`` prints."""
    start, cycles = found["start"], found["cycles"]
    clients = [{
        "node": int(rank), "answered": sum(record[3] == ANSWERED for record in records),
        "per_window": {str(server): counts for server, counts in throughput(records, start, cycles, window).items()},
        "median_cycles": [median(records, start + third * cycles // 3, start + (third + 1) * cycles // 3)
                          for third in range(3)],
        "failed": [{"cycle": cycle, "after": took, "server": server, "outcome": OUTCOMES[outcome]}
                   for cycle, took, server, outcome in records if outcome != ANSWERED],
    } for rank, records in found["clients"].items()]
    machine = found["machine"]
    return report(
        {"start": start, "cycles": cycles, "window": window, "changes": found["changes"], "refused": found["refused"],
         "clients": clients},
        seed=seed, parameters={**machine, "engine": found["engine"]}, build="fast", cpu_model=machine["host"]["cpu"],
        also=["examples/moving_node"])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, default=Path("out/moving_node"),
                        help="folder to write to (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=600_000, help="of load (default: %(default)s)")
    parser.add_argument("--window", type=int, default=10_000, help="cycles of a bar of the plot (default: %(default)s)")
    parser.add_argument("--engine", choices=("native", "cocotb"), default="native")
    asked = parser.parse_args()
    if asked.cycles < SHORTEST or not 0 < asked.window <= asked.cycles:
        parser.error(f"--cycles takes {SHORTEST:,} or more, so that a client finds its new server in a third of them, "
                     "and --window no more than that")
    try:
        found = move(asked.folder, seed=asked.seed, cycles=asked.cycles, engine=asked.engine)
    except (BuildError, RequestError, ValueError) as error:
        print(f"moving_node: {error}", file=sys.stderr)
        return 1
    written = told(found, asked.seed, asked.window)
    (asked.folder / "moving_node.json").write_text(json.dumps(written, indent=1) + "\n")
    drawn = picture(written["results"], found["clients"], MOVED, ANSWERED)
    print(drawn.caption)
    print(drawn.save(asked.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
