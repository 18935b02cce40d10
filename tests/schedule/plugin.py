"""What pytest does with recorded durations: it orders and groups tests by them, and notes new ones in its cache."""

import os
import time
from collections.abc import Iterator

import pytest

from khhw.build.cache import build_root
from khhw.build.simulator import BuildTime
from tests.schedule.durations import Durations, Took
from tests.schedule.order import groups, longest_first, mark

__all__ = ["NOTED", "pytest_collection_modifyitems", "pytest_configure", "pytest_runtest_makereport"]

NOTED = "khhw/durations"
"""Key of pytest's cache: seconds of wall and CPU by node id, of the last run of each test that passed."""

GROUP = "group:"
"""What the name of a group begins with, behind the ``@`` that xdist puts between a test and its group."""


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means, and note durations where reports of all workers arrive."""
    config.addinivalue_line("markers", "rare: runs in `make test-all`, not in `make test`: it costs much for what it "
                                       "alone covers")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Notes(config), "khhw-durations")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest first, and what shares a fixture on one worker, before xdist reads the groups (``--dist loadgroup``)."""
    durations = Durations.load()
    by_node = {item.nodeid: item for item in items}
    group = groups({node: _shared(item) for node, item in by_node.items()}, durations)
    items[:] = [by_node[node] for node in longest_first(list(by_node), group, durations)]
    for item in items:
        item.session.khhw_cpu = _cpu()  # type: ignore[attr-defined]
        item.add_marker(pytest.mark.xdist_group(GROUP + mark(group[item.nodeid])))


def _shared(item: pytest.Item) -> set[str]:
    """Fixtures of a module or class that a test uses; those of a session are cheap here."""
    info = getattr(item, "_fixtureinfo", None)
    found = set()
    for name, definitions in (info.name2fixturedefs if info else {}).items():
        if definitions[-1].scope in ("module", "class"):
            # One value of a fixture's parameters is one fixture.
            found.add(name + str(_parameter(item, name)))
    return found


def _parameter(item: pytest.Item, name: str) -> object:
    call = getattr(item, "callspec", None)
    return call.indices.get(name, "") if call else ""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add to each report what was used since the last one: CPU of this process and those it started, builds left out.
    """
    outcome = yield
    report = outcome.get_result()
    now = _cpu()
    cpu = now - getattr(item.session, "khhw_cpu", now)
    item.session.khhw_cpu = now  # type: ignore[attr-defined]
    built = _built(time.time() - report.duration) if report.duration > 1 else Took(0, 0)
    report.khhw_took = [max(0.0, report.duration - built.wall), max(0.0, cpu - built.cpu)]


def _cpu() -> float:
    """Seconds of CPU of this process and of those it started and waited for."""
    return sum((time.process_time(), *os.times()[2:4]))


def _built(since: float) -> Took:
    """What building simulators took since a time; others' builds too, so record where there is nobody else."""
    files = [file for kind in ("sim", "engine") for file in (build_root() / kind).glob("*/build-time.json")
             if file.stat().st_mtime >= since]
    times = [BuildTime.of(file.parent) for file in files]
    return sum((Took(t.wall_seconds, t.cpu_seconds) for t in times if t), Took(0, 0))


class _Notes:
    """Sums up the reports of each test, and keeps what passed."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.took: dict[str, Took] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Workers add the group to the name.
        node = report.nodeid.partition(f"@{GROUP}")[0]
        self.took[node] = self.took.get(node, Took(0, 0)) + Took(*getattr(report, "khhw_took", (0.0, 0.0)))
        if not report.passed:
            self.failed.add(node)

    def pytest_sessionfinish(self) -> None:
        cache = getattr(self.config, "cache", None)
        if cache is not None and self.took:
            new = {node: [took.wall, took.cpu] for node, took in self.took.items() if node not in self.failed}
            cache.set(NOTED, {**cache.get(NOTED, {}), **new})
