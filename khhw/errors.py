"""The errors that a command reports: wrong requests and failed builds."""

from pathlib import Path

__all__ = ["BuildError", "RequestError"]


class RequestError(ValueError):
    """What was asked for is wrong: nothing was built. Exit code 2."""


class BuildError(RuntimeError):
    """A tool failed. Exit code 1.

    Parameters
    ----------
    message : str
        What failed.
    log : pathlib.Path, optional
        File with the tool's whole output; the end of it becomes part of the message.
    """

    TAIL_LINES = 20

    def __init__(self, message: str, log: Path | None = None) -> None:
        self.log = log
        if log is not None and log.is_file():
            tail = log.read_text(errors="replace").splitlines()[-self.TAIL_LINES:]
            message = "\n".join([f"{message}; the end of {log}:", *("    " + line for line in tail)])
        super().__init__(message)
