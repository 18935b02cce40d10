"""What a run of testbench cases came to, from the file that cocotb leaves."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["NO_CASE", "CaseResult", "RunResult", "read_results"]

NO_CASE = "no case ran"
"""The error of a run that ended well, and had no case that was asked for."""

UNITS_NS = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "sec": 1e9}


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """One case.

    Parameters
    ----------
    name : str
        Its name, parameters included.
    passed, skipped : bool
        What became of it.
    seconds : float
        Wall-clock time.
    simulated_ns : float
        Simulated time.
    message : str
        Why it failed: type and text of the exception.
    detail : str
        The traceback.
    """

    name: str
    passed: bool
    skipped: bool = False
    seconds: float = 0.0
    simulated_ns: float = 0.0
    message: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """One run of a simulator.

    Parameters
    ----------
    cases : tuple of CaseResult
        In the order they ran.
    error : str
        What is wrong with the run as a whole: no results, an exit code, a time limit. Empty if nothing is.
    folder : pathlib.Path
        Working directory of the run.
    log : pathlib.Path
        The simulator's output.
    waves : pathlib.Path or None
        Waveform file, if one was asked for.
    seed : int
        Of all random choices.
    source_locations : pathlib.Path or None
        Of a run that counted coverage, where in the source its Verilog comes from.
    """

    cases: tuple[CaseResult, ...]
    error: str
    folder: Path
    log: Path
    seed: int
    waves: Path | None = None
    source_locations: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether something ran and all of it passed."""
        return not self.error and any(not c.skipped for c in self.cases) and all(c.passed for c in self.cases)


def read_results(file: Path) -> tuple[tuple[CaseResult, ...], str]:
    """Cases in a results file, and what is wrong with the file itself: a missing one is a failure."""
    if not file.is_file():
        return (), "the simulator ended without writing results"
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        return (), f"the simulator ended while writing results ({error})"
    cases = tuple(_case(element) for element in root.iter("testcase"))
    return cases, "" if cases else NO_CASE


def _case(element: ElementTree.Element) -> CaseResult:
    failure = next((found for kind in ("failure", "error") if (found := element.find(kind)) is not None), None)
    properties = {p.get("name"): p.get("value") for p in element.iter("property")}
    unit = UNITS_NS.get(properties.get("sim_time_unit") or "ns", 1.0)
    simulated = float(properties.get("sim_time_duration") or 0) * unit
    kind = "" if failure is None else failure.get("type") or ""
    text = "" if failure is None else failure.get("message") or ""
    return CaseResult(
        name=element.get("name") or "", passed=failure is None, skipped=element.find("skipped") is not None,
        seconds=float(element.get("time") or 0), simulated_ns=simulated,
        message=": ".join(part for part in (kind, text) if part),
        detail="" if failure is None else failure.text or "",
    )
