"""Scenarios: what is wrong with one, and that one that is played is the same each time, whatever the wall does."""

import json
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from khhw.build.provenance import provenance
from khhw.cli import main
from khhw.cloud.scenario.play import play
from khhw.cloud.scenario.reading import ScenarioError, load
from khhw.cloud.scenario.record import Record
from khhw.machine.machine import EngineName, Machine
from tests.cloud.simulated import SMALL

EXAMPLE = Path(__file__).parents[2] / "examples" / "lease_scenario.toml"
CUBE = EXAMPLE.with_name("lease.toml").read_text(encoding="utf-8")

PRINCIPALS = 'machine = "machine.toml"\n[principals.alice]\n[principals.bob]\n[principals.carol]\nbelow = "alice"\n'


def event(cycle: int, who: str, words: str) -> str:
    return f'[[events]]\ncycle = {cycle}\nwho = "{who}"\n{words}\n'


def probe(cycle: int, name: str) -> str:
    return f'[[events]]\ncycle = {cycle}\nprobe = "{name}"\n'


WRONG = PRINCIPALS.replace("below", 'networks = "many"\nbelow') + "".join([
    event(10, "alice", 'acquire = { lease = "north", count = 2, nodes = [4, 1, 1] }'),
    event(5, "dave", 'release = "south"'),
    event(20, "alice", 'share = { network = "club", guest = "eve", directoin = "both" }'),
    event(20, "alice", 'release = "north"\ncreate = "a"'),
    event(20, "alice", ""),
    event(20, "alice", 'probe = "one"'),
    event(20, "alice", 'boot = { lease = "north", kernel = "nothing", arguments = "{sed}" }'),
    event(20, "alice", r'type = { lease = "north", line = "a\u0001b" }')])
FOUND = [
    (5, "principals.carol.networks: Input should be a valid integer, not 'many'"),
    (10, "events[0].acquire.nodes[0]: no node 4; nodes are 0 to 3"),
    (10, "events[0].acquire.nodes[2]: node 1 is named twice"),
    (10, "events[0].acquire.count: says what nodes say already; leave one of them out"),
    (12, "events[1].cycle: 5 comes before 10, the cycle of an event above; put events in the order of their cycles"),
    (13, "events[1].who: no principal 'dave'; there are owner, alice, bob, carol"),
    (14, "events[1].release: no lease 'south' above; there are north"),
    (18, "events[2].share.directoin: unknown key; keys here are direction, guest, network"),
    (18, "events[2].share.network: no network 'club' above; create one first"),
    (18, "events[2].share.guest: no principal 'eve'; there are owner, alice, bob, carol"),
    (19, "events[3]: does release and create; make an event of each"),
    (24, "events[4]: does nothing; it needs one of acquire, sublet, release, "),
    (30, "events[5].who: a probe is nobody's, and never refused; leave it out"),
    (35, "events[6].boot.kernel: no kernel 'nothing' in khhw.kernels; "),
    (35, "events[6].boot.arguments: {sed} stands for nothing; what is put into arguments here: {seed}"),
    (39, r"events[7].type.line: a console line takes no control characters; '\x01' is in it, behind 'a'"),
]


def written(folder: Path, text: str, machine: str = SMALL) -> Path:
    """A scenario beside its machine file."""
    folder.mkdir(exist_ok=True)
    (folder / "machine.toml").write_text(machine, encoding="utf-8")
    (folder / "scenario.toml").write_text(text, encoding="utf-8")
    return folder / "scenario.toml"


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, WRONG)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    problems = caught.value.problems
    assert [line for line, _ in problems] == [line for line, _ in FOUND]
    assert [message for _, message in problems if not any(message.startswith(known) for _, known in FOUND)] == []
    assert main(["cloud", "run", str(file), "-o", str(tmp_path / "out")]) == 2
    assert f"khhw: {file}:5: principals.carol.networks: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("text", "line", "words"), [
    (PRINCIPALS.replace("machine.toml", "none.toml") + probe(1, "a"), 1, "machine: {folder}/none.toml:1: cannot be"),
    (PRINCIPALS.replace("carol", "ALICE") + probe(1, "a"), 4, "principals.ALICE: is there already: alice; choose"),
    (PRINCIPALS.replace('"alice"', '"carol"') + probe(1, "a"), 5, "principals.carol.below: carol would be below"),
    (PRINCIPALS.replace("carol", "1st") + probe(1, "a"), 4, "principals.1st: a name is a letter, then up to 62"),
    (PRINCIPALS.replace("carol]", "carol]\nnode = 1") + probe(1, "a"), 5,
     "principals.carol.node: unknown key; keys here are below, leases, networks, nodes"),
    (PRINCIPALS + probe(1, "a") + probe(2, "a"), 11, "events[1].probe: there is a probe 'a' above; choose another"),
    (PRINCIPALS + event(-1, "bob", 'create = "a"'), 7, "events[0].cycle: Input should be greater than or equal to 0"),
    (PRINCIPALS, 0, "events: Field required"),
])
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, text))
    ((found, message),) = caught.value.problems
    assert found == line or line == 0
    assert message.startswith(words.format(folder=tmp_path))


