"""What is said while a cloud's machine comes up."""

import io

from rich.console import Console

from khhw.report import coming_up
from khhw.report.coming_up import ComingUp


def shown(*events, terminal=False):
    file = io.StringIO()
    with ComingUp(8, Console(file=file, force_terminal=terminal, width=100)) as view:
        for event in events:
            view(event)
    return view, file


BUILT = ({"kind": "converting"}, {"kind": "built", "folder": "x"})


def test_plain_lines_where_there_is_no_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(coming_up, "_PLAIN_SECONDS", 0.0)
    build = {"kind": "building", "folder": str(tmp_path), "build": "build-nothing-like-it", "size": 1.0}
    _, file = shown(BUILT[0], build, BUILT[1], {"kind": "starting", "log": "machine.log"})
    lines = file.getvalue().splitlines()
    assert lines == [
        "converting the RTL, unless that was done before",
        "building the RTL; nothing like it was built on this machine, so nobody knows how long it takes",
        "built in 0 s; the simulator of 8 nodes starts", "starting for 0 s; machine.log says what it does"]


def test_a_line_now_and_then_and_not_for_each_look():
    _, file = shown(*BUILT, *[{"kind": "starting", "log": "machine.log"}] * 100)
    assert file.getvalue().splitlines()[1:] == ["built before; the simulator of 8 nodes starts"]


def test_a_machine_that_is_started_again_is_told_of_behind_that():
    view, file = shown(*BUILT, terminal=True)
    before = len(file.getvalue())
    for event in BUILT:
        view(event)
    assert "built before; the simulator of 8 nodes starts" in file.getvalue()[before:]
