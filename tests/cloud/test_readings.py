"""Readings of leases on the RTL: leases of the store are told to the meters, and what those count comes back."""


import pytest

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.models import Reading
from khhw.cloud.scenario.play import play
from khhw.cloud.scenario.reading import load
from khhw.cloud.simulator_process import machine_info
from khhw.cloud.stays import stays
from khhw.machine.machine import Machine
from tests.cloud.simulated import SMALL

SAY = """
async def main(node, arguments):
    for word in arguments.split():
        to, count = map(int, word.split(":"))
        for _ in range(count):
            await node.send(to, b"x" * 8)
"""
PRINCIPALS = 'machine = "machine.toml"\n[principals.alice]\n[principals.bob]\n'
SENT = {0: {1: 3, 3: 5}, 1: {0: 4}, 3: {0: 2, 2: 6}}
"""Packets by source and destination: nodes 0 and 1 are alice's, 2 and 3 bob's; 0 and 3 are in a network for both."""


def event(cycle: int, who: str, words: str) -> str:
    return f'[[events]]\ncycle = {cycle}\nwho = "{who}"\n{words}\n'


def say(cycle: int, who: str, lease: str, rank: int, sent: dict[int, int]) -> str:
    words = " ".join(f"{to}:{count}" for to, count in sent.items())
    return event(cycle, who, f'boot = {{ lease = "{lease}", kernel = "say.py", arguments = "{words}", '
                             f'nodes = [{rank}], answer = "kernel say done" }}')


SCENARIO = PRINCIPALS + "".join([
    event(0, "alice", 'acquire = { lease = "a", nodes = [0, 1] }'),
    event(0, "bob", 'acquire = { lease = "b", nodes = [2, 3] }'),
    event(0, "alice", 'create = "club"'),
    event(0, "alice", 'share = { network = "club", guest = "bob" }'),
    event(0, "bob", 'consent = "club"'),
    event(0, "alice", 'join = { lease = "a", network = "club", nodes = [0] }'),
    event(0, "bob", 'join = { lease = "b", network = "club", nodes = [3] }'),
    say(20_000, "alice", "a", 0, SENT[0]), say(20_000, "alice", "a", 1, SENT[1]), say(20_000, "bob", "b", 3, SENT[3]),
    event(60_000, "alice", 'transfer = { lease = "a", to = "bob" }'),
    event(60_000, "bob", 'accept = "a"'),
    # The next tenant of node 0 sends to a node of another lease of his own.
    event(60_000, "bob", 'join = { lease = "a", network = "club" }'),
    say(80_000, "bob", "a", 0, {3: 7, 0: 1}),
    event(120_000, "bob", 'release = "a"'),
    event(120_000, "bob", 'release = "b"')])


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Reading]]:
    """Of each lease, by its tenant and its name, when the scenario is over."""
    folder = tmp_path_factory.mktemp("readings")
    for name, text in (("machine.toml", SMALL), ("say.py", SAY), ("scenario.toml", SCENARIO)):
        (folder / name).write_text(text, encoding="utf-8")
    scenario, file = load(folder / "scenario.toml")
    machine = Machine(file, folder, "native")
    assert play(scenario, machine, folder, folder / "state").judge() == []
    core = Core.open(folder / "state", machine_info(machine))
    try:
        with core._store.read() as db:
            owner = Caller(*db.execute("SELECT id, name FROM principal WHERE parent IS NULL").fetchone(), is_owner=True)
        return {(lease.project, str(lease.name)): core.leases.readings(owner, lease.uuid)
                for lease in core.leases.all(owner, ended=True)}
    finally:
        core.close()


def used(readings: list[Reading]) -> dict[int, dict[str, int]]:
    """By rank."""
    return {stay.begin.rank: stay.used for stay in stays(readings) if stay.used is not None}


def packets(found: dict[str, int]) -> list[int]:
    """Sent and received, own and shared."""
    return [found[f"{peers}_{what}_packets"] for peers in ("own", "shared") for what in ("sent", "received")]


def test_what_leases_send_to_each_other_is_shared_for_both_and_the_rest_their_own(
    readings: dict[tuple[str, str], list[Reading]],
) -> None:
    alice, bob = used(readings["alice", "a"]), used(readings["bob", "b"])
    assert {rank: packets(found) for rank, found in alice.items()} == {0: [3, 4, 5, 2], 1: [4, 3, 0, 0]}
    # Of another lease it is also what his own next lease sends: 7 packets more.
    assert {rank: packets(found) for rank, found in bob.items()} == {2: [0, 6, 0, 0], 3: [6, 0, 2, 5 + 7]}
    flits = alice[1]["own_sent_flits"] // 4
    assert flits > 0 and alice[0]["shared_sent_flits"] == 5 * flits
    assert (alice[0]["own_flit_hops"], alice[0]["shared_flit_hops"]) == (3 * flits, 2 * 5 * flits)
    assert bob[3]["shared_received_flits"] == 12 * flits and bob[3]["busy_cycles"] > 12 * flits
    assert alice[0]["external_sent_packets"] > 0 and alice[0]["external_received_packets"] > 0


def test_what_is_counted_belongs_to_exactly_one_lease(readings: dict[tuple[str, str], list[Reading]]) -> None:
    before, after = readings["alice", "a"], readings["bob", "a"]
    ends, begins = ({one.rank: (one.cycle, one.counters) for one in found if one.moment == moment}
                    for found, moment in ((before, "end"), (after, "begin")))
    assert ends == begins and set(ends) == {0, 1}
    assert ends[0][1]["shared_sent_packets"] == 5, "not set back"
    assert {rank: packets(found) for rank, found in used(after).items()} == {0: [1, 1, 7, 0], 1: [0, 0, 0, 0]}