def played(
    folder: Path, text: str, machine: str = SMALL, *, engine: EngineName = "native", pause: float = 0,
) -> Record:
    """What came of a scenario; the service takes its time behind each event."""
    scenario, file = load(written(folder, text, machine))
    return play(scenario, Machine(file, folder, engine), folder, folder / "state",
                on_happened=lambda _: time.sleep(pause))


def words(record: Record) -> list[str]:
    return [event.words for event in record.events]


HELLO = 'async def main(node, arguments):\n    await node.console.print(f"node {node.rank}> it is {arguments}\\n")\n'
_ZEROS = f"crc: {zlib.crc32(bytes(65_536 - 0x4100)):08x}"
CRC = f"echo {_ZEROS}"
LIAR = ("async def main(node, arguments):\n    while True:\n        await node.sleep(400)\n"
        f'        await node.console.print(f"node {{node.rank}}> {_ZEROS}\\n")\n')
MUCH = PRINCIPALS + "".join([
    event(0, "alice", 'acquire = { lease = "a", count = 2, seconds = 0.004 }'),
    event(0, "bob", 'acquire = { lease = "b", nodes = [3] }'),
    event(60_000, "alice", 'boot = { lease = "a", kernel = "hello.py", arguments = "{seed}", nodes = [1] }'),
    event(70_000, "bob", 'type = { lease = "b", line = "echo hi", answer = "hi" }'),
    event(70_000, "bob", 'type = { lease = "a", line = "echo hi" }\nrefused = "no lease a"'),
    event(70_000, "alice", 'extend = { lease = "a", seconds = 0.001 }'),
    event(70_000, "alice", 'sublet = { lease = "c", of = "a", to = "carol", nodes = [1] }'),
    event(90_000, "bob", 'transfer = { lease = "b", to = "alice" }'),
    event(90_000, "alice", 'accept = "b"'),
    event(110_000, "alice", 'cleared = "b"'),
    probe(110_000, "two"),
    event(400_000, "bob", 'acquire = { lease = "d", count = 1 }'),
    # What is not as it is said to be.
    event(410_000, "alice", 'acquire = { lease = "e", count = 5 }'),
    event(410_000, "alice", 'decline = "b"\nrefused = "not on offer"'),
    event(410_000, "alice", 'create = "f"\nrefused = "not enough"'),
    event(410_000, "bob", 'type = { lease = "d", line = "nonsense", answer = "yes" }')])


