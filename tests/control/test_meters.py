"""Reading meters: on the RTL, by the native engine, what tenants and owner are told; on the reference, what goes wrong.
"""


import pytest

from khhw.bench.owned import OwnedMachine
from khhw.build.engine import build_engine
from khhw.control.meter_laws import laws, total
from khhw.control.meters import GuardCounts, MeterError, Meters, Reading, guard_counts, read_at_rest
from khhw.control.owner import ConsoleKeys, OwnerError
from khhw.fuzz.campaign import Campaign
from khhw.fuzz.session import Session
from rtl.formats import CHUNK_FLITS
from rtl.meter_lines import LINES, TENANT_LINES, MeterLine
from rtl.registers import joined
from tests.control.metered_states import LENGTH, everybody, used
from tests.control.tenants import NODE
from tests.reference import Rig

FLITS = LENGTH * CHUNK_FLITS


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So few nodes are no quicker with more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("khhw.sim.engine.engine.usable_cores", lambda: 1)
        yield


def broken(readings, guards):
    """Laws that do not hold."""
    return [law for law in laws(readings, guards) if not law.holds]


def test_a_tenant_who_comes_to_a_quiet_machine_finds_nothing_counted_and_then_what_the_owner_finds():
    machine = OwnedMachine((2, 2, 2), NODE)

    async def main():
        domains = everybody(machine.shape)
        await machine.change(domains)
        await machine.send_traffic([None] * 7 + [0], 1.0, [LENGTH], 40)
        await machine.stop_traffic()
        await machine.epochs.hand_over([7], domains, {7: ConsoleKeys(5, [5])})
        fresh = await used(machine, 7)
        (before,) = await Meters(machine.owner).read(1, [7])
        await machine.send_traffic([None] * 7 + [0], 1.0, [LENGTH], 30)
        await machine.stop_traffic()
        (after,) = await Meters(machine.owner).read(2, [7])
        return fresh, before, after, await used(machine, 7)

    fresh, before, after, tenant = machine.run(main, max_cycles=1_000_000)
    nothing = dict.fromkeys(range(TENANT_LINES), 0)
    nothing.pop(MeterLine.BUSY_CYCLES)
    assert {line: fresh[line] for line in nothing} == nothing
    assert before.counts[MeterLine.SHARED_SENT_PACKETS] == 40
    difference = after - before
    assert {line: tenant[line] for line in nothing} == {line: difference[line] for line in nothing}
    assert tenant[MeterLine.SHARED_SENT_PACKETS] == 30
    assert tenant[MeterLine.SHARED_SENT_FLITS] == 30 * FLITS


def test_snapshots_under_load_lie_between_what_guards_have_counted_before_and_after():
    machine = OwnedMachine((2, 2, 2), NODE)

    async def main():
        await machine.change(everybody(machine.shape))
        await machine.send_traffic([1, 2, 3, 4, 5, 6, 7, 0], 1.0, [LENGTH])
        seen = [(await guard_counts(machine.owner), await Meters(machine.owner).read(tag),
                 await guard_counts(machine.owner)) for tag in range(1, 6)]
        with pytest.raises(MeterError, match="packets still move after 100 looks"):
            await read_at_rest(machine.owner, 50)
        await machine.stop_traffic()
        return seen

    seen = machine.run(main, max_cycles=1_000_000)
    assert any(sum(before.under_way) for before, _, _ in seen)
    for before, readings, after in seen:
        for counted in ("injected", "delivered"):
            what = {"injected": "SENT", "delivered": "RECEIVED"}[counted]
            metered = total(readings, MeterLine[f"OWN_{what}_PACKETS"], MeterLine[f"SHARED_{what}_PACKETS"])
            assert sum(getattr(before, counted)) < metered < sum(getattr(after, counted))


def test_laws_of_packets_that_stand_still():
    """Three of ten packets wait in the torus, one of them in part."""
    counts = dict.fromkeys(MeterLine, 0) | {
        MeterLine.OWN_SENT_PACKETS: 10, MeterLine.OWN_SENT_FLITS: 70, MeterLine.OWN_RECEIVED_PACKETS: 6,
        MeterLine.OWN_RECEIVED_FLITS: 48, MeterLine.REFUSED_PACKETS: 1, MeterLine.REFUSED_FLITS: 8}
    guards = GuardCounts((4, 6), (4, 2), (0, 1), (0, 0))
    assert guards.under_way == (0, 3)
    assert broken([Reading(0, 1, 9, tuple(counts.values()))], guards) == []
    for line in (MeterLine.OWN_SENT_PACKETS, MeterLine.OWN_RECEIVED_PACKETS, MeterLine.REFUSED_PACKETS,
                 MeterLine.DROPPED_PACKETS):
        wrong = tuple((counts | {line: counts[line] + 1}).values())
        assert len(broken([Reading(0, 1, 9, wrong)], guards)) >= 2
    assert broken([Reading(0, 1, 9, tuple((counts | {MeterLine.OWN_SENT_FLITS: 55}).values()))], guards)


