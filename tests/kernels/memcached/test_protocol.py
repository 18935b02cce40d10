"""The text protocol without a machine, against what memcached 1.6.18 answers."""

import random
import shutil
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khhw.kernels.memcached.answers import Value
from khhw.kernels.memcached.commands import LONG_LINES
from khhw.kernels.memcached.protocol import Session
from khhw.node import Work
from tests.kernels.memcached.record import recorded, shortened
from tests.kernels.memcached.sequences import ALL, DIFFERENCES, Steps, generate, play
from tests.kernels.memcached.servers import Here, real_memcached

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
        return b"".join(here.ask(data[index:index + 1]) for index in range(len(data)))

    assert play(steps, ask) == play(steps, Here().ask)


LONG = [steps for steps in ALL if steps.closes or max(map(len, steps.sends)) > 2048]


@pytest.mark.parametrize("steps", LONG, ids=lambda steps: steps.name)
@settings(max_examples=5)
@given(st.integers(0, 1 << 32))
def test_long_lines_and_the_end_do_not_depend_on_how_bytes_come(steps, cuts):
    text, choose = b"".join(steps.sends), random.Random(cuts)
    whole, pieces = Here(), Here()
    at_once = whole.feed(text)
    ends = sorted(choose.choices((2048, 2049, 2050, 16_383, 16_384, choose.randrange(len(text))), k=4))
    in_pieces = b"".join(pieces.feed(text[begin:end]) for begin, end in pairwise([0, *ends, len(text) + 16_384]))
    assert (in_pieces, pieces.session.closed) == (at_once, whole.session.closed)
    assert (whole.session.closed or whole.session.hurried) == steps.closes


@pytest.mark.parametrize("page", [b"POST / HTTP/1.1\r\n", b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\n"])
def test_nothing_of_what_a_web_page_posts_is_obeyed(page):
    here = Here()
    posted = page + b"Host: localhost\r\n\r\nset a 0 0 1\r\nx\r\nquit\r\n"
    assert b"".join(here.feed(posted[index:index + 1]) for index in range(len(posted))) == b""
    assert here.session.closed
    assert here.ask(b"get a\r\n") == b"END\r\n"


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

    def test_an_answer_of_many_values_holds_few_of_them(self):
        here = Here()
        here.feed(b"set a 0 0 1000\r\n" + b"v" * 1000 + b"\r\n")
        answers = here.session.feed(b"get " + b"a " * 10_000 + b"\r\n")
        held = sum(len(part) for part in answers if isinstance(part, bytes))
        assert held < (64 << 10) + 10_000 * len(b"VALUE a 0 1000\r\n\r\n") + 1000
        text = b"".join(here.store.read(part.item) if isinstance(part, Value) else part for part in answers)
        assert text == (b"VALUE a 0 1000\r\n" + b"v" * 1000 + b"\r\n") * 10_000 + b"END\r\n"
        here.session.sent(answers)

    def test_lines_of_many_keys_fill_no_more_memory_than_all_connections_may(self):
        here = Here()
        many = b"get " + b"x " * (LONG_LINES // 4)
        other = Session(here.commands)
        assert here.session.feed(many) == other.feed(many) == []
        assert other.feed(b"x" * (16 << 10)) == []
        assert here.session.feed(b"x" * (32 << 10)) == [b"SERVER_ERROR out of memory reading request\r\n"]
        assert here.session.closed and not other.closed
        here.session.lost()
        assert Session(here.commands).feed(many) == []
        assert other.feed(b"\r\n") == [b"CLIENT_ERROR bad command line format\r\n"]
        other.lost()
        assert here.commands.long_lines == len(many) - (16 << 10), "what ended, or was lost, counts no more"


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
