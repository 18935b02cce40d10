"""``report.html`` of a scenario: a page that needs nothing but itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from khhw._version import __version__
from khhw.cloud.scenario.file import Scenario
from khhw.cloud.scenario.record import Record
from khhw.machine.file import MachineFile
from khhw.report import html
from khhw.report.cloud.pictures import pictures
from khhw.report.cloud.words import event_line, sentences
from khhw.report.html import escape
from khhw.report.page import transcript
from khhw.report.picture import Picture
from khhw.report.words import count, duration, si

__all__ = ["Played", "write_page"]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A scenario, and what came of it.

    Parameters
    ----------
    scenario : Scenario
    machine : MachineFile
        Its machine.
    engine : str
        What simulated it.
    seed : int
    command : str
        What plays it again.
    record : Record
    """

    scenario: Scenario
    machine: MachineFile
    engine: str
    seed: int
    command: str
    record: Record


def write_page(played: Played, folder: Path) -> Path:
    """Write ``report.html`` and, beside it, every picture as PNG with its numbers as CSV; returns the page."""
    drawn = [(picture, picture.save(folder)) for picture in pictures(
        played.record, played.machine.nodes, played.machine.host.clock_hz)]
    path = folder / "report.html"
    path.write_text(_page(played, drawn), encoding="utf-8")
    return path


def _page(played: Played, drawn: Sequence[tuple[Picture, Path]]) -> str:
    record, name = played.record, played.scenario.name
    leases = [html.figure(picture, png) for picture, png in drawn if picture.name == "leases"]
    matrices = [html.figure(picture, png, narrow=True) for picture, png in drawn if picture.name != "leases"]
    about = ("<p>All nodes that were rented sent to all nodes, and told from whom packets came, as hardware had "
             "stamped them. <em>Configured</em> is what the service had told the machine.</p>")
    sections = [
        html.section("Who had which node", *leases),
        html.section("Who reached whom", *([about] if matrices else []), *matrices),
        html.section("What happened", _events(record)),
        html.section("Console", *transcript(record.console)),
        html.section("To make it again", f"<pre>{escape(played.command)}</pre>",
                     "<p>The same seed gives the same cycles. <code>scenario.json</code> beside this page holds "
                     "everything shown here.</p>"),
    ]
    body = (f"<h1>{escape(name)}</h1>\n{_verdict(record)}\n{html.facts(_facts(played))}\n{''.join(sections)}")
    return html.document(name, body, __version__)


def _verdict(record: Record) -> str:
    wrong = record.shortcomings
    verdict = (html.verdict(False, "Failed.") + f" {escape(wrong[0])}" if wrong else
               html.verdict(True, "Passed.") + " All was as the scenario says.")
    return (f'<p class="verdict">{verdict}</p>' + "".join(f"\n<p>{escape(line)}</p>" for line in wrong[1:])
            + "\n<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences(record)) + "</ul>")


def _facts(played: Played) -> list[tuple[str, str]]:
    record, host = played.record, played.machine.host
    return [
        ("torus", " x ".join(map(str, played.machine.torus.shape))), ("cycles", f"{record.cycles:,}"),
        ("simulated", duration(record.cycles, host.clock_hz)), ("clock", si(host.clock_hz, "Hz")),
        ("changes", str(len(record.changes))), ("simulator", f"{record.wall_seconds:.1f} s, {played.engine}"),
        ("seed", str(played.seed)), ("khhw", __version__),
    ]


def _events(record: Record) -> str:
    rows = [[f"{event.cycle:,}", escape(event_line(event) + (f"; {event.fault}" if event.fault else ""))]
            for event in record.events]
    return html.table(["cycle", f"{count(len(rows), 'event')}"], rows, numbers=[0])
