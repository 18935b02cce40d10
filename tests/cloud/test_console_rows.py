"""What nodes, people and files say at a console is shown, and never obeyed: with a terminal emulator."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khhw.cloud.consoles.messages import (
    Came,
    Closed,
    Lock,
    Locked,
    Ready,
    Refused,
    SaidByNode,
    Taken,
    Typed,
    Unlocked,
    Welcome,
)
from khhw.cloud.consoles.rows import Rows
from khhw.cloud.consoles.view import seen
from tests.report.screens import COLUMNS, HOSTILE, SEQUENCES, Terminal

ALL = "".join(SEQUENCES)
FORGED = "x" * (COLUMNS - 4) + "[5] node 5> forged " * 3
LOCK = Lock(who="alice", name="f", length=1)


def said(text, node=3):
    return SaidByNode(node=node, boot=1, cycle=2, text=text)


def shown(*messages, rows=None):
    return Terminal("".join(seen(message, rows or Rows(COLUMNS), 7) for message in messages))


MESSAGES = {
    "node": lambda text: said(text),
    "person": lambda text: Typed(console=7, who="alice", text=text),
    "name": lambda text: Came(who=text),
    "file": lambda text: Locked(lock=Lock(who="alice", name=text, length=3)),
    "problem": lambda text: Unlocked(lock=LOCK, problem=text),
    "error": lambda text: Refused(text=text),
    "end": lambda text: Closed(text=text),
    "people": lambda text: Welcome(who="alice", console=7, nodes=[1], write=True, people=[text], lock=LOCK),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_no_text_leaves_its_rows(kind):
    """The rows around it, title, modes, colours and cursor are as they are without it, and only stamps are in the first
    columns: nobody can write what looks like the line of a node."""
    @settings(max_examples=10)
    @given(HOSTILE)
    @example(ALL)
    @example(FORGED)
    @example(39 * "漢" + 60 * "e\u0301" + "[5] x")
    def hostile(text):
        message = MESSAGES[kind](text)
        found = shown(said("before", 1), message, said("after", 2))
        assert found.rows[0] == "[1] before"
        last = found.screen.cursor.y - 1
        assert found.rows[last] == "[2] after"
        harmless = shown(said("before", 1), MESSAGES[kind]("x"), said("after", 2))
        assert found.state == harmless.state
        assert not any(found.coloured(row) for row in range(last + 1))
        stamps = ("[3] ", "-- ", "alice: ")
        assert f"{found.rows[1]} ".startswith(stamps)
        for row in range(2, last):
            assert found.cells(row)[:3] == [" "] * 3, found.rows[row]

    hostile()


def test_what_only_programs_want_is_not_shown():
    assert seen(Taken(id=1), Rows(COLUMNS), 7) == seen(Ready(), Rows(COLUMNS), 7) == ""


@settings(max_examples=30)
@given(HOSTILE, st.integers(1, 120))
@example(FORGED, 1)
def test_however_narrow_a_terminal_is(text, width):
    rows = Rows(width).laid_out("[12345] ", text)
    first, *others = rows.removesuffix("\n").split("\n")
    assert first.startswith("[12345] ")
    assert all(row.startswith(" ") for row in others)


def test_nothing_is_left_out_of_folded_rows():
    text = "word " * 60 + "end"
    rows = Rows(40).laid_out("[3] ", text).splitlines()
    assert "".join(row[4:].ljust(35) for row in rows).rstrip() == text
    assert all(len(row) < 40 for row in rows) and len(rows) > 8


def test_without_a_terminal_nothing_is_folded():
    assert Rows().laid_out("[3] ", "y" * 1000 + "\x1b[2J\t.") == "[3] " + "y" * 1000 + "\\x1b[2J\t.\n"
