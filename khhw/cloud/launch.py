"""Finding the simulator of a state folder, or starting one that outlives whoever starts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from khhw.cloud.client_connection import Connection
from khhw.cloud.machine import Heard, MachineError, MachineGoneError
from khhw.cloud.machine_folder import MachineFolder
from khhw.cloud.simulator_process import HELD

__all__ = ["Launcher"]

_AGAIN_SECONDS = 0.02
_LOG_LINES = 5


class Launcher:
    """Connects to the simulator of a state folder.

    Parameters
    ----------
    folder : MachineFolder
        With what is to be simulated.
    patience : float
        Seconds that a simulator has to come up.
    on_heard : callable
        See :class:`~khhw.cloud.client_connection.Connection`.
    """

    def __init__(self, folder: MachineFolder, patience: float, on_heard: Callable[[Heard], None]) -> None:
        self._folder = folder
        self._patience = patience
        self._on_heard = on_heard
        self._process: subprocess.Popen[bytes] | None = None

    def find(self) -> Connection | None:
        """A connection to the simulator that runs, if one does."""
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with self._folder.address() as address:
                found.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            found.close()
            return None
        except OSError as error:
            found.close()
            raise MachineError(f"{self._folder.socket}: {error.strerror or error}") from error
        try:
            return Connection(found, self._on_heard)
        except MachineGoneError:
            # It is about to end.
            return None

    def start(self) -> Connection:
        """Start a simulator, and connect to it.

        Raises
        ------
        MachineError
            With the end of its log, if it does not come up.
        """
        end = time.monotonic() + self._patience
        # One of ours that nobody can connect to is about to end.
        before, self._process = self._process, None
        while time.monotonic() < end:
            if (connection := self.find()) is not None:
                return connection
            if before is not None and before.poll() is not None:
                before = None
            if self._process is None and not self._is_held():
                self._process = self._spawn()
            # One that somebody else has started holds the lock; it comes up, or ends.
            if self._process is not None and (code := self._process.poll()) is not None:
                self._process = None
                if code != HELD:
                    raise MachineError(f"the simulator does not come up: its process ended with code {code}"
                                       f"{self._said()}")
            time.sleep(_AGAIN_SECONDS)
        raise MachineError(f"the simulator has not come up within {self._patience:g} s; {self._folder.log} says why")

    def reap(self) -> None:
        """Take note of the end of a process that was started here."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    def wait(self, seconds: float) -> None:
        """Wait until the simulator has let go of the folder."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (self._is_held() or self._folder.socket.exists()):
            self.reap()
            time.sleep(_AGAIN_SECONDS)
        self.reap()

    def _is_held(self) -> bool:
        descriptor = self._folder.hold("launch")
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def _spawn(self) -> "subprocess.Popen[bytes]":
        search = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        with self._folder.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "khhw.cloud.simulator_process", str(self._folder.state)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder.state,
                env={**os.environ, "PYTHONPATH": search}, start_new_session=True)

    def _said(self) -> str:
        lines = self._folder.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        return "".join(f"\n    {line}" for line in lines)
