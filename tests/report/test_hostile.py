"""What a node, a client or a file says is shown on terminals and pages, and never obeyed: with a terminal emulator."""

import io
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from rich.console import Console

from khhw.commands.output import in_ascii
from khhw.commands.serve import _View
from khhw.machine.results import Attack, ConsoleLine
from khhw.report.live import LiveView
from khhw.report.page import page
from khhw.report.terminal import print_summary
from khhw.visible import visible
from tests.report.screens import COLUMNS, HOSTILE, SEQUENCES, Terminal, check
from tests.report.synthetic import synthetic_results

ALL = "".join(SEQUENCES)


def console(terminal=True):
    return Console(file=io.StringIO(), force_terminal=terminal, width=COLUMNS, highlight=False, legacy_windows=False)


@given(HOSTILE)
@example(ALL)
@example("\u0301x")
@example("x\ud7fc\ud7c7")
def test_what_is_visible_is_printable_and_stays_as_it_is(text):
    shown = visible(text)
    assert visible(shown) == shown
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in shown if c != "\t")
    assert not re.search("[\u0300-\u036f]{5}", shown)
    assert not unicodedata.combining((shown or "x")[0])
    assert visible(text, lines=True).count("\n") == text.count("\n")
    shown.encode()


@pytest.mark.parametrize(("text", "shown"), [
    ("plain", "plain"), ("größe é 漢 👩", "größe é 漢 👩"), ("a\tb", "a\tb"), ("\x1b[2J\r", r"\x1b[2J\r"),
    ("\x9b", r"\x9b"), ("a\nb", r"a\nb"),
    ("\u202eevil", r"\u202eevil"), ("\udc80", r"\x80"), ("\U000e0041", r"\U000e0041"),
    ("\x7f", r"\x7f"),
])
def test_plain_text_stays_and_all_else_is_written(text, shown):
    assert visible(text) == shown


def live(text, terminal):
    """What a run prints while a node says `text` between two others."""
    where = console(terminal)
    with LiveView(8, where, "a run") as view:
        view({"kind": "built", "seconds": 1})
        for node, said in ((1, "before"), (3, f"node 3> {text}"), (2, "after")):
            view({"kind": "console", "cycle": 100, "node": node, "text": said})
    return where.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_node_cannot_leave_its_line_of_a_run(terminal):
    @settings(deadline=None, max_examples=15)
    @given(HOSTILE)
    @example(ALL)
    @example("\u0301")
    def hostile(text):
        check(live(text, terminal), live("x", terminal), f"  {100:>9,}  node 3>        ")

    hostile()


def served(event, text, terminal):
    where = console(terminal)
    view = _View({}, False, lambda _now, _before: "")
    view._console, view._status = where, None
    for each in ({"kind": "console", "node": 1, "text": "error: before"}, event(text),
                 {"kind": "console", "node": 2, "text": "error: after"}):
        view(each)
    return where.file.getvalue()


@pytest.mark.parametrize(("event", "stamp"), [
    (lambda text: {"kind": "console", "node": 3, "text": f"node 0> error: {text}"}, "[3] node 0> error:"),
    (lambda text: {"kind": "client", "name": "127.0.0.1:9", "problem": text}, "client 127.0.0.1:9:"),
])
def test_nobody_can_leave_their_line_of_a_served_machine(event, stamp):
    @settings(deadline=None, max_examples=15)
    @given(HOSTILE)
    @example(ALL)
    def hostile(text):
        check(served(event, text, True), served(event, "x", True), stamp)

    hostile()


def test_the_end_of_a_run_obeys_no_text():
    def summary(text):
        where = console()
        results = synthetic_results(name=f"name {text}", state="failed", message=text)
        results.results.attacks.append(Attack(name=f"attack {text}", tried=1, delivered=1, refused=0, where=text,
                                              expected=text, passed=False))
        print_summary(results, Path(f"folder{text}") / "report.html", source=f"machine{text}.toml", console=where)
        return where.file.getvalue()

    wanted = Terminal(summary("x"))
    for sequence in (ALL, "\x1b[2J", "[red]", "[/]", "\r"):
        printed = summary(sequence)
        assert Terminal(printed).state == wanted.state, sequence
        assert not set(printed) & set("\r\b\0\x07\x9b\x9d\u202e\u200b"), sequence
    assert ":skull:" in summary(":skull:")


class Reader(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, len(attributes)))

    def handle_data(self, data):
        self.text.append(data)


@settings(deadline=None, max_examples=15)
@given(HOSTILE)
@example(ALL)
def test_a_page_holds_text_as_visible_text(text):
    def written(said):
        results = synthetic_results(message=said, state="failed")
        results.results.console.append(ConsoleLine(cycle=1, node=3, text=said))
        return page(results, [], f"khhw run {said}")

    text = text.encode(errors="replace").decode()  # As JSON keeps it; a file name may be anything.
    found = Reader(written(text))
    assert found.tags == Reader(written("x")).tags
    assert visible(text, lines=True) in found.text if text.strip() else True
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in written(text) if c not in "\n\t")


@given(HOSTILE)
def test_printed_json_is_ascii_and_means_the_same(text):
    values = {"a": text.encode(errors="replace").decode(), "b": [1.5, None]}
    shown = in_ascii(json.dumps(values, ensure_ascii=False, indent=1))
    assert json.loads(shown) == values
    assert re.fullmatch(r"[\n -~]*", shown)
