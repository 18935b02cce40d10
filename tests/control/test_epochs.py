"""Changes of domains on the reference machine: who watches is told of every phase."""

import pytest

from khhw.control.changes import EpochError, Moment
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from tests.reference import Rig

OPEN = Domains.from_rules(["* -> *"], 2)
CLOSED = Domains.from_rules(["0 -> 1"], 2)
OTHER = Domains.from_rules(["1 -> 0"], 2)


def changed(*wanted):
    """Moments, committed domains and the last change."""
    rig, seen = Rig((2, 1, 1)), []
    epochs = EpochControl(rig.owner)

    async def watch(moment, domains):
        assert epochs.current == domains
        seen.append((moment, domains, rig.owner.outside.now))

    for domains in wanted:
        del seen[:]
        change = rig.run(epochs.change(domains, watch=watch))
    return seen, change


def test_a_first_change_has_one_phase():
    seen, change = changed(OPEN)
    assert [(moment, domains) for moment, domains, _ in seen] == [
        (Moment.ACKNOWLEDGED, OPEN), (Moment.BALANCED, OPEN)]
    assert change.phases == 1


def test_what_both_allow_comes_before_the_new():
    seen, change = changed(CLOSED, OTHER)
    between = CLOSED & OTHER
    assert [(moment, domains) for moment, domains, _ in seen] == [
        (Moment.ACKNOWLEDGED, between), (Moment.BALANCED, between),
        (Moment.ACKNOWLEDGED, OTHER), (Moment.BALANCED, OTHER)]
    assert change.phases == 2
    assert change.refused == seen[0][2]
    assert change.finished == seen[-1][2]


@pytest.mark.parametrize("name", ["ROW", "COLUMN", "REACH"])
def test_a_node_that_has_other_tables_than_were_loaded_is_named(name):
    rig = Rig((2, 1, 1))
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(OPEN, revision=1))
    node = rig.machine.nodes[1]
    write = node.write

    def forgetful(register, index, value):
        return 0 if register == name else write(register, index, value)

    node.write = forgetful
    with pytest.raises(EpochError, match=r"Node 1: other tables than were loaded\. Change the domains again"):
        rig.run(epochs.change(CLOSED, revision=2))
    # What is in force there is not known; the next change begins with nothing, and loads all.
    assert epochs.current is None and epochs.sums is None
    node.write = write
    change = rig.run(epochs.change(OTHER, revision=3))
    assert change.phases == 2 and epochs.current == OTHER
    assert [each.read("TABLE_CRC", 0) for each in rig.machine.nodes] == epochs.sums
