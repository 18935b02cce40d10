"""The thread that carries changes out: it keeps the machine connected, and lets the core take its steps."""

import logging
import threading
from collections.abc import Callable

from khhw.cloud.core import Core
from khhw.cloud.machine import Machine, MachineDiffersError, MachineError

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
    failed : callable
        Called with a sentence, in the thread, if the machine can never be the one of this store.
    """

    def __init__(self, core: Core, machine: Machine, failed: Callable[[str], None]) -> None:
        self._core, self._machine, self._failed = core, machine, failed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)
        self._said = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, behind the step that is under way; a revision on its way to the machine goes on without us."""
        self._stopped.set()
        self._thread.join(timeout=_AGAIN_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._turn()
            except Exception:
                _log.exception("a step of the core failed; it is tried again")
                self._stopped.wait(_AGAIN_SECONDS)

    def _turn(self) -> None:
        if self._machine.alive or self._connected():
            if not self._core.step():
                self._core.wait(_WAIT_SECONDS)

    def _connected(self) -> bool:
        try:
            self._machine.connect()
        except MachineDiffersError as error:
            self._failed(str(error))
            self._stopped.set()
            return False
        except MachineError as error:
            if str(error) != self._said:
                self._said = str(error)
                _log.error("the machine cannot be reached, and is tried again: %s", error)
            self._stopped.wait(_AGAIN_SECONDS)
            return False
        self._said = ""
        self._core.connect(self._machine)
        return True
