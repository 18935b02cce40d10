"""The thread that carries changes out: it lets the core take its steps."""

import logging
import threading

from khhw.cloud.core import Core
from khhw.cloud.machine import Machine

__all__ = ["Carrier"]

_log = logging.getLogger(__name__)
_WAIT_SECONDS = 0.5
_AGAIN_SECONDS = 1.0


class Carrier:
    """Lets a core carry out its changes, until it is stopped.

    Parameters
    ----------
    core : Core
    machine : Machine
        By which it does.
    """

    def __init__(self, core: Core, machine: Machine) -> None:
        self._core, self._machine = core, machine
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)
        core.connect(machine)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, behind the step that is under way; where that takes long, the machine carries it out without us."""
        self._stopped.set()
        self._thread.join(timeout=_AGAIN_SECONDS)

    def _run(self) -> None:
        lost = False
        while not self._stopped.is_set():
            try:
                done = self._core.step()
            except Exception:
                if self._stopped.is_set():
                    # Nobody waits for a step that takes long, and the core is closed meanwhile.
                    return
                _log.exception("a step of the core failed; it is tried again")
                self._stopped.wait(_AGAIN_SECONDS)
                continue
            if lost != (not self._machine.alive):
                lost = not lost
                _log.warning("the machine does not answer; it is tried again" if lost else "the machine answers again")
            if lost:
                self._stopped.wait(_AGAIN_SECONDS)
            elif not done:
                self._core.wait(_WAIT_SECONDS)
