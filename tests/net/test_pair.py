"""The four calls on the RTL of two nodes: speed, cost on the wire, and errors that name what is wrong. One run."""

import sys
from pathlib import Path

import pytest

from khhw import Machine
from khhw.sim.options import Options
from khhw.sim.process import Request, run

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from calls import bound  # noqa: E402


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    machine = Machine.load(ROOT / "examples" / "pair.toml", engine="native")
    request = Request(
        entry="pair_programs:pair", nodes=2, memory_bytes=machine.file.node.memory_bytes,
        options=Options(max_cycles=20_000_000))
    done = run(machine.build(), request, tmp_path_factory.mktemp("pair"), path=[HERE, BENCHMARKS])
    assert done.state == "finished", (done.message, done.outcome.get("waiting"))
    return done.results


@pytest.mark.parametrize(("figure", "least"), [("get", 0.85), ("put", 0.90), ("stream", 0.90), ("exchange", 0.30)])
def test_speed(found, figure, least):
    samples = found["calls"][figure]
    assert len(samples) == 2
    length, cycles = samples[-1]
    assert bound(figure, length) / cycles >= least


def test_what_a_get_costs(found):
    wire = found["calls"]["wire"]
    data_packets = -(-wire["bytes"] // 240)
    assert wire["bytes"] == 4096
    assert (wire["sent"], wire["target_delivered"]) == (1, 1)
    assert (wire["delivered"], wire["target_sent"]) == (data_packets, data_packets)


def test_a_get_costs_the_target_no_instruction(found):
    wire = found["calls"]["wire"]
    assert wire["ended"] - wire["began"] > 500
    assert found["instructions"] == 0


def test_an_overrun_ring_loses_nothing(found):
    assert found["overrun"]["drops"] > 10
    assert found["overrun"]["same"]
    assert found["resent"] >= 10


@pytest.mark.parametrize(("call", "error", "text"), [
    ("no window", "WindowError", "the window is closed, not open to node 0"),
    ("connect, back not allowed", "NoAnswerError", "node 1 -> node 0 is not allowed, or node 1 is held"),
    ("get, back not allowed", "NoAnswerError", "node 1 -> node 0 is not allowed, or node 1 is held"),
    ("connect, there not allowed", "NotAllowedError", "node 0 -> node 1 is not allowed: the guard of node 0"),
    ("get, there not allowed", "NotAllowedError", "node 0 -> node 1 is not allowed: the guard of node 0"),
    ("get, held", "NoAnswerError", "node 1 did not answer a get"),
    ("stream, held", "NoAnswerError", "node 1 does not answer any more: it is held or reset"),
    ("stream, rebooted", "ResetError", "node 1 does not know the connection any more"),
])
def test_errors_name_what_is_wrong(found, call, error, text):
    assert found[call][0] == error
    assert text in found[call][1]


def test_a_node_that_was_reset_serves_again(found):
    assert found["again"] == "again"