@pytest.fixture(scope="module")
def much(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("much")
    (folder / "hello.py").write_text(HELLO, encoding="utf-8")
    return played(folder, MUCH)


def test_what_principals_do_happens(much: Record) -> None:
    assert [(event.words, event.refused) for event in much.events if event.refused and not event.fault] == [
        ("bob types 'echo hi' to a", "there is no lease a"), ("alice declines b", "lease b is not on offer")]
    assert {line.text for line in much.console} >= {"node 1> it is 1", "node 3> hi", "node 3> ready, type help"}
    assert [(held.rank, held.lease, held.who) for held in much.held] == [
        (0, "a", "alice"), (0, "d", "bob"), (1, "a", "alice"), (1, "c", "carol"), (3, "b", "bob"), (3, "b", "alice")]
    assert much.rented["two"] == {"alice": [0, 3], "carol": [1]}
    assert much.matrix["two"].observed == [[1, 0, 0, 1], [0, 1, 0, 0], [0] * 4, [1, 0, 0, 1]]


def test_one_way_is_one_way(tmp_path: Path) -> None:
    """Rows are sources: bob's node 1 may send to alice's node 0, and not the other way round."""
    record = played(tmp_path, PRINCIPALS + "".join([
        event(0, "alice", 'acquire = { lease = "a", nodes = [0] }'),
        event(0, "bob", 'acquire = { lease = "b", nodes = [1] }'),
        event(0, "alice", 'create = "club"'),
        event(0, "alice", 'share = { network = "club", guest = "bob", direction = "send" }'),
        event(0, "bob", 'consent = "club"'),
        event(0, "alice", 'join = { lease = "a", network = "club" }'),
        event(0, "bob", 'join = { lease = "b", network = "club" }'),
        probe(20_000, "way")]))
    assert record.judge() == []
    assert record.matrix["way"].observed == [[1, 0, 0, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]


def test_a_lease_ends_in_its_cycle(much: Record) -> None:
    (ended,) = [event for event in much.events if event.who is None and event.words.startswith("leases end")]
    ready = next(change.finished for change in much.changes if change.handed_over == [0, 1])
    assert ended.cycle == ready + round(0.005 * 53_125_000), "4 ms, and 1 ms more"


def test_the_wall_moves_no_cycle(much: Record, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(HELLO, encoding="utf-8")
    again = played(tmp_path, MUCH, pause=0.1)
    assert again.wall_seconds > 0.1 * len(again.events)
    assert again.model_dump(exclude={"wall_seconds"}) == much.model_dump(exclude={"wall_seconds"})


PASSED_ON = PRINCIPALS + "".join([
    event(0, "alice", 'acquire = { lease = "a", nodes = [0, 1] }'),
    event(0, "alice", 'boot = { lease = "a", kernel = "hello.py", arguments = "{seed}", nodes = [1] }'),
    event(9_000, "alice", 'sublet = { lease = "c", of = "a", to = "carol", nodes = [1] }'),
    probe(9_000, "apart"),
    event(60_000, "alice", 'release = "a"'),
    event(60_000, "bob", 'acquire = { lease = "b", count = 2, seconds = 0.002 }'),
    event(60_000, "bob", 'type = { lease = "b", line = "echo hi", answer = "hi", nodes = [0] }'),
    probe(60_000, "passed_on")])


@pytest.mark.rare  # cocotb simulates it.
def test_both_engines_play_the_same(tmp_path: Path) -> None:
    """Rent, sub-let, hand back, rent again: every event, text and change in the same cycle, all memories equal."""
    pair, records = SMALL.replace("[2, 2, 1]", "[2, 1, 1]"), []
    for engine in ("native", "cocotb"):
        (tmp_path / engine).mkdir()
        (tmp_path / engine / "hello.py").write_text(HELLO, encoding="utf-8")
        records.append(played(tmp_path / engine, PASSED_ON, pair, engine=engine))
    assert records[0].judge() == [] and records[0].cycles > 60_000
    first, second = (record.model_dump(exclude={"wall_seconds"}) for record in records)
    assert first == second


def test_what_is_not_as_it_should_be_is_told(much: Record) -> None:
    assert [event.fault for event in much.events if event.fault] == [
        "refused: not enough nodes available: 5 wanted, and 2 are free",
        "was to be refused with 'not enough', and was not",
        "node 0 said \"node 0> error: unknown command 'nonsense'; type help\", not 'yes'"]
    assert len(much.judge()) == 3 and much.state == "done"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The example, played from the command line."""
    folder = tmp_path_factory.mktemp("example") / "out"
    return folder, main(["cloud", "run", str(EXAMPLE), "-o", str(folder)])


def results(folder: Path) -> Any:
    return json.loads((folder / "scenario.json").read_text(encoding="utf-8"))


def test_the_example(example: tuple[Path, int]) -> None:
    folder, code = example
    assert code == 0
    found = results(folder)
    assert found["provenance"] == provenance().model_dump() and found["seed"] == 1
    record = Record.model_validate(found["results"])
    assert record.findings == [] and all(not matrix.differences() for matrix in record.matrix.values())
    apart, shared, after = (record.matrix[name].observed for name in ("apart", "shared", "handed_over"))
    alice, bob = range(4), range(4, 7)
    crossing = [(one, other) for one in range(7) for other in range(7) if (one in alice) != (other in alice)]
    assert not any(apart[one][other] for one, other in crossing)
    assert [pair for pair in crossing if shared[pair[0]][pair[1]]] == [(3, 4), (4, 3)]
    assert after == [[1] * 7 + [0]] * 7 + [[0] * 8]
    assert [(held.rank, held.who) for held in record.held if held.rank in alice] == [
        (rank, who) for rank in alice for who in ("alice", "bob")]
    assert all(apart[one][other] for group in (alice, bob) for one in group for other in group)


def test_the_page_shows_it(example: tuple[Path, int]) -> None:
    folder, _ = example
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in ("Passed.", "apart: none of alice and bob reached nodes of another.",
                 "Nodes 0, 1, 2, 3 went from alice to bob.", "What happened",
                 "bob rents 2 nodes as more: refused, not enough nodes available"):
        assert text in page
    assert sorted(file.name for file in folder.iterdir()) == sorted([
        "report.html", "scenario.json", *(f"{name}.{ending}" for ending in ("png", "csv") for name in (
            "leases", "matrix_apart", "matrix_shared", "matrix_handed_over"))])


@pytest.mark.parametrize(("text", "words"), [
    (event(1, "bob", 'acquire = { lease = "a" }\nrefused = ""'), "events[0].refused: String should have at least 1"),
    (event(1, "bob", 'acquire = { lease = "a" }') + event(1, "bob", 'type = { lease = "a", line = "x", answer = "" }'),
     "events[1].type.answer: String should have at least 1 character"),
    (event(1, "bob", f'acquire = {{ lease = "a", nodes = [{"0," * 65_537}] }}'),
     "events[0].acquire.nodes: List should"),
    (event(1, "bob", f'acquire = {{ lease = "a", nodes = [{"0," * 60_000}] }}'),
     "events[0].acquire.nodes[1]: node 0 is"),
    (event(1, "bob", f'acquire = {{ lease = "a", count = 0x{"f" * 6000} }}'), "has a number with too many digits"),
    ("".join(f"[principals.p{each}]\n" for each in range(40)) + event(1, "eve", 'create = "a"'),
     "events[0].who: no principal 'eve'; there are owner, alice, bob, carol, p0"),
])
def test_what_would_pass_or_take_without_end_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, PRINCIPALS + text))
    message = caught.value.problems[0][1]
    assert message.startswith(words) and len(message) < 500


def test_a_probe_of_nobody_and_stale_answers_prove_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khhw.cloud.scenario.consoles._ANSWER_CYCLES", 20_000)
    (tmp_path / "hello.py").write_text(HELLO, encoding="utf-8")
    (tmp_path / "liar.py").write_text(LIAR, encoding="utf-8")
    lines = [event(60_000, "alice", f'type = {{ lease = "a", line = "{line}" }}') for line in (CRC, *["help"] * 6)]
    record = played(tmp_path, PRINCIPALS + "".join([
        probe(0, "nobody"),
        event(0, "alice", 'acquire = { lease = "a", nodes = [0] }'),
        event(20_000, "alice", 'boot = { lease = "a", kernel = "hello.py" }'),
        *lines, event(60_000, "alice", 'cleared = "a"'),
        event(80_000, "alice", 'boot = { lease = "a", kernel = "liar.py" }'),
        event(90_000, "alice", 'cleared = "a"')]))
    nobody, stale, liar = (event.fault for event in record.events if event.fault)
    assert nobody is not None and nobody.startswith("nobody rents a node")
    assert stale is not None and stale.startswith("something is in the memory of node 0")
    assert liar is not None and "did not say 'after line" in liar and len(record.judge()) == 3


FAILS = 'async def main(node, arguments):\n    raise RuntimeError("it does not work")\n'


def test_leases_end_and_nodes_fail_while_an_event_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khhw.cloud.scenario.consoles._ANSWER_CYCLES", 40_000)
    (tmp_path / "fails.py").write_text(FAILS, encoding="utf-8")
    record = played(tmp_path, PRINCIPALS + "".join([
        event(0, "alice", 'acquire = { lease = "a", nodes = [0], seconds = 0.0005 }'),
        event(0, "bob", 'acquire = { lease = "b", nodes = [1] }'),
        event(9_000, "bob", 'type = { lease = "b", line = "echo hi", answer = "never" }'),
        event(60_000, "alice", 'acquire = { lease = "c", nodes = [0], seconds = 0.0005 }'),
        event(60_000, "alice", 'type = { lease = "c", line = "echo hi", answer = "never" }'),
        event(120_000, "bob", 'boot = { lease = "b", kernel = "fails.py" }'),
        event(140_000, "bob", 'boot = { lease = "b", kernel = "fails.py", answer = "error: kernel fails failed" }')]))
    long, gone = (event for event in record.events if event.fault)
    assert long.fault == "node 1 did not say 'never' within 40,000 cycles; node 1 said 'node 1> hi' last"
    assert gone.fault == "the lease was over before node 0 said 'never'" and long.revisions == gone.revisions == []
    ended = [event for event in record.events if event.words.startswith("leases end")]
    ready = [change.finished for change in record.changes if change.handed_over == [0]][::2]
    assert [event.cycle for event in ended] == [cycle + round(0.0005 * 53_125_000) for cycle in ready]
    assert [len(event.revisions) for event in ended] == [1, 1] and long.cycle < ended[0].cycle < long.finished
    assert [said.node for said in record.errors] == [1] and record.errors[0].cycle < 140_000
    assert record.shortcomings == record.judge() and len(record.judge()) == 3
    assert record.judge()[2].endswith("and no event waits for that")
