"""What a lease has used of its nodes: differences of readings."""

from khhw.cloud.models import Reading
from khhw.cloud.stays import stays


def reading(tag, rank, moment, sent, boot=1):
    return Reading(tag=tag, rank=rank, lease_uuid="a lease", moment=moment, boot=boot, cycle=100 * tag,
                   counters={"own_sent_packets": sent})


def sent(readings):
    """By rank: what was sent in each stay, None of one without an end."""
    return [(stay.begin.rank, stay.used and stay.used["own_sent_packets"]) for stay in stays(readings)]


def test_what_was_used_is_the_end_less_the_begin_to_the_last_bit():
    assert sent([reading(1, 0, "begin", 5), reading(1, 1, "begin", 7), reading(2, 0, "end", (1 << 64) - 1),
                 reading(3, 0, "begin", (1 << 64) - 1)]) == [(0, (1 << 64) - 6), (1, None), (0, None)]


def test_a_node_that_is_emptied_and_stays_has_used_what_was_before_too():
    (stay,) = stays([reading(1, 0, "begin", 5), reading(2, 0, "begin", 8), reading(3, 0, "end", 9)])
    assert stay.used == {"own_sent_packets": 4} and (stay.begin.tag, stay.end.tag) == (1, 3)


def test_of_a_boot_that_ended_nobody_knows_what_was_used():
    assert sent([reading(1, 0, "begin", 500), reading(2, 0, "begin", 0, boot=2), reading(3, 0, "end", 3, boot=2)]) == [
        (0, None), (0, 3)]
