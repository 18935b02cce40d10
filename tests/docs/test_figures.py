"""Figures on pages are those of the results that are kept beside them."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def kept(name: str) -> Any:
    """Results of a run that the pages tell of."""
    return json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))["results"]


def prose(name: str) -> str:
    """A page, whatever the lengths of its lines."""
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


def test_a_node_moves_as_the_page_says() -> None:
    page, found = prose("domains.md"), kept("moving-node")
    for change in found["changes"]:
        assert f"A change took {change['finished'] - change['started']:,} cycles." in page
        assert f"the tables of the first phase in {change['loaded'] - change['started']:,};" in page
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
