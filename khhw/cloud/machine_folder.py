"""What a simulator has in the state folder: socket, locks, log, and how often the machine was switched on."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from khhw.cloud.machine import MachineError

__all__ = ["FolderError", "MachineFolder"]

_AGAIN_SECONDS = 0.05


class FolderError(MachineError):
    """A state folder that no simulator can use."""


class MachineFolder:
    """The folder ``machine`` of a state folder; nobody but its user may look into it.

    Parameters
    ----------
    state : Path
        The state folder; it exists.
    """

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()
        self.path = self.state / "machine"

    def create(self) -> None:
        """Make it, if there is none."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.path.chmod(0o700)

    @property
    def socket(self) -> Path:
        """Where the simulator listens. Its path may be longer than a socket's can be; see :meth:`address`."""
        return self.path / "socket"

    @property
    def launch(self) -> Path:
        """What is to be simulated, as JSON."""
        return self.path / "launch.json"

    @property
    def log(self) -> Path:
        """What the process says that starts the simulator."""
        return self.path / "machine.log"

    @contextmanager
    def address(self) -> Iterator[str]:
        """A name of the socket that is short enough for the system, while this is entered."""
        descriptor = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.socket.name}"
        finally:
            os.close(descriptor)

    def hold(self, name: str | None = None, seconds: float = 0) -> int | None:
        """Have a lock of this folder for as long as the process lives, or its descriptor is open.

        Parameters
        ----------
        name : str, optional
            Of a file by which processes agree who starts something; None: the folder itself, which is the simulator's.
            A file that is removed, and made anew, locks nobody out any more; the folder goes with all that is in it.
        seconds : float
            How long another one may take to let go.

        Returns
        -------
        int or None
            The descriptor; None if another one has it.
        """
        if name is None:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        else:
            descriptor = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(descriptor)
                    return None
            time.sleep(_AGAIN_SECONDS)

    def next_boot(self) -> int:
        """Count one more boot, on disk before this returns; with the simulator's lock held.

        Raises
        ------
        FolderError
            If what is there is no number: the next one could be one that was there before.
        """
        file = self.path / "boot"
        text = file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else "0"
        if not (text.isascii() and text.isdecimal()):
            raise FolderError(f"{file} holds {text[:40]!r}, and no number: write the highest boot number into it that "
                              "the readings and leases in the store have")
        boot = int(text) + 1
        part = file.with_suffix(".part")
        with part.open("w", encoding="utf-8") as stream:
            stream.write(f"{boot}\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return boot
