"""The native engine does in every cycle what cocotb's fabric does: links, interrupts, results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from khhw.machine.machine import Machine
from khhw.machine.results import Results
from tests.machine.machines import TALK, domains, phase, run_once, write_pair
from tests.machine.test_stuck import run as run_flooded
from tests.sim.engine.both import first_difference, saturated

WORDS_THAT_MAY_DIFFER = {"wall_seconds", "engine", "provenance"}


def told(results: Results) -> dict[str, object]:
    return {name: value for name, value in results.model_dump(mode="json").items() if name not in WORDS_THAT_MAY_DIFFER}


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The talk's machine on cocotb, as other tests run it too."""
    return Results.read(run_once(tmp_path_factory.getbasetemp(), TALK, "cocotb") / "results.json")


@pytest.mark.rare
def test_the_talk_with_attacks_and_memcached_is_the_same_to_the_last_link(talk: Results, tmp_path: Path) -> None:
    native = Machine.load(TALK, engine="native").run(tmp_path)
    assert native.state == "done", native.message
    assert native.engine == "native"
    assert len(native.signature) == 16 * 8
    assert len(native.results.refusals) > 50
    assert len(native.results.memcached) > 20
    assert told(native) == told(talk)


def test_a_saturated_torus_is_the_same(tmp_path: Path) -> None:
    found = saturated((2, 1, 1), tmp_path, packets=150, tell=print)
    assert found["packets"] == 2 * 150
    assert found["overruns"] > 100, "more was offered than the torus could carry"


@pytest.mark.rare
def test_a_locked_machine_names_the_same_packets(tmp_path: Path) -> None:
    locked = {}
    for engine in ("cocotb", "native"):
        (tmp_path / engine).mkdir()
        locked[engine] = run_flooded(tmp_path / engine, "locked", 3_000_000, engine=engine)
    assert locked["native"].state == "deadlocked"
    assert "waits for a credit of output YP on escape (0 left, needs 1)" in locked["native"].message
    assert told(locked["native"]) == told(locked["cocotb"])


def test_a_difference_is_found_in_its_cycle(tmp_path: Path) -> None:
    """One byte more in a message, late in the run: the comparison says when, and who sent something else first."""
    file = write_pair(tmp_path, domains("open", np.ones((2, 2))) + "".join(phase(
        name, '{ kernel = "latency", arguments = "source=0 destinations=1 sizes=8 repeat=2" }', domains="open")
        for name in ("first", "second")))
    machine = Machine.load(file, engine="native")
    simulator, request = machine.build(), machine.request(1)
    assert first_difference([simulator, simulator], request, tmp_path / "same") is None

    changed = json.loads(json.dumps(dict(request.arguments)))
    changed["machine"]["phases"][1]["kernels"][0]["arguments"] = "source=0 destinations=1 sizes=9 repeat=2"
    other = replace(request, arguments=changed)
    runs = iter([request, other] * 2)

    class Changing:
        """The same machine, but every other run is of the changed program."""

        def run(self, **how: object) -> str:
            asked = next(runs)
            path = Path(str(how["env"]["KHHW_REQUEST"]))
            values = json.loads(path.read_text())
            path.write_text(json.dumps({**values, "arguments": dict(asked.arguments)}))
            return simulator.run(**how)

    found = first_difference([Changing(), Changing()], request, tmp_path / "other")
    assert found is not None
    trace = json.loads(found.trace.read_text())
    before, after = zip(*trace["signatures"], strict=True), found.cycle - trace["from_cycle"] + 1
    rows = list(before)
    assert all(a == b for a, b in rows[:after])
    assert rows[after][0] != rows[after][1]
    assert 0 in found.nodes
