"""How close the four calls come to the wire: two nodes, one cable.

    python benchmarks/calls.py [--cpu ideal|ppc450] [--repeat N] [--json]

Measured on the RTL of examples/pair.toml, one task a node, nothing else under way, in cycles:

* get: 4 KiB by ``rdma_get``, from the call to data the caller can use. Bound: the request packet and 18 data packets,
  one flit a cycle, and the hops both ways.
* put: 64 KiB by ``rdma_put``, from the call to the interrupt at the target. Bound: 240 of every 256 bytes of the link.
* stream: 64 KiB by ``tcp_send``, from the call to the last byte in the buffer of ``tcp_rcv``. Bound: as for put.
* exchange: 64 bytes by ``tcp_send`` there and back. Bound: a packet each way.

Samples are taken after a quiet time; the first get and put also set up their counters. With `ideal` there is no
chance in it: samples differ by a few cycles of register accesses.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from khhw import Machine
from khhw.build.cache import build_root
from khhw.commands.output import report
from khhw.machine.results import Results
from rtl.formats import CHUNK_BYTES, CHUNK_FLITS, DESCRIPTOR_BYTES, PACKET_FLITS, PAYLOAD_BYTES

__all__ = ["bound", "main", "measure"]

HERE = Path(__file__).parent
HEADER_BYTES = 16
_INTO_AND_OUT, _HOP = 2, 3
"""Cycles of a packet's first flit from an injection lane to an ejection lane: these, and three a hop."""

MACHINE = """\
name = "The four calls"
seed = 1
[torus]
shape = [2, 1, 1]
[node]
memory_bytes = 4194304
[host]
cpu = "{cpu}"
[domains.together]
rules = ["0 -> 0 1", "1 -> 0 1"]
[[phases]]
name = "calls"
domains = "together"
kernels = [{{ kernel = "{kernel}", arguments = "repeat={repeat}" }}]
"""


def flits(length: int) -> int:
    """Flits of a message of `length` bytes."""
    whole, rest = divmod(length, PAYLOAD_BYTES)
    return whole * PACKET_FLITS + (-(-(HEADER_BYTES + rest) // CHUNK_BYTES) * CHUNK_FLITS if rest else 0)


def way(length: int, hops: int = 1) -> int:
    """Least cycles from a message's first flit in the injection lane to its last in the ejection lane."""
    return _INTO_AND_OUT + _HOP * hops + flits(length) - 1


def bound(figure: str, length: int) -> float:
    """Least cycles a call can take on this wire."""
    if figure == "get":
        return way(DESCRIPTOR_BYTES) + way(length)
    if figure == "exchange":
        return 2 * way(length)
    return length * PACKET_FLITS / PAYLOAD_BYTES


def measure(folder: Path, *, cpu: str = "ideal", repeat: int = 3) -> Results:
    """Run the machine; node 0 says what it has measured on its console."""
    file = folder / "calls.toml"
    file.write_text(MACHINE.format(cpu=cpu, repeat=repeat, kernel=HERE / "calls_kernel.py"))
    return Machine.load(file).run(folder)


def figures(results: Results) -> dict[str, Any]:
    """What node 0 said.

    Raises
    ------
    SystemExit
        If it said nothing.
    """
    for line in results.results.console:
        _, found, text = line.text.partition("calls: {")
        if found:
            return dict(json.loads("{" + text))
    raise SystemExit(f"{results.state}: {results.message or results.results.console[-3:]}")


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One object for each figure and size: cycles, and the bound beside them."""
    table = []
    for figure in ("get", "put", "stream", "exchange"):
        for length in sorted({size for size, _ in found[figure]}):
            cycles = sorted(taken for size, taken in found[figure] if size == length)
            least = bound(figure, length)
            table.append({
                "figure": figure, "bytes": length, "samples": len(cycles), "cycles": cycles,
                "bound_cycles": round(least, 1), "of_bound": round(least / cycles[len(cycles) // 2], 3)})
    return table


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", default="ideal", choices=["ideal", "ppc450"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    build_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_root()) as folder:
        results = measure(Path(folder), cpu=arguments.cpu, repeat=arguments.repeat)
    found = figures(results)
    table = rows(found)
    if arguments.json:
        print(json.dumps(report(
            [*table, {"figure": "wire", **found["wire"]}], seed=results.seed, parameters=results.parameters,
            build=results.build, cpu_model=results.cpu_model), indent=1))
    else:
        for row in table:
            median = row["cycles"][len(row["cycles"]) // 2]
            print(f"{row['figure']:9} {row['bytes']:6} B  median {median:6} cycles, bound {row['bound_cycles']:7} "
                  f"({row['of_bound']:.1%} of it), {row['samples']} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
