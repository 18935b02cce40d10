"""What commands print that run a machine until they are stopped: lines, and on a terminal figures that stay last."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from khhw.visible import visible

if TYPE_CHECKING:
    from khhw.sim.process import ProcessResult

__all__ = ["ServingView", "rates", "stopped"]


class ServingView:
    """Prints events of a machine that serves; a context manager.

    Parameters
    ----------
    parameters : dict
        Of the machine, for what is printed as JSON.
    as_json : bool
        Print JSON objects, and nothing else.
    figures : callable (dict, dict) -> str
        A line of the figures now, and those the last time.
    """

    def __init__(
        self, parameters: dict[str, Any], as_json: bool, figures: Callable[[dict[str, Any], dict[str, Any]], str],
    ) -> None:
        from rich.console import Console
        from rich.status import Status

        self._parameters = parameters
        self._json = as_json
        self._figures = figures
        self._console = Console(highlight=False)
        terminal = self._console.is_terminal and not as_json
        self._status = Status("", console=self._console, refresh_per_second=2) if terminal else None
        self._before: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, text: str) -> None:
        """Print lines."""
        from khhw.report.show import show

        show(self._console, text)

    def __call__(self, event: dict[str, Any]) -> None:
        """An event of :data:`khhw.machine.machine.OnReport`, ``serving``, or another one of the command's own."""
        kind = event["kind"]
        if kind == "debugger":
            self._debugged(event["stopped"])
        elif self._json:
            if kind == "serving":
                self.show_object(self.announcement(event))
        elif kind == "progress":
            self.progress(event)
        elif (line := self.line(event)) is not None:
            self.show(line)

    def announcement(self, serving: dict[str, Any]) -> dict[str, Any]:
        """What is said as JSON when the machine serves."""
        return {key: value for key, value in serving.items() if key != "kind"}

    def line(self, event: dict[str, Any]) -> str | None:
        """An event in words; None if nobody need know."""
        match event["kind"]:
            case "building":
                from khhw.build.progress import Begun
                from khhw.report.progress import build_in_words

                return build_in_words(Begun(Path(event["folder"]), event["build"], event["size"]))
            case "built":
                return "booting"
            case "console" if event["node"] is not None and "error:" in event["text"]:
                return f"[{event['node']}] {visible(event['text'])}"
        return None

    def progress(self, event: dict[str, Any]) -> None:
        """Figures, as they are now."""
        if self._status is not None:
            self._status.update(self._figures(event, self._before))
            self._before = event

    def _debugged(self, stopped: bool) -> None:
        """The terminal is the debugger's while somebody types."""
        if self._status is not None:
            if stopped:
                self._status.stop()
            else:
                self._status.start()

    def end(self, ended: "ProcessResult", failure: str, message: str) -> None:
        """Say how it ended and what has passed.

        Parameters
        ----------
        ended : ProcessResult
        failure : str
            Why it failed; empty if it did not.
        message : str
            How it ended, if it did not fail.
        """
        passed = {**ended.results, "cycles": ended.outcome.get("cycles", 0),
                  "wall_seconds": round(ended.outcome.get("wall_seconds", 0.0), 3)}
        if self._json:
            self.show_object(
                {"state": "failed" if failure else ended.state, "message": failure or ended.message, **passed})
            return
        if ended.results:
            self.show(self._figures(passed, {}))
        if failure:
            self.show("\n".join([failure, *ended.outcome.get("stuck", []), f"its log is {ended.log}"]))
        else:
            self.show(f"{message}; its log is {ended.log}")

    def show_object(self, results: dict[str, Any]) -> None:
        """Print results as one line of JSON."""
        from khhw.commands.output import in_ascii, report

        print(in_ascii(json.dumps(report(results, parameters=self._parameters))), flush=True)


def stopped(ended: "ProcessResult") -> bool:
    """Whether somebody told it to end; before the machine ran there is no outcome that says so."""
    return ended.state == "interrupted" or ended.message == "interrupted"


def rates(now: Mapping[str, Any], before: Mapping[str, Any], what: str) -> tuple[float, float]:
    """Of something, and of simulated cycles, so many came since the last time in a second of the machine's work."""

    def since(key: str) -> float:
        return float(now[key] - before.get(key, 0))

    working = max(1e-3, since("wall_seconds") - since("waited_seconds"))
    return since(what) / working, (since("cycles") - since("skipped_cycles")) / working
