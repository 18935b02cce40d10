"""Meters on the RTL in every state of a machine: what the owner reads is what was sent, to the packet, flit and cable.

A cube of eight nodes on both engines, which must read the same in the same cycles, and 512 nodes on the native one.
"""

import functools
from pathlib import Path

import pytest

from khhw.bench.isolation import node_parameters
from khhw.control.meter_laws import laws, total
from khhw.node import Shape
from khhw.sim.process import Request, run
from rtl.formats import CHUNK_FLITS
from rtl.meter_lines import TENANT_LINES, MeterLine
from tests.control.metered_states import (
    LENGTH,
    STATES,
    battlefield,
    guards_of,
    halves,
    handed_on,
    readings_of,
    shuffled,
    talkers,
)
from tests.control.tenants import NODE
from tests.sim.engine.both import assert_equal, fabric, native

ROOT = Path(__file__).parents[2]
FLITS = LENGTH * CHUNK_FLITS
SENT, RECEIVED, HOPS = ((MeterLine[f"OWN_{what}"], MeterLine[f"SHARED_{what}"])
                        for what in ("SENT_PACKETS", "RECEIVED_PACKETS", "FLIT_HOPS"))

CUBE, CUBE_ON_COCOTB, LARGE = (native, (2, 2, 2), NODE), (fabric, (2, 2, 2), NODE), (
    native, (8, 8, 8), node_parameters((8, 8, 8)))
MACHINES = [pytest.param(CUBE, id="2x2x2 native"),
            pytest.param(CUBE_ON_COCOTB, id="2x2x2 cocotb", marks=pytest.mark.rare),
            pytest.param(LARGE, id="8x8x8 native", marks=pytest.mark.rare)]


@pytest.fixture(scope="module")
def observe(tmp_path_factory):
    """Run a state on a machine, once; what was observed, and how the run went."""
    @functools.cache
    def once(machine, state):
        build, sizes, node = machine
        shape = Shape(*sizes)
        request = Request(entry="tests.control.metered_states:StateProgram", nodes=shape.nodes,
                          arguments={"shape": sizes, "state": state}, memory_bytes=node.memory_bytes)
        done = run(build(sizes, node.as_dict()), request, tmp_path_factory.mktemp(state), path=[ROOT])
        assert done.finished, f"{done.message} {done.outcome}"
        return done

    return once


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


@pytest.fixture
def shape(machine):
    return Shape(*machine[1])


@pytest.fixture
def seen(observe, machine):
    """What is observed of a state of this machine; the laws hold in each of them."""
    def state(name):
        found = observe(machine, name).results
        assert [str(law) for law in laws(readings_of(found), guards_of(found)) if not law.holds] == []
        return found

    return state


def test_an_idle_machine_has_counted_nothing_but_cycles(seen, shape):
    found = seen("idle")
    readings = readings_of(found)
    assert [reading.rank for reading in readings] == list(range(shape.nodes))
    assert all(reading.tag == 7 and found["before"] < reading.time < found["after"] for reading in readings)
    assert not any(reading.counts[line] for reading in readings for line in MeterLine if line != MeterLine.BUSY_CYCLES)


def test_a_saturated_torus_is_metered_to_the_flit_and_the_cable(seen, shape, machine):
    found = seen("saturated")
    readings, sent, received = readings_of(found), found["sent"], found["received"]
    assert min(sent) > 20
    lease, target = halves(shape), shuffled(shape.nodes)
    source = {there: rank for rank, there in target.items()}
    for rank, reading in enumerate(readings):
        wanted = dict.fromkeys(MeterLine, 0)
        to = ["OWN", "SHARED"][int(lease[rank] != lease[target[rank]])]
        of = ["OWN", "SHARED"][int(lease[rank] != lease[source[rank]])]
        wanted[MeterLine[f"{to}_SENT_PACKETS"]] = sent[rank]
        wanted[MeterLine[f"{to}_SENT_FLITS"]] = sent[rank] * FLITS
        wanted[MeterLine[f"{to}_FLIT_HOPS"]] = sent[rank] * FLITS * shape.distance(rank, target[rank])
        wanted[MeterLine[f"{of}_RECEIVED_PACKETS"]] = received[rank]
        wanted[MeterLine[f"{of}_RECEIVED_FLITS"]] = received[rank] * FLITS
        wanted[MeterLine.BUSY_CYCLES] = reading.counts[MeterLine.BUSY_CYCLES]
        assert {line: reading.counts[line] for line in MeterLine} == wanted
        assert reading.counts[MeterLine.BUSY_CYCLES] > sent[rank] * FLITS // machine[2].lanes
    assert all(total(readings, line) for line in SENT)
    assert total(readings, *HOPS) == found["headers"] * FLITS


