"""Figures on pages are those of the results that are kept beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.calls import bound
from khhw.export.families import FAMILIES

DOCS = Path(__file__).parents[2] / "docs"


def kept(name: str) -> Any:
    """Results of a run that the pages tell of."""
    return json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))["results"]


def prose(name: str) -> str:
    """A page, whatever the lengths of its lines."""
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


def test_a_node_moves_as_the_page_says() -> None:
    page, found = prose("domains.md"), kept("moving-node")
    first, second = found["changes"]
    assert f"The first change took {first['finished'] - first['started']:,} cycles." in page
    assert f"the tables of the first phase in {first['loaded'] - first['started']:,};" in page
    assert f"The second change took {second['finished'] - second['started']:,} cycles," in page
    assert f"with {second['loaded'] - second['started']:,} for the tables" in page
    for change in (first, second):
        assert f"{change['refused'] - change['loaded']:,} later all nodes had committed" in page
        assert f"{change['finished'] - change['refused']:,} later the new pairs were allowed" in page
    clients = {client["node"]: client for client in found["clients"]}
    (away, _home) = clients[3]["failed"]
    assert f"from node 0 at cycle {away['cycle'] - away['after'] - found['start']:,}," in page
    assert not any(clients[node]["failed"] for node in (1, 4, 5, 7))
    medians = {node: [round(cycles) for cycles in client["median_cycles"]] for node, client in clients.items()}
    assert set(medians[1] + medians[7]) == {832} and "needed 832 cycles for a GET" in page
    assert f"{medians[4][1]} cycles for a GET (median) instead of {medians[4][0]};" in page
    assert f"shared its server, {medians[5][1]} instead of {medians[5][0]}." in page


def rows(name: str) -> list[list[str]]:
    """Cells of all rows of all tables of a page."""
    lines = (DOCS / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def shape(sizes: list[int]) -> str:
    return "x".join(map(str, sizes))


def test_isolation() -> None:
    page, found = rows("isolation.md"), kept("bench-isolation")
    for run in (run for run in found if run["kind"] == "revoke"):
        (row,) = [row for row in page if row[:2] == [shape(run["shape"]), run["load"]]]
        assert row[2:5] == [f"{run[name]:,}" for name in ("revoke_cycles", "commit_cycles", "change_cycles")]
        lost = run["kept_sent"] - run["kept_received"]
        assert row[6:] == [f"{run['revoked_before']:,}, {run['revoked_late']}", f"{run['kept_sent']:,}, {lost}"]
    for run in (run for run in found if run["kind"] == "random"):
        assert [shape(run["shape"]), f"{run['revoke_cycles']:,}", f"{run['change_cycles']:,}"] in page
    for run in (run for run in found + kept("bench-renting") if run["kind"] == "rent"):
        assert [shape(run["shape"]), f"{len(run['ranks'])} {run['case']}", f"{run['revoke_cycles']:,}",
                f"{run['change_cycles']:,}"] in [row[:4] for row in page]
    for run in (run for run in found if run["kind"] == "neighbours"):
        assert [run["case"], f"{run['packets']:,}", f"{run['mean']:.2f}", f"{run['p99']:.2f}", str(run["max"])] in [
            row[:5] for row in page]
    for run in (run for run in found if run["kind"] == "share"):
        assert [f"{run['alone']:,} {run['unit']}", f"{run['beside']:,}"] in [row[3:5] for row in page]


def test_what_each_node_gets_of_the_tree() -> None:
    page, found, text = rows("console.md"), kept("bench-tree"), prose("console.md")
    assert f"{found['texts']:,} texts came out" in text and f"the fair share is {found['fair_share']:.1f}." in text
    for row in found["depths"]:
        (cells, ) = [cells for cells in page if cells[:2] == [str(row["depth"]), str(row["nodes"])]]
        assert cells[2] == f"{row['least']}, {row['most']}" and cells[4] == str(row["alone"])
    for name, way in (("combined to one", "combined"), ("of each node", "each")):
        idle, flood = (found["owner"][load][way] for load in ("idle", "flood"))
        assert idle["mean"] == idle["most"]
        assert [name, str(idle["most"]), f"{flood['mean']:,.1f}", f"{flood['most']:,}"] in [cells[:4] for cells in page]


def test_what_the_guard_costs() -> None:
    page, found = rows("bench.md"), kept("bench-guard")
    costs = {(run["guard"], run["table_nodes"]): run for run in found if run["measure"] == "cost" and run["guard"] in (
        "in", "out")}
    for nodes in {nodes for _, nodes in costs}:
        inside, out = costs["in", nodes], costs["out", nodes]
        numbers = [*(inside[name] for name in ("lut4", "flip_flops", "block_ram", "distributed_ram")), out["lut4"],
                   out["flip_flops"], inside["lut4"] - out["lut4"], inside["flip_flops"] - out["flip_flops"]]
        assert [f"{number:,}" for number in (nodes, *numbers)] in [row[:9] for row in page]
    latency = {(run["hops"], run["bytes"], run["guard"]): run for run in found if run["measure"] == "latency"}
    for hops in {hops for hops, _, _ in latency}:
        cycles = [latency[hops, size, guard] for size in (32, 256) for guard in ("in", "out", "bare")]
        assert all(run["cycles_min"] == run["cycles_max"] for run in cycles)
        assert [str(hops), str(cycles[0]["samples"]), *(str(run["cycles_min"]) for run in cycles)] in page


def test_what_the_guard_takes_of_each_family() -> None:
    found = json.loads((DOCS / "results" / "synthesis-guard.json").read_text(encoding="utf-8"))["synthesis"]
    page = rows("verilog.md")
    assert [run["family"] for run in found] == list(FAMILIES)
    for run in found:
        family = FAMILIES[run["family"]]
        counts = [f"{run['lut']:,} LUT{family.lut_inputs}", *(
            f"{run[name]:,}" for name in ("flip_flops", "block_ram", "lut_ram", "dsp"))]
        assert [family.title, *counts, f"`{family.command}`"] in page
        assert run["tool"].endswith(f", {family.command}")
        assert not run["unmapped"]


@pytest.mark.parametrize(("shown", "figure", "length"), [
    ("`rdma_get`, 4 KiB, call to data", "get", 4096), ("`rdma_put`, 64 KiB, call to interrupt", "put", 65536),
    ("`tcp_send` to `tcp_rcv`, 64 KiB", "stream", 65536), ("64 B there and back by stream", "exchange", 64)])
def test_calls_stand_beside_what_the_wire_allows(shown: str, figure: str, length: int) -> None:
    (row,) = [row for row in rows("calls.md") if row[0] == shown]
    least = bound(figure, length)
    taken = int(row[1].replace(",", ""))
    assert row[2:] == [f"{least:,.0f}", f"{least / taken:.0%}".replace("%", " %")]


def test_how_fast_the_engine_is() -> None:
    page, found = rows("engine.md"), kept("bench-engine")
    for run in found:
        figure = f"{run['node_cycles_per_second']['median']:,}"
        assert figure in [cell for row in page if row[:2] == [f"{run['nodes']:,}", run["evaluator"]] for cell in row]
    steps: dict[str, list[str]] = {}
    for run in kept("engine-steps"):
        steps.setdefault(run["step"], []).append(f"{run['node_cycles_per_second']['median']:,}")
    table = {row[0]: row[1:] for row in page}
    assert {step: table.get(step) for step in steps} == steps


def between(spread: dict[str, int]) -> str:
    return f"{spread['median']:,} ({spread['min']:,} to {spread['max']:,})"


def test_how_fast_cocotb_is() -> None:
    page = rows("bench.md")
    for run in kept("bench-cosim"):
        assert run["build"] == "lean" and [run["load"], between(run["cycles_per_cpu_second"])] in page
    both = json.loads((DOCS / "results" / "two-engines.json").read_text(encoding="utf-8"))
    for run in both["results"]:
        seconds = run["cpu_seconds"]
        assert [run["engine"], f"{seconds['median']:.1f} ({seconds['min']:.1f} to {seconds['max']:.1f})",
                str(run["samples"])] in page
    assert f"cocotb takes {both['ratio']['cpu_seconds']:.1f} times as long" in prose("bench.md")


def test_where_512_nodes_saturate() -> None:
    found = json.loads((DOCS / "results" / "sweep-8x8x8.json").read_text(encoding="utf-8"))["saturation"]
    page = {row[0].partition(",")[0]: row[1:] for row in rows("sweep.md") if len(row) == 5}
    for curve in found:
        row = page[curve["pattern"].replace("_", " ")]
        assert row[0] == f"{curve['zero_load_latency']:.0f}"
        assert [float(row[1]), float(row[2])] == [round(curve["carried"], 3), curve["saturated"]]


def test_memcached_size_by_size() -> None:
    study = json.loads((DOCS / "results" / "memcached-study.json").read_text(encoding="utf-8"))
    assert f"{study['cycles']:,} cycles and {study['wall_seconds']:.0f} s" in prose("memcached-study.md")
    cycles = study["clock_hz"] / 1e6
    table = {row[0]: row[1:] for row in rows("memcached-study.md")}
    points = [point for point in study["results"]["memcached"] if point["phase"].startswith("size_")]
    assert len(points) == 24
    medians = {(point["op"], point["value_bytes"], point["path"]): point["latency_cycles"]["p50"] for point in points}
    for point in points:
        op, size = point["op"], int(point["value_bytes"])
        row = table[f"{op.upper()} {f'{size} B' if size < 1024 else f'{size // 1024} KiB'}"]
        found = [f"{value / cycles:.3g}" for value in (point["latency_cycles"]["p50"], point["wire_bound_cycles"])]
        assert row[:2] == found if point["path"] == "tcp" else row[3:5] == found
        assert row[6] == f"{medians[op, size, 'tcp'] / medians[op, size, 'rdma']:.2f}"
