"""Finding the simulator of a state folder, or starting one that outlives whoever starts it."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from khhw.cloud.client_connection import Connection
from khhw.cloud.machine import Heard, MachineError, MachineGoneError
from khhw.cloud.machine_folder import MachineFolder
from khhw.cloud.simulator_process import HELD

__all__ = ["Launcher"]

_AGAIN_SECONDS = 0.02
_LOG_LINES = 5


class _Process:
    """A Python process in a session of its own, which whoever started it may leave behind."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._code: int | None = None
        self._pid = os.posix_spawn(
            sys.executable, [sys.executable, *arguments], environment, setsid=True, file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2)])

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self._code is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


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
    stays : bool
        Whether a simulator that nobody waits for any longer goes on coming up: somebody else may want it.
    """

    def __init__(
        self, folder: MachineFolder, patience: float, on_heard: Callable[[Heard], None], *, stays: bool = True,
    ) -> None:
        self._folder = folder
        self._patience = patience
        self._on_heard = on_heard
        self._stays = stays
        self._process: _Process | None = None

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

    def start(self, on_wait: Callable[[], None] = lambda: None) -> Connection:
        """Start a simulator, and connect to it.

        Parameters
        ----------
        on_wait : callable, optional
            Called again and again meanwhile.

        Raises
        ------
        MachineError
            With the end of its log, if it does not come up.
        """
        try:
            return self._started(on_wait)
        except BaseException:
            if self._process is not None and not self._stays:
                self._process.kill()
            raise

    def _started(self, on_wait: Callable[[], None]) -> Connection:
        end = time.monotonic() + self._patience
        # One of ours that nobody can connect to is about to end.
        before, self._process = self._process, None
        while time.monotonic() < end:
            if (connection := self.find()) is not None:
                return connection
            if before is not None:
                before.poll()
            if self._process is None and not self._is_held():
                self._process = self._spawn()
            # One that somebody else has started holds the lock; it comes up, or ends.
            if self._process is not None and (code := self._process.poll()) is not None:
                self._process = None
                if code != HELD:
                    raise MachineError(f"the simulator does not come up: its process ended with code {code}"
                                       f"{self._said()}")
            on_wait()
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

    def _spawn(self) -> "_Process":
        search = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        return _Process(["-m", "khhw.cloud.simulator_process", str(self._folder.state)], self._folder.log,
                        {**os.environ, "PYTHONPATH": search})

    def _said(self) -> str:
        lines = self._folder.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        return "".join(f"\n    {line}" for line in lines)
