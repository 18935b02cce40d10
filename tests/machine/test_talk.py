"""The talk's machine from boot to report: eight nodes of RTL, both slides, all attacks."""

import json
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from khhw.machine.results import Results
from khhw.report.write import write_report
from tests.machine.machines import NODES, TALK, matrix_of, run_once, said

SLIDES = {
    "slide1": matrix_of(["034", "1257", "12567", "0346", "034", "1257", "236", "1257"]),
    "slide2": matrix_of(["034", "157", "12567", "2346", "34", "157", "236", "157"]),
}

ATTACKS = {
    "plain": (2, "egress guard of node 0, ROW"),
    "forged source": (1, "node 3 saw source 0"),
    "hints": (5 * 64, "egress guard of node 0, HINT"),
    "deposit": (5 * 64, "egress guard of node 0, DEPOSIT"),
    "deputy": (3, "ingress guard of node 3, answer sent to node 0 instead"),
    "closed window": (2, "network interface of node 4, WINDOW"),
    "tree": (6, "console endpoint of node 1, TREE: 2"),
    "priority": (2, "egress guard of node 0, PRIORITY"),
    "channel": (4, "egress guard of node 0, CHANNEL"),
    "outside": (6, "egress guard of node 0, RANGE"),
    "descriptors": (12, "network interface of node 0, fault"),
    "rings": (10, "host port of node 0, bus error"),
    "registers": (100, "host port of node 0, bus error"),
    "unmapped": (10, "host port of node 0, bus error"),
}
"""At least so many attempts, and what must have stopped some of them."""


@pytest.fixture(scope="module", params=["native", pytest.param("cocotb", marks=pytest.mark.rare)])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_once(tmp_path_factory.getbasetemp(), TALK, request.param)


@pytest.fixture(scope="module")
def talk(folder: Path) -> Results:
    results = Results.read(folder / "results.json")
    assert results.state == "done", results.message
    return results


def test_all_loaders_announce_themselves(talk: Results) -> None:
    assert [said(talk, node)[0] for node in range(NODES)] == ["ready, type help"] * NODES
    assert any(line.node is None and line.text.startswith("boot ") for line in talk.results.console)
    assert talk.passed


@pytest.mark.parametrize("slide", SLIDES)
def test_what_arrives_is_what_the_slide_allows(talk: Results, slide: str) -> None:
    assert talk.matrix(slide, "configured").dtype == np.bool_
    np.testing.assert_array_equal(talk.matrix(slide, "configured"), SLIDES[slide])
    np.testing.assert_array_equal(talk.matrix(slide, "observed"), SLIDES[slide])


def test_no_attack_gets_through(talk: Results) -> None:
    attacks = {attack.name: attack for attack in talk.results.attacks}
    assert set(attacks) == set(ATTACKS)
    for name, (tried, where) in ATTACKS.items():
        attack = attacks[name]
        assert attack.delivered == 0, attack
        assert attack.refused + attack.harmless >= attack.tried >= tried, attack
        assert (attack.harmless > 0) == (attack.refused == 0) == bool(attack.expected), attack
        assert where in attack.where, attack
        assert attack.passed, attack


def test_guards_log_what_they_refuse(talk: Results) -> None:
    found = {(entry.node, entry.source, entry.destination, entry.reason)
             for entry in talk.results.refusals if entry.phase == "attacks"}
    assert {(0, 0, 1, "ROW"), (1, 0, 1, "TREE")} <= found
    probed = {(entry.source, entry.destination) for entry in talk.results.refusals if entry.phase == "slide2"}
    assert probed
    assert not any(SLIDES["slide2"][pair] for pair in probed)


def flits(size: int) -> int:
    """Flits of a put: packets of up to 240 bytes, each with two header flits, in chunks of four."""
    full, rest = divmod(size, 240)
    return 32 * full + (4 * -(-(16 + rest) // 32) if rest else 0)


def test_latency_is_that_of_the_wires(talk: Results) -> None:
    samples = talk.latency()
    assert samples.shape == (len(talk.results.latency), 5)
    assert samples.dtype == np.int64
    best: dict[int, dict[int, int]] = defaultdict(dict)
    for _, _, hops, size, cycles in samples.tolist():
        best[size][hops] = min(cycles, best[size].get(hops, cycles))
    assert len(best) > 5
    for size, by_hops in best.items():
        assert [by_hops[hops] - by_hops[1] for hops in (1, 2, 3)] == [0, 3, 6], f"three cycles a hop, {size} bytes"
        bound = 2 + 3 + flits(size) - 1
        assert bound < by_hops[1] < 1.25 * bound + 40, f"{size} bytes, wire alone {bound}"
    for small, large in pairwise(sorted(best)):
        assert best[small][1] < best[large][1]


def test_one_load_serves_any_number_of_listeners(talk: Results) -> None:
    probe = [load for load in talk.results.load if load.kernel == "probe"]
    by_listeners = {len(load.nodes): load for load in probe}
    assert set(by_listeners) == {1, 2, 4, 8}
    assert len({(load.packets, load.image_bytes) for load in probe}) == 1, "packets sent do not depend on listeners"
    alone = by_listeners[1].cycles
    for listeners, load in by_listeners.items():
        # Each node answers twice; 24 cycles are two lines of text through the root.
        assert alone <= load.cycles < 1.02 * alone + 24 * (listeners - 1)


def test_results_file_is_as_documented(folder: Path) -> None:
    written = json.loads((folder / "results.json").read_text())
    assert written["seed"] == 1
    for slide, matrix in SLIDES.items():
        for kind in ("configured", "observed"):
            assert written["results"]["matrix"][slide][kind] == matrix.astype(int).tolist()
    for attack in written["results"]["attacks"]:
        assert {"name", "tried", "delivered", "refused", "where"} <= set(attack)


def test_report_needs_nothing_but_itself(talk: Results, tmp_path: Path) -> None:
    page = write_report(talk, tmp_path).read_text(encoding="utf-8")
    pictures = {path.stem for path in tmp_path.glob("*.png") if path.read_bytes().startswith(b"\x89PNG")}
    assert pictures == {
        "matrix_slide1", "matrix_slide2", "latency", "console_load", "memcached_size_ppc450", "memcached_parts_ppc450",
        "memcached_cdf", "memcached_clients_ppc450", "memcached_software_cost"}
    assert not re.search(r"https?://|<script|<link|url\(", page)
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "Passed." in page
