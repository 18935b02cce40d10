"""The campaign's own parts, without a machine: what they draw, trace, allow and keep."""

import json
from pathlib import Path

import numpy as np
import pytest

from khhw.cli import main
from khhw.fuzz import mutants
from khhw.fuzz.accesses import forbidden, pokes
from khhw.fuzz.hostile import Aim, batch, carried
from khhw.fuzz.monitor import torus_records
from khhw.fuzz.mutants import MUTANTS, parts_with
from khhw.fuzz.packing import as_bytes, descriptors, pack_all, set_field, take_field
from khhw.fuzz.reference_model import ReferenceModel
from khhw.fuzz.scenario import MATRICES, SCENARIOS
from khhw.fuzz.stimulus import WAYS, change, draw
from khhw.fuzz.tables import summary, tables
from khhw.fuzz.taint import TAINTED_NODES, taint, tainted, words_of
from khhw.fuzz.tracing import stolen
from khhw.node.descriptors import descriptor, header
from rtl.formats import Header, PutHeader, pack
from rtl.registers import MEMORY_WINDOW, REGISTERS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def aim(rng: np.random.Generator, **values: object) -> Aim:
    stimulus = draw(rng)
    for name, value in values.items():
        object.__setattr__(stimulus, name, value)
    scenario = SCENARIOS[0]
    return Aim(scenario, scenario.hostile[0], scenario.honest, scenario.hostile, 5, stimulus, rng)


def test_descriptors_in_bulk_are_those_of_the_driver() -> None:
    put = pack_all(PutHeader, 3, put_offset=np.array([8, 16, 24]), counter=3)
    rows = descriptors(pack_all(Header, 3, x=np.array([0, 1, 1]), dma=1, vc=2), put, np.array([0, 8, 64]), 7, 2)
    one = descriptor(header((1, 0, 0), dma=1), pack(PutHeader, put_offset=16, counter=3), 8, 7, counter=2)
    assert as_bytes(rows[1]).tobytes() == one
    set_field(rows[:, 2], Header, "y", 5)
    assert take_field(rows[:, 2], Header, "y").tolist() == [5, 5, 5]
    assert take_field(rows[:, 2], Header, "x").tolist() == [0, 1, 1]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_can_be_drawn_and_counts_what_it_tries(rng: np.random.Generator, way: str) -> None:
    one = aim(rng, way=way, accesses=8)
    drawn = batch(one, 200)
    assert len(drawn.rows) == sum(drawn.kinds.values()) == 200
    assert len(carried(one, 50)) == 50
    assert pokes(one, 8)


def test_rounds_follow_from_their_seed() -> None:
    first, second = (change(draw(np.random.default_rng(3)), np.random.default_rng(4)) for _ in range(2))
    assert first == second
    assert first.seed != draw(np.random.default_rng(3)).seed


def test_hostile_nodes_aim_at_foes(rng: np.random.Generator) -> None:
    one = aim(rng, way="message", foe=1.0, near=1.0)
    rows = batch(one, 100).rows
    destinations = {tuple(int(take_field(rows[i:i + 1, 2], Header, axis)[0]) for axis in "xyz") for i in range(100)}
    assert destinations == {one.scenario.shape.coordinate(rank) for rank in one.scenario.honest}


def test_copies_cross_where_the_hostile_have_a_line(rng: np.random.Generator) -> None:
    scenario = SCENARIOS[-1]
    for rank, far in ((0, 3), (1, 3), (2, 0), (3, 0)):
        crossing = aim(rng, way="crossing", near=1.0).stimulus
        one = Aim(scenario, rank, scenario.honest, scenario.hostile, 5, crossing, rng)
        copies, own = (batch(one, 20, ring).rows[:, 2] for ring in (0, 3))
        assert set(take_field(copies, Header, "x")) == {far} and take_field(copies, Header, "deposit").all()
        assert set(take_field(own, Header, "x")) == {rank} and not take_field(own, Header, "deposit").any()
        assert not take_field(np.concatenate([copies, own]), Header, "pid1").any()


def test_what_a_node_must_refuse() -> None:
    assert all(forbidden(REGISTERS[name].at(), write=True) for name in ("HOLD", "COMMIT", "ROW", "RANK", "REFUSED"))
    assert forbidden(REGISTERS["ROW"].at(), write=False)
    assert not forbidden(REGISTERS["REFUSED"].at(), write=False)
    assert not forbidden(REGISTERS["INJECTION_TAIL"].at(3), write=True)
    assert forbidden(REGISTERS["INJECTION_TAIL"].at() + 2, write=True)
    assert not forbidden(MEMORY_WINDOW, write=True)
    assert forbidden(MEMORY_WINDOW + 65536, write=False)