def test_nodes_that_send_on_after_their_rights_are_gone_are_metered_as_well(seen):
    """What guards of receivers refuse is on their meters, what the senders' own refuse is on none."""
    found = seen("revoked")
    readings = readings_of(found)
    assert min(found["by_row"])
    assert total(readings, MeterLine.REFUSED_PACKETS) and total(readings, MeterLine.SHARED_SENT_PACKETS)
    assert not total(readings, MeterLine.OWN_SENT_PACKETS)
    assert total(readings, MeterLine.SHARED_FLIT_HOPS) == found["headers"] * FLITS


def test_hostile_software_changes_no_meter_but_by_what_it_sends(seen, shape):
    found = seen("attacked")
    readings, field = readings_of(found), battlefield(shape)
    # A copy of a deposit packet that a guard refuses on its way is on no meter. On lines of two nodes there is no way.
    copies = [refused - reading.counts[MeterLine.REFUSED_PACKETS]
              for reading, refused in zip(readings, found["by_column"], strict=True)]
    assert min(copies) == 0 and bool(any(copies)) == (max(shape.x, shape.y, shape.z) > 2)
    for rank in field.hostile:
        counts = readings[rank].counts
        assert found["by_row"][rank] > 100 and counts[MeterLine.EXTERNAL_SENT_PACKETS] > 1
        assert counts[MeterLine.OWN_SENT_PACKETS] > 100 and counts[MeterLine.SHARED_SENT_PACKETS] > 100
    assert total(readings, MeterLine.SHARED_RECEIVED_PACKETS), "a hostile node was to reach an honest one for a while"
    assert sum(found["by_column"][rank] for rank in field.honest) > 1000
    for rank in field.honest:
        counts = readings[rank].counts
        assert counts[MeterLine.OWN_SENT_PACKETS] == found["sent"][rank]
        assert rank not in talkers(field) or min(found["sent"][rank], counts[MeterLine.OWN_RECEIVED_PACKETS]) > 100
        assert not counts[MeterLine.SHARED_SENT_PACKETS] and not counts[MeterLine.EXTERNAL_SENT_PACKETS]
        assert rank == field.honest[0] or not counts[MeterLine.SHARED_RECEIVED_PACKETS]


def test_what_is_counted_at_a_hand_over_belongs_to_one_lease(seen, shape):
    """What was read when the last packet of the lease before had ended, and what the next tenants read themselves, are
    the whole."""
    found = seen("handed_over")
    readings, parts = readings_of(found), {part.rank: part for part in readings_of(found, "before")}
    assert total(readings, MeterLine.DROPPED_PACKETS), "nothing met a node in hold"
    for rank, fresh, tenant in zip(handed_on(shape), found["fresh"], found["tenants"], strict=True):
        # Others send to it as soon as it is theirs to use.
        assert not any(fresh[line] for line in MeterLine if "SENT" in line.name)
        difference = readings[rank] - parts[rank]
        ours = {line: difference[line] for line in MeterLine if line < TENANT_LINES and line != MeterLine.BUSY_CYCLES}
        assert {line: tenant[line] for line in ours} == ours
        assert difference[MeterLine.SHARED_SENT_PACKETS] > 10 and parts[rank].counts[MeterLine.OWN_SENT_PACKETS]


@pytest.mark.rare
@pytest.mark.parametrize("state", STATES)
def test_both_engines_read_the_same_in_the_same_cycles(observe, state):
    assert_equal(observe(CUBE, state), observe(CUBE_ON_COCOTB, state))
