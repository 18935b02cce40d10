"""The text protocol without a machine, against what memcached 1.6.18 answers."""

import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.kernels.memcached.answers import Value
from khhw.node import Work
from tests.memcached.record import recorded, shortened
from tests.memcached.sequences import ALL, DIFFERENCES, Steps, generate, play
from tests.memcached.servers import Here, real_memcached

RECORDED = recorded()


@pytest.mark.parametrize("steps", ALL, ids=lambda steps: steps.name)
def test_answers_are_those_of_the_original(steps):
    ours = shortened(play(steps, Here().ask))
    assert (ours != RECORDED[steps.name]) == (steps.name in DIFFERENCES)


def test_there_are_sequences_enough_and_all_have_a_name_of_their_own():
    assert len(ALL) == len({steps.name for steps in ALL}) >= 200


if shutil.which("memcached"):

    def test_random_sequences_get_the_answers_of_the_memcached_installed_here(seed):
        with real_memcached() as ask:
            for number in range(1000 * seed, 1000 * seed + 150):
                steps = generate(number, 20)
                assert play(steps, Here().ask) == play(steps, ask), steps


@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_answers_do_not_depend_on_how_bytes_come(number, cuts):
    steps = generate(number)
    text = b"".join(part.replace(b"{cas:", b"{") for part in steps.sends)
    whole, pieces, choose = Here(), Here(), random.Random(cuts)
    at_once = whole.feed(text)
    one_by_one = b""
    while text:
        count = choose.choice((1, 2, 3, 17, 300))
        one_by_one += pieces.feed(text[:count])
        text = text[count:]
    assert one_by_one == at_once


@pytest.mark.parametrize(
    "steps", [s for s in ALL if sum(map(len, s.sends)) < 3000 and not s.closes], ids=lambda steps: steps.name)
def test_hand_picked_sequences_do_not_depend_on_how_bytes_come(steps):
    here = Here()

    def ask(data):
        return b"".join(here.ask(data[place:place + 1]) for place in range(len(data)))

    assert play(steps, ask) == play(steps, Here().ask)


class TestExpiry:
    """Seconds are cycles."""

    def test_an_item_is_there_until_its_time_has_come(self):
        here = Here()
        second = here.store.clock.hz
        here.feed(b"set a 0 2 1\r\nx\r\n")
        here.now += 2 * second - 1
        assert here.feed(b"get a\r\n") == b"VALUE a 0 1\r\nx\r\nEND\r\n"
        here.now += 1
        assert here.feed(b"get a\r\n") == b"END\r\n"

    def test_touch_gives_more_time(self):
        here = Here()
        here.feed(b"set a 0 2 1\r\nx\r\ntouch a 5\r\n")
        here.now += 4 * here.store.clock.hz
        assert here.feed(b"get a\r\n").startswith(b"VALUE")

    def test_a_late_flush_takes_what_is_there_then(self):
        here = Here()
        here.feed(b"set a 0 0 1\r\nx\r\nflush_all 3\r\nset b 0 0 1\r\ny\r\n")
        here.now += 3 * here.store.clock.hz - 1
        assert here.feed(b"get a b\r\n").count(b"VALUE") == 2
        here.now += 1
        assert here.feed(b"get a b\r\n") == b"END\r\n"
        assert here.feed(b"set a 0 0 1\r\nx\r\nget a\r\n").count(b"VALUE") == 1


class TestConnection:
    """What a connection leaves behind."""

    def test_a_client_that_is_lost_inside_a_value_leaves_nothing(self):
        here = Here()
        here.feed(b"set a 0 0 10\r\nold4567890\r\n")
        before = here.store.used
        here.feed(b"set a 0 0 100000\r\nabc")
        assert here.store.used > before
        here.session.lost()
        assert here.store.used == before
        assert here.ask(b"get a\r\n") == b"VALUE a 0 10\r\nold4567890\r\nEND\r\n"

    def test_a_value_on_its_way_is_not_overwritten(self):
        here = Here()
        here.feed(b"set a 0 0 5000\r\n" + b"o" * 5000 + b"\r\n")
        answers = here.session.feed(b"get a\r\n")
        (value,) = [part for part in answers if isinstance(part, Value)]
        here.feed(b"set a 0 0 5000\r\n" + b"n" * 5000 + b"\r\nflush_all\r\n")
        here.feed(b"set b 0 0 5000\r\n" + b"n" * 5000 + b"\r\n")
        assert here.store.read(value.item) == b"o" * 5000
        here.session.sent(answers)

    def test_a_line_without_end_closes_before_it_fills_memory(self):
        here = Here()
        assert here.session.feed(b"get " + b"x " * 40_000) == []
        assert here.session.closed


@pytest.mark.parametrize(("digits", "answer"), [
    (b"9" * 5000, b"CLIENT_ERROR cannot increment or decrement non-numeric value"),
    (b"0" * 4999 + b"5", b"6"),
    (b"0" * 25 + b"18446744073709551615", b"0"),
    (b"18446744073709551616", b"CLIENT_ERROR cannot increment or decrement non-numeric value"),
])
def test_more_digits_than_a_number_has_are_none(digits, answer):
    """The answers of memcached 1.6.18."""
    here = Here()
    assert here.feed(b"set k 0 0 %d\r\n%b\r\nincr k 1\r\n" % (len(digits), digits)) == b"STORED\r\n%b\r\n" % answer
    assert here.feed(b"incr k " + b"9" * 5000 + b"\r\n") == b"CLIENT_ERROR invalid numeric delta argument\r\n"


def test_headers_of_an_answer_are_charged_once_each():
    here = Here()
    here.feed(b"set a 0 0 5\r\n12345\r\n")
    here.store.work.clear()
    here.feed(b"get" + b" a" * 50 + b"\r\n")
    assert here.store.work[Work.FORMAT] == 50 * len(b"VALUE a 0 5\r\n")


def test_stats_count():
    here = Here()
    here.feed(b"set a 0 0 1\r\nx\r\nget a b\r\nincr a 1\r\ndelete b\r\ntouch a 0\r\n")
    lines = dict(line.split()[1:] for line in here.feed(b"stats\r\n").splitlines() if line.startswith(b"STAT"))
    counted = {name: int(lines[name]) for name in (b"cmd_get", b"cmd_set", b"get_hits", b"get_misses", b"incr_hits",
                                                   b"delete_misses", b"touch_hits", b"curr_items", b"total_items")}
    assert list(counted.values()) == [2, 1, 1, 1, 1, 1, 1, 1, 1]
    assert int(lines[b"bytes"]) == here.store.used


def test_steps_are_hashable_and_repeatable():
    assert generate(5) == generate(5) != generate(6)
    assert isinstance(generate(5), Steps)