def test_hostile_packets_are_metered_as_the_guards_count_them(monkeypatch):
    """Every kind of hostile packet of the attack campaign, with changes of domains, holds and clears meanwhile."""
    checked = []

    class Metered(Session):
        async def _judge(self, finding, before, parcels):
            await super()._judge(finding, before, parcels)
            readings = await Meters(self._owner).read(1 + len(checked))
            guards = await guard_counts(self._owner)
            for law in broken(readings, guards):
                self._board.wrong("meter", str(law))
            checked.append(readings)

    monkeypatch.setattr("khhw.fuzz.campaign.Session", Metered)
    found = Campaign(build_engine(NODE.as_dict()), seed=3, packets=150_000).run()
    assert found.violations == []
    assert len(checked) >= 4
    for line in (MeterLine.REFUSED_PACKETS, MeterLine.EXTERNAL_SENT_PACKETS, MeterLine.OWN_RECEIVED_PACKETS):
        assert max(total(readings, line) for readings in checked), line.name


class TestErrors:
    """On the reference machine."""

    def test_words_of_a_snapshot_are_told_apart(self):
        rig = Rig((2, 2, 2))
        for node in rig.machine.nodes:
            for index in range(2 * LINES):
                node.values["METER_READING", index] = 1000 * node.rank + index
            node.values["METER_TIME", 0], node.values["METER_TIME", 1] = 5, node.rank
        whole = rig.run(Meters(rig.owner).read(3))
        assert [reading.rank for reading in whole] == list(range(8))
        (one,) = rig.run(Meters(rig.owner).read(3, [6]))
        assert one == whole[6]
        assert (one.tag, one.time) == (3, joined(5, 6))
        assert one.counts == tuple(joined(6000 + 2 * line, 6001 + 2 * line) for line in range(LINES))

    @pytest.mark.parametrize(("tag", "ranks", "words"), [
        (0, None, "a number from 1 to 4294967295, not 0"), (1 << 32, None, "not 4294967296"),
        (1, [8], "no node 8 to be metered; nodes are 0 to 7"), (1, [-1], "no node -1")])
    def test_what_cannot_be_asked(self, tag, ranks, words):
        rig = Rig((2, 2, 2))
        with pytest.raises(MeterError, match=words):
            rig.run(Meters(rig.owner).read(tag, ranks))

    @pytest.mark.parametrize("ranks", [None, [3, 5]])
    def test_a_snapshot_that_is_not_taken_is_named(self, ranks):
        rig = Rig((2, 2, 2))
        rig.machine.nodes[5].values["METER_STATUS", 0] = 0
        with pytest.raises(MeterError, match=r"^Node 5: the snapshot with tag 4 is not taken after 500 cycles"):
            rig.run(Meters(rig.owner, limit=500).read(4, ranks))

    @pytest.mark.parametrize("ranks", [None, [3, 5]])
    def test_what_was_taken_before_is_read_as_soon_as_it_is_there(self, ranks, monkeypatch):
        rig = Rig((2, 2, 2))
        node, sleep = rig.machine.nodes[5], rig.owner.outside.sleep

        async def taken_meanwhile(cycles):
            await sleep(cycles)
            node.values["METER_STATUS", 0], node.values["METER_READING", 0] = 1, 9

        async def both():
            await Meters(rig.owner).take(4, ranks)
            return await Meters(rig.owner).readings(4, ranks)

        node.values["METER_STATUS", 0] = 0
        monkeypatch.setattr(rig.owner.outside, "sleep", taken_meanwhile)
        found = {reading.rank: reading for reading in rig.run(both())}
        assert list(found) == (ranks or list(range(8))) and found[5].counts[0] == 9 and found[5].tag == 4

    def test_a_snapshot_of_somebody_else_is_named(self, monkeypatch):
        rig = Rig((2, 2, 2))
        taken = rig.owner.combined

        async def disturbed(words):
            answers = await taken(words)
            rig.machine.nodes[2].values["METER_SNAPSHOT", 0] = 77
            return answers

        monkeypatch.setattr(rig.owner, "combined", disturbed)
        with pytest.raises(MeterError, match="Node 2: another snapshot than that with tag 4"):
            rig.run(Meters(rig.owner).read(4))

    def test_a_machine_without_meters_is_named(self):
        rig = Rig((2, 2, 2))
        for address, (register, _) in list(rig.machine.nodes[4].map.items()):
            if register.name.startswith("METER_"):
                del rig.machine.nodes[4].map[address]
        with pytest.raises(OwnerError, match="refused the write of 0x4 to METER_SNAPSHOT"):
            rig.run(Meters(rig.owner).read(4))

    def test_readings_of_two_nodes_have_no_difference(self):
        rig = Rig((2, 2, 2))
        one, other = rig.run(Meters(rig.owner).read(3, [1, 2]))
        with pytest.raises(ValueError, match="node 2 less one of node 1"):
            _ = other - one
