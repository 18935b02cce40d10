"""A scenario on the terminal: its events as they happen, and what came of it."""

from pathlib import Path

from rich.console import Console

from khhw.cloud.scenario.record import Happened
from khhw.report.cloud.page import Played
from khhw.report.cloud.words import event_line, sentences
from khhw.report.measurements.matrix import print_matrices
from khhw.report.show import plain, show
from khhw.report.terminal import print_verdict
from khhw.report.words import count, duration
from khhw.visible import visible

__all__ = ["print_event", "print_summary"]


def print_event(console: Console, event: Happened) -> None:
    """A line for an event that is over, and one for what of it was not as the scenario says."""
    line = plain(f"{event.cycle:>11,}  ", "dim")
    line.append(visible(event_line(event)))
    show(console, line)
    if event.fault:
        show(console, f"{'':13}{event.fault}", "bold red")


def print_summary(console: Console, played: Played, report: Path) -> None:
    """What came of it, and where its report is."""
    record, clock_hz = played.record, played.machine.host.clock_hz
    print_matrices(console, record.matrix)
    console.print()
    wrong = record.shortcomings
    print_verdict(
        console, f"{visible(played.scenario.name)}: {count(record.cycles, 'cycle')} "
        f"({duration(record.cycles, clock_hz)} at {clock_hz / 1e6:g} MHz) in {record.wall_seconds:.1f} s, seed "
        f"{played.seed}", passed=not wrong, below=[*wrong, *sentences(record)])
    console.print()
    show(console, f"report  {report}")
