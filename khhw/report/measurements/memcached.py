"""memcached over the four calls."""

from collections.abc import Sequence

from rich.console import Console

from khhw.machine.results import Results, RunRecord
from khhw.report.change import Change, Judgement
from khhw.report.compare.memcached import memcached_assumed, memcached_changes, memcached_words
from khhw.report.compare.memcached_pictures import memcached_pictures as compared_pictures
from khhw.report.compare.pair import Pair
from khhw.report.measurement import MeasurementReport
from khhw.report.memcached.lines import print_memcached
from khhw.report.memcached.pictures import memcached_pictures
from khhw.report.memcached.section import memcached_blocks
from khhw.report.picture import Picture
from khhw.report.words import count

__all__ = ["MemcachedReport"]


class MemcachedReport(MeasurementReport):
    """GETs and SETs, by TCP and by RDMA."""

    title = "memcached over the four calls"
    short = "memcached"
    headed = True

    def measured(self, phase: str, record: RunRecord) -> str:
        """Operations and errors of the phase."""
        points = [point for point in record.memcached if point.phase == phase]
        return (f"{sum(point.ops for point in points):,} memcached operations measured, "
                f"{sum(point.errors for point in points)} errors")

    def verdict(self, results: Results) -> list[str]:
        """Operations and errors of all phases."""
        points = results.results.memcached
        return [f"{sum(point.ops for point in points):,} memcached operations, "
                f"{count(sum(point.errors for point in points), 'error')}"] if points else []

    def pictures(self, results: Results) -> list[Picture]:
        """Each that there is data for."""
        return memcached_pictures(results)

    def section(self, results: Results, figures: Sequence[str]) -> list[str]:
        """What was found, the pictures, and every measurement in a table."""
        return memcached_blocks(results, figures)

    def print(self, console: Console, results: Results) -> None:
        """A short table, and the result in words."""
        if results.results.memcached:
            console.print()
            print_memcached(console, results)

    def changes(self, pair: Pair) -> list[Change]:
        """Latencies, rates and software time."""
        return memcached_changes(pair)

    def assumed(self, pair: Pair) -> list[str]:
        """Intervals are those of batch means."""
        return memcached_assumed(pair)

    def words(self, pair: Pair, judged: Sequence[Judgement]) -> list[str]:
        """By call and operation, and who wins."""
        return memcached_words(pair, judged)

    def compared_pictures(self, pair: Pair) -> list[Picture]:
        """Each that both have data for."""
        return compared_pictures(pair)
