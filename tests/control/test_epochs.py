"""Changes of domains on the reference machine: who watches is told of every phase."""

from khhw.control.changes import Moment
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
