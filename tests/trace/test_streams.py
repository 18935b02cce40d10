"""Bytes of a stream from its segments, however they came."""

from typing import Any

from khhw.trace.streams import Direction, entries_of


def direction(*pieces: tuple[int, bytes, Any]) -> Direction:
    return Direction(1, 0, 7, 1000, list(pieces))


def test_bytes_are_in_order_and_sent_once() -> None:
    sent, starts = direction((3, b"def", "b"), (0, b"abc", "a"), (3, b"def", "again"), (5, b"fgh", "c")).bytes_sent()
    assert (sent, starts) == (b"abcdefgh", [(0, "a"), (3, "b"), (6, "c")])


def test_what_follows_a_gap_is_not_known() -> None:
    assert direction((0, b"abc", "a"), (4, b"e", "b")).bytes_sent() == (b"abc", [(0, "a")])


def test_packets_of_a_range() -> None:
    starts: Any = [(0, "a"), (3, "b"), (6, "c")]
    assert list(entries_of(starts, 0, 3)) == ["a"]
    assert list(entries_of(starts, 2, 4)) == ["a", "b"]
    assert list(entries_of(starts, 6, 9)) == ["c"]
