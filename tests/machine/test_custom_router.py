"""A router of one's own replaces the stock one, and the talk's machine runs unchanged."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from khhw import Machine
from khhw.build.design import convert
from khhw.machine.results import Results

EXAMPLES = Path(__file__).parents[2] / "examples"
PART = "custom_router.custom_router:StoreAndForwardRouter"
CODE = EXAMPLES / "custom_router" / "custom_router.py"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    machine = Machine.load(EXAMPLES / "talk.toml", parts={"router": PART}, engine="native")
    phases = [phase for phase in machine.file.phases if phase.measure in ("matrix", "attacks", "latency")]
    assert len(phases) == 4
    shorter = replace(machine, file=machine.file.model_copy(update={"phases": phases}))
    return shorter.run(tmp_path_factory.mktemp("custom"))


def test_the_example_fits_on_a_page() -> None:
    assert len(CODE.read_text().splitlines()) <= 150


@pytest.mark.rare
def test_a_node_is_made_with_it() -> None:
    design = convert("rtl.cell:NodeCell", {"lanes": 1, "parts": {"router": PART}}, path=[EXAMPLES])
    text = "".join(source.read_text() for source in design.sources)
    # Its input is around the stock one.
    assert re.search(r"^module \\khhw_node\.router\.input_xm\.buffer ", text, re.MULTILINE)


@pytest.mark.rare
def test_the_talk_runs_unchanged(results: Results) -> None:
    assert results.state == "done", results.message
    assert results.passed


@pytest.mark.rare
def test_storing_costs_a_packet_for_each_hop(results: Results) -> None:
    samples = results.latency()
    shortest = {(hops, size): samples[(samples[:, 2] == hops) & (samples[:, 3] == size), 4].min()
                for hops in (1, 2, 3) for size in (8, 240)}
    # A cycle for each flit and one more: 4 flits for 8 bytes, 32 for 240.
    for size, flits in ((8, 4), (240, 32)):
        steps = np.diff([shortest[hops, size] for hops in (1, 2, 3)])
        assert steps.tolist() == [flits + 1] * 2
