"""Waves of the native engine: the same signals as under cocotb, cycle by cycle, of nodes and cycles one chooses."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from khhw.cli import main
from khhw.errors import RequestError
from khhw.machine.machine import Machine
from khhw.machine.results import Results
from khhw.machine.waves import MOST_NODES, WavesChoice
from khhw.node.commands import Nodes, list_ranks
from khhw.sim.bridge import PERIOD, RESET_CYCLES
from khhw.sim.engine import Engine
from khhw.sim.engine.process import NativeMachine
from khhw.trace.run import Run
from khhw.trace.waves import Waves, find_waves
from tests.trace.conftest import MEDIUM, PAIR, ROOT, TRACED, traced

LARGE = ROOT / "examples" / "large.toml"

RECEIVED = re.compile(r"(?P<port>\w*rx(__\d)?)__(flit|vc|channel)(\.\w+)?")
"""What a cable brings: it means something where its `valid` is 1."""


@pytest.fixture(scope="session")
def cocotb_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``traced.toml`` under cocotb."""
    return traced(TRACED, tmp_path_factory.getbasetemp(), "cocotb")


@pytest.fixture(scope="session")
def cocotb_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``examples/pair.toml`` under cocotb."""
    return traced(PAIR, tmp_path_factory.getbasetemp(), "cocotb")


def node_signals(waves: Waves, rank: int) -> dict[str, int]:
    """Names below a node, and their widths."""
    prefix = f"khhw_fabric.node_{rank}."
    return {name.removeprefix(prefix): variable.bitwidth for name, variable in waves._variables.items()
            if name.startswith(prefix)}


def values(waves: Waves, name: str, width: int, cycles: np.ndarray) -> list[int]:
    """A signal in some cycles; what a cable brings only where there is something."""
    steps = np.searchsorted(waves.cycles, cycles)
    assert (waves.cycles[steps] == cycles).all()
    found = waves.signal(name, width).pick(steps)
    node, _, last = name.partition(".")
    if (received := RECEIVED.fullmatch(last)) is None:
        return found
    valid = waves.signal(f"{node}.{received['port']}__valid", 1).pick(steps)
    return [value if here else -1 for value, here in zip(found, valid, strict=True)]


def differences(ours: Waves, theirs: Waves, rank: int, cycles: np.ndarray) -> list[str]:
    """Names of a node's signals that both have, but not with the same values."""
    here, there = node_signals(ours, rank), node_signals(theirs, rank)
    return [name for name in here.keys() & there.keys()
            if here[name] != there[name]
            or values(ours, f"node_{rank}.{name}", here[name], cycles)
            != values(theirs, f"node_{rank}.{name}", here[name], cycles)]


@pytest.mark.rare
def test_every_signal_is_what_it_is_under_cocotb_in_every_cycle(cocotb_folder: Path, folder: Path) -> None:
    ours, theirs = Waves(find_waves(folder)), Waves(find_waves(cocotb_folder))
    # Idle time may be skipped from another cycle on. The last cycle is not a whole one under cocotb.
    cycles = np.intersect1d(ours.cycles, theirs.cycles)[:-1]
    assert len(cycles) > 0.99 * max(ours.steps, theirs.steps)
    for rank in range(2):
        assert len(node_signals(ours, rank)) > 200
        assert node_signals(ours, rank).keys() <= node_signals(theirs, rank).keys()
        assert differences(ours, theirs, rank, cycles) == []
    for name, width in (("irq", 2), ("held", 2), ("quiescent", 2), ("idle", 1), ("owner_in__valid", 1),
                        ("owner_in__payload", 68), ("owner_out__valid", 1), ("owner_out__payload", 68)):
        assert values(ours, name, width, cycles) == values(theirs, name, width, cycles), name


@pytest.mark.rare
def test_a_cycle_has_the_time_it_has_under_cocotb(cocotb_pair: Path, pair_folder: Path) -> None:
    ours, theirs = Waves(find_waves(pair_folder)), Waves(find_waves(cocotb_pair))
    assert ours.cycles.tolist() == theirs.cycles.tolist()
    # Cycle 0 begins with the reset there.
    assert ours._edges[1:].tolist() == theirs._edges[1:].tolist()
    assert (ours._edges[0], theirs._edges[0]) == (RESET_CYCLES * PERIOD, 0)


@pytest.mark.rare
def test_a_window_is_cut_out_of_the_same(cocotb_pair: Path, tmp_path: Path) -> None:
    results = Machine.load(PAIR, engine="native").run(
        tmp_path, waves=WavesChoice(nodes=Nodes(((1, 1),)), first=5000, end=5600))
    assert results.state == "done"
    ours, theirs = Waves(find_waves(tmp_path)), Waves(find_waves(cocotb_pair))
    assert ours.ranks == {1}
    assert (int(ours.cycles[0]), int(ours.cycles[-1])) == (5000, 5599)
    assert ours.cycles.tolist() == [cycle for cycle in theirs.cycles.tolist() if 5000 <= cycle < 5600]
    assert ours._edges.tolist() == theirs._edges[np.searchsorted(theirs.cycles, ours.cycles)].tolist()
    assert differences(ours, theirs, 1, ours.cycles) == []
    assert "node 1 at (1, 0, 0)" in (tmp_path / "waves.gtkw").read_text()
    assert "node_0" not in (tmp_path / "waves.gtkw").read_text()


