"""The owner takes a memcached server away while a client works: an error at the caller, and the machine goes on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from khhw.machine.machine import Machine
from khhw.machine.results import RunRecord
from khhw.sim.process import run
from tests.machine.machines import write_pair


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of the run."""
    folder = tmp_path_factory.mktemp("held")
    machine = Machine.load(write_pair(folder, """
[[phases]]
name = "never"
kernels = [{ nodes = [0], kernel = "memcached" }, { nodes = [1], kernel = "persistent.py" }]
""", "persistent.py"), engine="native")
    request = replace(machine.request(1), entry="held_program:program")
    done = run(machine.build(), request, folder, path=[Path(__file__).parent])
    assert done.finished, done.message
    return done.results


@pytest.fixture(scope="module")
def said(results: dict[str, Any]) -> dict[int, list[str]]:
    """What each node said in the run."""
    record = RunRecord.model_validate(results["record"])
    return {rank: [line.text for line in record.console if line.node == rank] for rank in (0, 1)}


def test_the_callers_get_an_error_that_names_the_node(said: dict[int, list[str]]) -> None:
    lost = [text for text in said[1] if "lost: " in text]
    assert len(lost) == 2
    assert all("NoAnswerError: node 0 does" in text or "NoAnswerError: node 0 did" in text for text in lost), lost


def test_the_machine_goes_on(said: dict[int, list[str]]) -> None:
    assert sum("persistent: at work" in text for text in said[1]) == 2
    assert sum("kernel persistent done" in text for text in said[1]) == 2


def test_the_held_node_starts_from_its_loader(said: dict[int, list[str]]) -> None:
    assert [text.split("> ")[1].split(",")[0] for text in said[0] if "ready" in text or "open" in text] == [
        "ready", "memcached: open", "ready", "memcached: open"]
    assert not any("failed" in text for text in said[0] + said[1])


def test_a_cleared_memory_holds_nothing_of_the_tenant_before(results: dict[str, Any]) -> None:
    assert results["cleared"]["before"] > 1000
    assert results["cleared"]["after"] == 0