class TestTracing:
    def test_bytes_have_their_writers_taint(self, rng: np.random.Generator) -> None:
        shades = {taint(rank, shown=shown) for rank in range(TAINTED_NODES) for shown in (False, True)}
        assert len(shades) == 2 * TAINTED_NODES
        assert set(tainted(rng, 6, 100, shown=True) & 0xF0) == {taint(6, shown=True)}

    @pytest.mark.parametrize("length", [4, 7, 8, 20, 240])
    def test_what_was_read_from_another_is_found(self, rng: np.random.Generator, length: int) -> None:
        secrets, before = tainted(rng, 1, 4096), tainted(rng, 0, 4096)
        memory = before.copy()
        memory[512:512 + length] = secrets[64:64 + length]
        assert stolen(memory, before, secrets, 1, shown=False).tolist() == list(range(64, 64 + -(-length // 8)))[
            :len(stolen(memory, before, secrets, 1, shown=False))]
        assert len(stolen(memory, before, secrets, 1, shown=False)) >= length // 8

    def test_what_only_looks_like_it_is_not(self, rng: np.random.Generator) -> None:
        secrets, before = tainted(rng, 1, 4096), tainted(rng, 0, 4096)
        other = before.copy()
        other[:4096] = tainted(rng, 1, 4096)
        assert not len(stolen(other, before, secrets, 1, shown=False))
        assert not len(stolen(before, before, secrets, 1, shown=False))
        assert not len(stolen(other, before, secrets, 2, shown=False))

    def test_words_are_big_endian(self) -> None:
        assert words_of(np.arange(8, dtype=np.uint8)).tolist() == [0x0001020304050607]


class TestReferenceModel:
    def test_after_a_phase_only_what_it_allows(self) -> None:
        scenario = SCENARIOS[0]
        model = ReferenceModel(8)
        model.now = scenario.matrix("relay")
        model.begin_round(model.now)
        relay, both = (scenario.hostile[0], scenario.honest[0]), scenario.matrix("relay") & scenario.matrix("apart")
        assert model.possible[relay]
        model.phase_ended(both)
        assert not model.possible[relay] and model.ever[relay] and not model.always[relay]
        model.phase_begins(scenario.matrix("relay"))
        assert model.possible[relay] and not model.now[relay]

    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
    def test_matrices_keep_the_hostile_from_all_but_one(self, scenario) -> None:
        assert 0 in scenario.hostile, "zeros would be taken for its secrets"
        for name in MATRICES:
            across = scenario.matrix(name)[np.ix_(scenario.hostile, scenario.honest)]
            assert across.sum() == (name in ("relay", "way in"))


def test_records_end_where_no_header_is() -> None:
    ring = np.zeros(256, np.uint8)
    first = pack(Header, size=1, source=5, crc=3).to_bytes(8, "big") + bytes(8) + b"payload."
    ring[192:192 + len(first)] = np.frombuffer(first, np.uint8)
    ring[0:8] = np.frombuffer(pack(Header, size=0, source=2, crc=1).to_bytes(8, "big"), np.uint8)
    found = list(torus_records(ring, 192, None))
    assert [(record.source, behind) for record, behind in found] == [(5, 0), (2, 32)]
    assert found[0][0].payload.startswith(b"payload.") and len(found[0][0].payload) == 48
    assert [record.source for record, _ in torus_records(ring, 192, 0)] == [5]


def test_each_mutant_replaces_a_part_of_a_node() -> None:
    parts = [parts_with(mutant) for mutant in MUTANTS]
    assert {name for part in parts for name in part} == {"guard", "ni"}
    made = [getattr(mutants, target.partition(":")[2]) for part in parts for target in part.values()]
    assert len({mutant.name for mutant in MUTANTS}) == len(set(made)) == 7
    assert {cls.__name__ for cls in made} == {"Guard", "NI"}


class TestKeptResults:
    REPORT = json.loads((DOCS / "results" / "attack.json").read_text())

    def test_the_page_has_their_tables(self) -> None:
        assert tables(self.REPORT) in (DOCS / "attack.md").read_text()

    @pytest.mark.parametrize(("name", "lanes"), [("attack", 2), ("attack-6-lanes", 6)])
    def test_nothing_got_through(self, name: str, lanes: int) -> None:
        report = json.loads((DOCS / "results" / f"{name}.json").read_text())
        design = report["results"]["design"]
        assert report["parameters"]["lanes"] == lanes
        assert design["packets"] >= 10_000_000 and design["violations"] == []
        assert summary(report, design) in (DOCS / "attack.md").read_text()

    def test_every_bug_was_found(self) -> None:
        mutants = self.REPORT["results"]["mutants"]
        assert [(bug["name"], bug["what"]) for bug in mutants] == [(mutant.name, mutant.what) for mutant in MUTANTS]
        assert all(bug["found"] for bug in mutants)
        assert [bug["findings"]["violations"][0]["check"] for bug in mutants] == [mutant.breaks for mutant in MUTANTS]

    def test_they_are_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["attack", "--show", str(DOCS / "results" / "attack.json")]) == 0
        assert capsys.readouterr().out == tables(self.REPORT)


@pytest.mark.parametrize(("arguments", "message"), [
    (["--packets", "0"], "--packets takes a number from 1"),
    (["--lanes", "7"], "--lanes: lanes must be an integer from 1 to 6, not 7"),
    (["--show", "none.json"], "holds no results of khhw attack"),
])
def test_a_wrong_request(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", *arguments]) == 2
    assert message in capsys.readouterr().err