Trace = Callable[..., dict[str, Any]]


@pytest.fixture
def trace(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Calls ``khhw trace FOLDER --json`` with options, on waves that are read once; gives its results."""
    monkeypatch.setattr(Run, "load", cache(Run.load))

    def call(folder: Path, *options: object) -> dict[str, Any]:
        assert main(["trace", str(folder), *map(str, options), "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)["results"]
        return found

    return call


@pytest.mark.rare
def test_the_trace_is_the_same_on_both(cocotb_folder: Path, folder: Path, trace: Trace) -> None:
    packets = trace(cocotb_folder)["packets"]
    assert trace(folder)["packets"] == packets
    assert trace(folder, "--gets") == trace(cocotb_folder, "--gets")
    for number in range(0, len(packets), 40):
        assert trace(folder, "--packet", number) == trace(cocotb_folder, "--packet", number)


def test_one_node_and_a_window_tell_what_they_can(pair_folder: Path, tmp_path: Path, trace: Trace) -> None:
    """Node 1 receives: its packets are strays, and what was set up before the window is not made up."""
    Machine.load(PAIR, engine="native").run(
        tmp_path, waves=WavesChoice(nodes=Nodes(((1, 1),)), first=4600, end=4700))
    (stray,) = [packet for packet in trace(tmp_path)["packets"] if packet["kind"] == "put"]
    (whole,) = [packet for packet in trace(pair_folder, "--kind", "put")["packets"] if packet["end"] == stray["end"]]
    assert [stray[key] for key in ("source", "destination", "bytes", "outcome")] == [
        whole[key] for key in ("source", "destination", "bytes", "outcome")]
    journey = trace(tmp_path, "--packet", stray["number"])["journey"]
    assert journey[0]["what"] == "is first seen; its way before is not in the waves"
    known = trace(pair_folder, "--packet", whole["number"])["journey"]
    at = next(index for index, line in enumerate(known) if line["what"].startswith("out by"))

    def told(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return [(line["cycle"], line["node"], line["block"], line["what"].removesuffix(", a hit")) for line in lines]

    assert told(journey[1:]) == told(known[at:])
    assert not any("before" in line["fields"] for line in journey), "the counter was set before the window"


def journeys(trace: Trace, folder: Path, destination: int) -> list[list[dict[str, Any]]]:
    """Of all puts from node 0 to a node."""
    puts = trace(folder, "--kind", "put", "--source", 0, "--destination", destination)["packets"]
    assert {packet["outcome"] for packet in puts} == {"stored"}
    return [trace(folder, "--packet", packet["number"])["journey"] for packet in puts]


def check_way(ranks: list[int], journey: list[dict[str, Any]]) -> None:
    """A packet goes in and out of every router, three cycles each if nobody is in its way."""
    assert journey[0]["what"] == "rings the doorbell"
    assert any(line["block"] == "memory" and line["node"] == ranks[-1] for line in journey)
    routers = [(line["node"], line["what"].split()[0], line) for line in journey if line["block"] == "router"]
    expected = [(ranks[0], "out")]
    for rank in ranks[1:-1]:
        expected += [(rank, "in"), (rank, "out")]
    expected += [(ranks[-1], "in"), (ranks[-1], "to")]
    assert [(node, word) for node, word, _ in routers] == expected
    for left, came in zip(routers[:-1:2], routers[1::2], strict=True):
        assert came[2]["cycle"] == left[2]["cycle"], "a cable takes no time"
    for came, left in zip(routers[1::2], routers[2::2], strict=True):
        assert left[2]["cycle"] - came[2]["cycle"] == 3 + left[2]["fields"].get("waited", 0)


def test_a_packet_is_followed_through_every_router(medium_folder: Path, trace: Trace) -> None:
    """Five cables: x, then y, then z; both ways round are as long, and the parity of node 0 takes plus."""
    told = journeys(trace, medium_folder, 26)
    assert len(told) >= 2 * (1 + 3), "500 bytes are three packets"
    for journey in told:
        check_way([0, 1, 2, 6, 10, 26], journey)


@pytest.mark.rare
def test_a_packet_is_followed_through_512_nodes(
    tmp_path: Path, trace: Trace, capsys: pytest.CaptureFixture[str],
) -> None:
    ranks = [0, 1, 2, 3, 4, 12, 20, 28, 36, 100, 164, 228, 292]
    assert main(["run", str(LARGE), "--engine", "native", "--waves", "--waves-nodes", list_ranks(ranks),
                 "-o", str(tmp_path)]) == 0
    assert f"(nodes {list_ranks(ranks)}, cycles 0 to " in capsys.readouterr().out
    told = journeys(trace, tmp_path, 292)
    assert len(told) >= 6
    for journey in told:
        check_way(ranks, journey)


@pytest.mark.parametrize(("options", "message"), [
    (["--waves-nodes", "0,2"], "--waves-nodes: there is no node 2, the machine has nodes 0 to 1"),
    (["--waves-nodes", "0-70000"], "past 65535"),
    (["--waves-nodes", "one"], "'one' is no list of nodes; write it as 0,2,4-7, or all"),
    (["--waves-nodes", ""], "is no list of nodes"),
    (["--window", "300:200"], "--window 300:200 holds no cycle"),
    (["--window", "200:200"], "--window 200:200 holds no cycle"),
    (["--window", "200"], "--window takes two cycles, for example 1000:3000; not '200'"),
    (["--window", "-5:10"], "--window takes two cycles"),
    (["--window", "a:b"], "--window takes two cycles"),
    (["--window", "0:1e3"], "--window takes two cycles"),
    (["--window", "\u0661:\u0662"], "--window takes two cycles"),
    (["--window", "9" * 400 + ":"], "--window takes two cycles"),
    (["--window", "9" * 20 + ":"], "--window takes two cycles"),
])
def test_bad_choices_are_named_before_anything_is_built(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KHHW_BUILD", str(tmp_path / "build"))
    command = ["run", str(PAIR), "--engine", "native", "-o", str(tmp_path / "out"), "--waves", *options]
    if options[0] == "--window":
        # A value that begins with a dash would be taken for an option.
        command[-2:] = [f"--window={options[1]}"]
    assert main(command) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "build").glob("engine/*"))


def test_a_choice_needs_waves_and_the_native_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(PAIR), "--engine", "native", "--window", "0:9", "-o", str(tmp_path)]) == 2
    assert "--waves-nodes and --window say which waves to write: they need --waves" in capsys.readouterr().err
    assert main(["run", str(PAIR), "--waves", "--waves-nodes", "0", "-o", str(tmp_path)]) == 2
    assert "cocotb writes waves of all nodes and cycles" in capsys.readouterr().err


def test_a_large_machine_asks_for_nodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(MEDIUM), "--engine", "native", "--waves", "-o", str(tmp_path / "out")]) == 2
    assert "waves of all 32 nodes are too much: name the nodes with --waves-nodes" in capsys.readouterr().err
    assert len(WavesChoice().wanted(MOST_NODES, None).ranks) == MOST_NODES
    assert len(WavesChoice.parse("all", None).wanted(512, None).ranks) == 512


def test_a_window_behind_the_end_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is known before is refused before; else everything but the waves is there."""
    command = ["run", str(PAIR), "--engine", "native", "-o", str(tmp_path), "--waves"]
    assert main([*command, "--window", "900000:900100"]) == 2
    ended = Results.read(tmp_path / "results.json")
    printed = capsys.readouterr()
    assert f"the run ended in cycle {ended.cycles}, before the window from cycle 900000 on" in printed.err
    assert ended.state == "done"
    assert (tmp_path / "report.html").is_file()
    assert not list(tmp_path.glob("dump.*"))
    assert main([*command, "--waves-nodes", "0", "--window", f"{ended.cycles - 20}:900000"]) == 0
    said = capsys.readouterr().out
    assert f"node 0, cycles {ended.cycles - 20} to {ended.cycles}, where the run ended before" in said
    assert int(Waves(find_waves(tmp_path)).cycles[-1]) == ended.cycles
    with pytest.raises(RequestError, match=r"begins after the end of the run: its \[host\] max_cycles is 50"):
        WavesChoice(first=60).wanted(2, 50)


def test_an_engine_writes_waves_from_its_first_cycle_on(tmp_path: Path) -> None:
    machine = Machine.load(PAIR, engine="native").build(waves=True)
    assert isinstance(machine, NativeMachine)
    file = tmp_path / machine.build.waves
    with Engine(machine.build, machine.shape, threads=1) as engine:
        with pytest.raises(RequestError, match=r"waves cannot be written to .*: No such file or directory"), \
                engine.waves(tmp_path / "none" / "dump.vcd", [0]):
            pass
        for ranks in ([2], [-1], [0, 0]):
            with pytest.raises(ValueError, match="ranks are from 0 to 1, each at most once"), \
                    engine.waves(file, ranks):
                pass
        with engine.waves(file, [1], 3, 7):
            engine.run(20)
        assert Waves(file).cycles.tolist() == [3, 4, 5, 6]
        with pytest.raises(ValueError, match="waves are begun in cycle 0"), engine.waves(file, [1]):
            pass
    with Engine(replace(machine.build, waves=""), machine.shape, threads=1) as engine, \
            pytest.raises(RequestError, match="was not built for waves"), engine.waves(file, [0]):
        pass


def test_a_run_without_waves_is_the_same_run(pair_folder: Path, tmp_path: Path) -> None:
    """Waves change nothing of what they show, not even jumps and signatures."""
    plain = Machine.load(PAIR, engine="native").run(tmp_path)
    seen = Results.read(pair_folder / "results.json")
    told = [results.model_dump(mode="json", exclude={"wall_seconds"}) for results in (plain, seen)]
    assert told[0] == told[1]
    counted = [json.loads((each / "run.json").read_text())["outcome"]["statistics"] for each in (tmp_path, pair_folder)]
    assert counted[0] == counted[1]
