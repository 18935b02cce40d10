"""A traced run of two nodes in RTL: what the trace says is what the run itself measured."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from khhw.cli import main
from khhw.kernels.memcached.item import item_bytes
from khhw.machine.results import Results
from khhw.trace.entries import entries
from khhw.trace.journey import journey
from khhw.trace.run import Run
from khhw.trace.streams import Streams
from rtl.formats import PAYLOAD_BYTES

VALUE, KEY = 600, 12


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    read = Results.read(folder / "results.json")
    assert read.state == "done", read.message
    return read


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Run:
    return Run.load(folder)


@pytest.fixture
def trace(folder: Path, loaded: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Calls ``khhw trace --json`` on waves that are read once; gives its results."""
    monkeypatch.setattr(Run, "load", lambda _: loaded)

    def call(*options: object) -> dict[str, Any]:
        assert main(["trace", str(folder), *map(str, options), "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)["results"]
        return found

    return call


def cycle_of(way: list[dict[str, Any]], words: str) -> int:
    """When the line was that begins so."""
    (found,) = [line["cycle"] for line in way if line["what"].startswith(words)]
    return found


def test_doorbell_to_interrupt_is_what_the_kernels_measured(trace, results: Results) -> None:
    puts = [packet for packet in trace("--kind", "put", "--source", 0, "--destination", 1)["packets"]
            if packet["cycle"] < cycle_said(results, "latency: 6 samples")]
    seen = []
    for put in puts:
        way = trace("--packet", put["number"])["journey"]
        if any(line["what"].endswith("a hit") for line in way):
            seen.append(cycle_of(way, "can see the interrupt") - cycle_of(way, "rings the doorbell"))
    assert seen == [sample.cycles for sample in results.results.latency]
    assert len(seen) == 6


def cycle_said(results: Results, text: str) -> int:
    return next(line.cycle for line in results.results.console if line.text.endswith(text))


def test_a_put_passes_every_block(trace) -> None:
    put = trace("--kind", "put", "--source", 0, "--limit", 1)["packets"][0]
    way = trace("--packet", put["number"])["journey"]
    assert [(line["node"], line["block"]) for line in way] == [
        (0, "host"), (0, "ni"), (0, "memory"), (0, "ni"), (0, "guard"), (0, "router"), (1, "router"), (1, "router"),
        (1, "guard"), (1, "ni"), (1, "memory"), (1, "ni"), (1, "irq"), (1, "host")]
    fields = {name: value for line in way for name, value in line["fields"].items()}
    assert (fields["destination"], fields["source"], fields["remote_get"]) == (1, 0, 0)
    assert fields["crc"].endswith("(good)")
    # A router holds a header three cycles, two if it comes from an injection lane; a guard one.
    assert [line["delta"] for line in way[4:9]] == [1, 2, 0, 3, 1]
    assert sum(line["delta"] for line in way) == way[-1]["cycle"] - way[0]["cycle"]


def test_refused_packets_are_those_of_the_guards_logs(trace, results: Results) -> None:
    refused = [packet for packet in trace()["packets"] if packet["outcome"].startswith("refused")]
    assert sorted((packet["source"], packet["destination"], packet["end"], packet["outcome"].split(": ")[1].lower())
                  for packet in refused) == sorted(
        (entry.source, entry.destination, entry.cycle, entry.reason.lower()) for entry in results.results.refusals)
    assert len(refused) == 2
    way = trace("--packet", refused[0]["number"])["journey"]
    assert (way[-1]["node"], way[-1]["block"]) == (0, "guard")
    assert way[-1]["what"] == "egress guard refuses the packet: ROW"


def test_what_is_stored_is_what_the_matrix_shows(trace, results: Results) -> None:
    begun = max(line.cycle for line in results.results.console if line.text.startswith("boot "))
    stored = {(packet["source"], packet["destination"]) for packet in trace("--from-cycle", begun)["packets"]
              if packet["kind"] == "put" and packet["outcome"] == "stored"}
    observed = results.results.matrix["one_way"].observed
    assert stored == {(a, b) for a in range(2) for b in range(2) if observed[a][b]}
    assert len(stored) == 3


def test_a_remote_get_is_one_request_and_its_data(trace) -> None:
    gets = [get for get in trace("--gets")["gets"] if get["path"] == "rdma"]
    assert len(gets) > 5
    bytes_read = item_bytes(KEY, VALUE)
    for get in gets:
        assert [packet["kind"] for packet in get["request"]] == ["get"]
        assert {packet["kind"] for packet in get["answer"]} == {"put"}
        # The item, and its version in a descriptor of its own.
        assert len(get["answer"]) == -(-bytes_read // PAYLOAD_BYTES) + 1
        assert sum(packet["bytes"] for packet in get["answer"]) == bytes_read + 8
        assert get["breakdown"]["software"] == 0
        assert get["keys"].startswith("k0")
    way = trace("--packet", gets[0]["answer"][0]["number"])["journey"]
    assert f"put there by packet {gets[0]['request'][0]['number']}" in way[0]["what"]


def test_a_get_over_a_stream_is_its_segments(trace) -> None:
    gets = [get for get in trace("--gets")["gets"] if get["path"] == "tcp"]
    assert len(gets) > 3
    for get in gets:
        assert (get["client"], get["server"], get["keys"][:2]) == (1, 0, "k0")
        assert sum(packet["bytes"] for packet in get["answer"]) > VALUE
        assert get["breakdown"]["software"] > 0
        # There and back: two guards and two routers.
        assert get["breakdown"]["hops"] == 2 * (1 + 2 + 3 + 1)
    request = trace("--packet", gets[0]["request"][0]["number"])["journey"]
    (segment,) = [line["fields"] for line in request if "segment" in line["fields"]]
    assert segment["connection"].endswith("to 0:11211")
    assert f"get {gets[0]['keys']}\\r\\n" in segment["text"]


def test_every_cycle_of_a_get_goes_to_something(trace) -> None:
    for get in trace("--gets")["gets"]:
        assert sum(get["breakdown"].values()) == get["cycles"] == get["end"] - get["begin"]
        assert sum(cycles for part in get["parts"] for cycles in part["cycles"].values()) == get["cycles"]
        assert all(get["begin"] < packet["cycle"] < packet["end"] <= get["end"]
                   for packet in (*get["request"], *get["answer"]))


def test_a_line_on_the_console_climbs_the_tree(trace, results: Results) -> None:
    said = next(line for line in results.results.console if line.node == 1)
    packet = trace("--kind", "console", "--source", 1, "--limit", 1)["packets"][0]
    # Software above the root has it in the cycle after.
    assert packet["end"] + 1 == said.cycle
    way = trace("--packet", packet["number"])["journey"]
    assert [line["node"] for line in way] == [1, 1, 1, 0, "outside"]
    assert way[1]["fields"]["protocol"] == "CONSOLE"


def test_all_journeys_can_be_told(loaded: Run) -> None:
    listed = entries(loaded)
    streams, numbers = Streams(listed), {id(entry.packet): entry.number for entry in listed}
    for entry in listed:
        lines = journey(loaded, entry, numbers, streams)
        assert [line.cycle for line in lines] == sorted(line.cycle for line in lines)
        assert lines[-1].block in ("guard", "ni", "irq", "host", "tree")


def test_at_names_a_packet_by_cycle_and_node(trace) -> None:
    put = trace("--kind", "put", "--source", 0, "--limit", 2)["packets"][1]
    assert trace("--at", put["cycle"], "--node", 0)["packet"] == put


def test_text_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(folder), "--kind", "put", "--limit", "1"]) == 0
    header, row, total = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["packet", "cycle", "kind", "from"]
    assert row.endswith("stored")
    assert total.startswith("1 of ")
    assert main(["trace", str(folder), "--packet", row.split()[0]]) == 0
    assert "rings the doorbell  INJECTION_TAIL[" in capsys.readouterr().out
    assert main(["trace", str(folder), "--get", "0"]) == 0
    assert "software" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(("options", "message"), [
    (["--packet", "100000"], r"--packet must be 0 to \d+, not 100000"),
    (["--get", "100000"], r"--get must be 0 to \d+; it is 100000"),
    (["--at", "5"], "--at and --node go together"),
    (["--at", "999999999", "--node", "0"], "no packet left node 0 in cycle 999999999 or later"),
    (["--limit", "0"], "--limit must be 1 or more"),
])
def test_wrong_requests_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str,
) -> None:
    assert main(["trace", str(folder), *options]) == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert re.search(message, errors)


@pytest.mark.parametrize(("options", "words"), [
    (("--source", "77"), "--source takes a rank from 0 to 1, or outside; not 77"),
    (("--source", "everybody"), "not everybody"),
    (("--destination", "2"), "--destination takes a rank from 0 to 1, or everybody or outside; not 2"),
    (("--at", "0", "--node", "-1"), "--node takes a rank from 0 to 1"),
])
def test_a_rank_that_is_not_there_is_refused(
    trace, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str,
) -> None:
    assert main(["trace", "a folder", *options]) == 2
    assert words in capsys.readouterr().err
    assert trace("--source", "1")["packets"] and trace("--destination", "outside")["packets"]
