"""A machine of a cloud as it comes up: built, started; plain lines where there is no terminal."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console

from khhw.report.live import LiveView
from khhw.visible import visible

__all__ = ["ComingUp"]

_PLAIN_SECONDS = 10.0


class ComingUp(LiveView):
    """Shows what :class:`khhw.cloud.client.SimulatedMachine` reports; a context manager while somebody waits for it.

    Behind that a machine that has died is started again, and what is reported then is shown in plain lines.

    Parameters
    ----------
    nodes : int
        Of the machine.
    console : rich.console.Console
        Where to.
    """

    def __init__(self, nodes: int, console: Console) -> None:
        super().__init__(nodes, console, "cloud")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._bar = self._task = None

    def _on_converting(self, event: dict[str, Any]) -> None:
        self._building, self._began = False, time.monotonic()
        self._built.clear()
        super()._on_converting(event)

    def _on_built(self, _event: dict[str, Any]) -> None:
        self._line(f"{self._end_of_build()}; the simulator of {self._nodes} nodes starts")
        self._describe("starting the simulator", plain=False)

    def _on_starting(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        if self._bar is None and now - self._plain_at >= _PLAIN_SECONDS:
            self._plain_at = now
            self._line(f"starting for {now - self._began:.0f} s; {visible(event['log'])} says what it does")
