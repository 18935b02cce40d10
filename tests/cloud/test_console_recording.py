"""Recordings of consoles: what is written is what other players play, and what is read is checked."""

import json
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khhw.cloud.consoles.recording import Event, Moment, Recording, events
from khhw.errors import RequestError
from tests.report.screens import HOSTILE, SEQUENCES


def test_what_was_recorded_is_there_with_cycles_and_times(tmp_path):
    ticks = count()
    with Recording(tmp_path / "a.cast", "con7", columns=80, rows=24, clock=lambda: next(ticks) / 4) as recording:
        recording.show("[3] ready\n", Moment(2, 12345))
        recording.show("alice: info\n")
        lines = [json.loads(line) for line in (tmp_path / "a.cast").read_text(encoding="utf-8").splitlines()]
        assert len(lines) == 4, "each line is in the file at once"
    header, *recorded = lines
    assert {"version": 2, "width": 80, "height": 24, "title": "con7"}.items() <= header.items()
    assert recorded == [[0.25, "m", "boot 2 cycle 12345"], [0.5, "o", "[3] ready\r\n"], [0.75, "o", "alice: info\r\n"]]
    assert list(events(tmp_path / "a.cast")) == [
        Event(0.5, "[3] ready\r\n", Moment(2, 12345)), Event(0.75, "alice: info\r\n")]


def test_a_recording_replaces_nothing(tmp_path):
    path = tmp_path / "a.cast"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(RequestError, match="is there already"):
        Recording(path, "con7", columns=80, rows=24)
    assert path.read_text(encoding="utf-8") == "precious"
    with pytest.raises(RequestError, match="cannot be recorded to: No such file"):
        Recording(tmp_path / "none" / "a.cast", "con7", columns=80, rows=24)


HEADER = '{"version": 2, "width": 80, "height": 24}\n'


def read(tmp_path, text):
    path = tmp_path / "x.cast"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(events(path))


def test_recordings_of_other_programs_are_read(tmp_path):
    text = HEADER + '[0.1, "i", "l"]\n[0.2, "o", "\\u001b[1;31mls\\r\\n"]\n[0.3, "r", "100x50"]\n' \
        '[1, "m", "chapter"]\n[2, "o", "end"]\n'
    assert read(tmp_path, text) == [Event(0.2, "\x1b[1;31mls\r\n"), Event(2, "end")]


def test_the_torn_end_of_a_killed_recording_is_left_out(tmp_path):
    whole = HEADER + '[0.2, "o", "a"]\n'
    assert read(tmp_path, whole + '[0.3, "o", "b') == [Event(0.2, "a")]


@pytest.mark.parametrize(("text", "message"), [
    ("", "is no recording: its first line"), ("{}\n", "is no recording"), ("[]\n", "is no recording"),
    ('{"version": 3, "term": {}}\n', "version 3; khhw reads version 2"), ("[" * 100_000 + "\n", "is no recording"),
    (HEADER + "no\n", "line 2: an event is"), (HEADER + '[0, "o"]\n', "line 2"), (HEADER + '[0, "o", 1]\n', "line 2"),
    (HEADER + '[2, "o", "a"]\n[1, "o", "b"]\n', "line 3"), (HEADER + '[NaN, "o", "a"]\n', "line 2"),
    (f'{HEADER}[1{"0" * 400}, "o", "a"]\n', "line 2"),
    (HEADER + '[Infinity, "o", "a"]\n', "line 2"), (HEADER + '[-1, "o", "a"]\n', "line 2"),
    (b"\xff\xfe\0\n", "is no recording")])
def test_what_is_no_recording_is_refused(tmp_path, text, message):
    with pytest.raises(RequestError, match=message):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"none\.cast cannot be read: No such file"):
        list(events(tmp_path / "none.cast"))
    with pytest.raises(RequestError, match="cannot be read: Is a directory"):
        list(events(tmp_path))


def as_json_has_it(text):
    """Two halves of a character are one."""
    return json.loads(json.dumps(text))


@settings(max_examples=20)
@given(st.lists(HOSTILE, max_size=4))
@example(["".join(SEQUENCES)])
def test_any_text_is_kept_as_it_was(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("casts") / "a.cast"
    with Recording(path, "con7", columns=80, rows=24) as recording:
        for text in texts:
            recording.show(text)
    assert [event.text for event in events(path)] == [as_json_has_it(text.replace("\n", "\r\n")) for text in texts]
    assert path.read_bytes().isascii()
