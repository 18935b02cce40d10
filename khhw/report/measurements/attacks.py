"""Attacks: a table of them, on the terminal and on the page."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from khhw.machine.results import Attack, Results, RunRecord
from khhw.report import html
from khhw.report.change import Change, Judgement
from khhw.report.compare.attacks import attack_changes, attack_facts, attack_words
from khhw.report.compare.pair import Pair
from khhw.report.html import escape
from khhw.report.measurement import MeasurementReport
from khhw.report.show import plain
from khhw.report.words import count

__all__ = ["AttacksReport"]

_COUNTS = {"tried": "tried", "refused": "refused", "harmless": "made harmless", "delivered": "delivered"}
"""What is counted of an attack, and what readers call it."""


class AttacksReport(MeasurementReport):
    """What hostile software tried."""

    title = "Attacks"

    def measured(self, phase: str, record: RunRecord) -> str:
        """How many, and what they came to."""
        return f"{count(len(record.attacks), 'attack')}, {_sums(record.attacks)}"

    def verdict(self, results: Results) -> list[str]:
        """How many were held."""
        found = results.results.attacks
        return [f"{count(len(found), 'attack')} held, {count(sum(a.delivered for a in found), 'packet')} delivered "
                "where none may be"] if found else []

    def section(self, results: Results, figures: Sequence[str]) -> list[str]:
        """Sums, and a row an attack."""
        attacks = results.results.attacks
        if not attacks:
            return []
        held = sum(attack.passed for attack in attacks)
        text = f"{held} of {count(len(attacks), 'attack')} held: {_sums(attacks)} where none may be."
        rows = [[escape(attack.name), *(f"{getattr(attack, name):,}" for name in _COUNTS),
                 escape(attack.where) + (f"<br>Expected: {escape(attack.expected)}" if attack.expected else ""),
                 html.verdict(attack.passed, "held" if attack.passed else "not held")] for attack in attacks]
        return [f"<p>{escape(text)}</p>", html.table(
            ["attack", *_COUNTS.values(), "where and why", "result"], rows, numbers=(1, 2, 3, 4), stack=True)]

    def print(self, console: Console, results: Results) -> None:
        """A line an attack."""
        if results.results.attacks:
            console.print()
            console.print(_table(results.results.attacks))

    def changes(self, pair: Pair) -> list[Change]:
        """Counts of attacks that both tried."""
        return attack_changes(pair)

    def facts(self, pair: Pair) -> dict[str, list[str]]:
        """What only one of them held, or tried."""
        return attack_facts(pair)

    def words(self, pair: Pair, judged: Sequence[Judgement]) -> list[str]:
        """What was held in one run only, and whose counts are not the same."""
        return attack_words(pair, judged)


def _table(attacks: Sequence[Attack]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("attack")
    for name in _COUNTS.values():
        table.add_column(name, justify="right")
    table.add_column("where and why")
    table.add_column("")
    for attack in attacks:
        where = "; ".join(part for part in (attack.where, attack.expected) if part)
        result = Text("held", style="green") if attack.passed else Text("NOT HELD", style="bold red")
        table.add_row(plain(attack.name), *(str(getattr(attack, name)) for name in _COUNTS), plain(where), result)
    return table


def _sums(attacks: Sequence[Attack]) -> str:
    """All attacks together, in numbers."""
    tried, refused, harmless, delivered = (sum(getattr(attack, name) for attack in attacks) for name in _COUNTS)
    return f"{count(tried, 'attempt')}, {refused:,} refused, {harmless:,} made harmless, {delivered:,} delivered"
