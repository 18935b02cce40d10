"""The reports of measurements, found by the measurements' names."""

from collections.abc import Iterable
from pathlib import Path

from khhw.machine.lookup import find_class, find_measurement
from khhw.machine.measurements import NAMES
from khhw.machine.results import Results
from khhw.report.measurement import MeasurementReport
from khhw.report.measurements.unknown import UnknownReport

__all__ = ["find_report", "reports"]

_HOW = "name its machine file with --file to have its module looked for beside it"


def reports(runs: Iterable[Results] = (), modules: Path | None = None) -> dict[str, MeasurementReport]:
    """Reports of khhw's measurements, then of those of one's own that runs hold records of; by name.

    Parameters
    ----------
    runs : iterable of Results
    modules : Path, optional
        Where modules of one's own are looked for, with the Python path. Without it none are imported: who sends
        results chooses the names in them.
    """
    names = dict.fromkeys([*NAMES, *(each.measurement for run in runs for each in run.results.own)])
    return {name: find_report(name, modules) for name in names}


def find_report(name: str, modules: Path | None = None) -> MeasurementReport:
    """The report of one measurement; of one whose module is not found, one that shows records as they are.

    Parameters
    ----------
    name : str
        The measurement's.
    modules : Path, optional
        See :func:`reports`.
    """
    if modules is None and name not in NAMES:
        return UnknownReport(name, _HOW)
    folder = modules or Path()
    try:
        made = find_class(find_measurement(name, folder).report, folder)()
    except LookupError as error:
        return UnknownReport(name, str(error))
    return made if isinstance(made, MeasurementReport) else UnknownReport(
        name, f"{type(made).__name__} is no MeasurementReport")
