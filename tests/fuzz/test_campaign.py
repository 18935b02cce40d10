"""A short campaign on the machine, with a fixed seed; and machines that are wrong, on purpose, without a build."""

from collections import Counter

import numpy as np
import pytest

from khhw.build.engine import EngineBuild, build_engine
from khhw.fuzz import scoreboard as board
from khhw.fuzz.campaign import Campaign, Findings
from khhw.fuzz.honest import Honest
from khhw.fuzz.memory_map import HONEST, NODE

PACKETS = 40_000


@pytest.fixture(scope="module")
def build() -> EngineBuild:
    """The engine the tests of the engine use, too."""
    return build_engine(NODE.as_dict())


@pytest.fixture(scope="module")
def findings(build: EngineBuild) -> Findings:
    return Campaign(build, seed=2, packets=PACKETS).run()


def test_nothing_gets_through(findings: Findings) -> None:
    assert findings.violations == []
    assert findings.packets >= PACKETS
    assert sum(findings.tried.values()) > PACKETS
    assert findings.refused["ROW"] > 1000


def test_what_was_reached_is_named(findings: Findings) -> None:
    ends = Counter(point.partition(": ")[2] for point in findings.cover)
    assert {"refused at egress, ROW", "sent, allowed", "delivered, to the hostile", "bus error, guard"} <= set(ends)
    assert findings.kept >= 2


def test_the_same_seed_is_the_same_campaign(build: EngineBuild) -> None:
    once, again = (Campaign(build, seed=9, packets=6_000).run() for _ in range(2))
    once.seconds = again.seconds = 0
    assert once == again


class Tampered(Honest):
    """An honest node to which something happens that hardware should have prevented."""

    where = 0

    async def send(self, wait: int) -> None:
        await super().send(wait)
        self._host.memory.poke(self.rank, self.where, b"\x5A" * 9)


@pytest.mark.parametrize(("where", "check"), [
    (HONEST.secret.base + 1000, "memory"), (HONEST.windows[0].base + 2000, "window"),
    (HONEST.windows[1].base + 200, "writer"), (HONEST.windows[2].base, "writer"), (HONEST.gets.base, "remote get"),
    (HONEST.reception[0].base + 4000, "ring"),
])
def test_a_byte_in_the_wrong_place_is_seen(
    build: EngineBuild, monkeypatch: pytest.MonkeyPatch, where: int, check: str,
) -> None:
    monkeypatch.setattr(Tampered, "where", where)
    monkeypatch.setattr("khhw.fuzz.session.Honest", Tampered)
    found = Campaign(build, seed=2, packets=1).run()
    assert check in {violation.check for violation in found.violations}


def test_a_secret_in_a_hostile_memory_is_seen(build: EngineBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    look = board.Scoreboard.look

    def leaked(self: board.Scoreboard, tails: object = None) -> None:
        node, thief = self._honest[1], self._hostile[2]
        self._engine.poke(thief.rank, 0x9000, node.image[HONEST.secret.base:][:13].tobytes())
        look(self, tails)

    monkeypatch.setattr(board.Scoreboard, "look", leaked)
    found = Campaign(build, seed=2, packets=1).run()
    assert "secret" in {violation.check for violation in found.violations}
    assert found.found_by is not None


def test_register_state_and_counters_are_compared(build: EngineBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, drops = Honest.watched, Honest.drops
    calls = Counter[str]()

    async def changed(self: Honest) -> dict[tuple[str, int], int]:
        calls["watched"] += 1
        values = await watched(self)
        return values | {("INJECTION_READER", 2): calls["watched"]}

    async def more(self: Honest) -> dict[str, int]:
        calls["drops"] += 1
        return await drops(self) | {"GET_DROPS": calls["drops"]}

    monkeypatch.setattr(Honest, "watched", changed)
    monkeypatch.setattr(Honest, "drops", more)
    found = Campaign(build, seed=2, packets=1).run()
    seen = " ".join(violation.detail for violation in found.violations)
    assert "INJECTION_READER[2] went from" in seen


def test_memories_are_looked_at_whole() -> None:
    looked = board._FIXED | board._OPEN
    for area in (HONEST.gets, HONEST.console, *HONEST.reception):
        looked[area.base:area.end] = True
    assert np.all(looked)
