"""Carries out one command of ``khhw ctl``."""

import argparse
import importlib
import sys

from khhw.cloud.acquire import FEW_NODES
from khhw.cloud.ctl.session import RefusedError, Session
from khhw.cloud.ctl.show import as_json
from khhw.visible import visible

__all__ = ["Streams", "Terminal", "perform"]

DONE, FAILED, WRONG_REQUEST = 0, 1, 2


class Streams:
    """Where a command prints.

    Attributes
    ----------
    out, err : list of str
        What is printed, where it is not printed at once.
    """

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []

    def print(self, text: str) -> None:
        """On standard output."""
        self.out.append(text)

    def note(self, text: str) -> None:
        """On standard error."""
        self.err.append(text)


class Terminal(Streams):
    """Prints at once, on this process's own streams."""

    def print(self, text: str) -> None:
        """On standard output."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """On standard error."""
        sys.stderr.write(text)


def perform(session: Session, arguments: argparse.Namespace, streams: Streams) -> int:
    """The command that was parsed; its exit code.

    Raises
    ------
    RequestError
        If it was wrong, or refused.
    UndoneError
        If the machine has not carried it out in time.
    """
    module, _, function = arguments.act.partition(":")
    act = getattr(importlib.import_module(f"khhw.cloud.ctl.{module}"), function)
    try:
        shown = act(session, arguments)
    except RefusedError as error:
        if arguments.act != "leases:acquire" or FEW_NODES not in error.sentence:
            raise
        # The original says it here, and only this.
        streams.print(f"{FEW_NODES}\n")
        streams.note(f"khhw: {visible(error.sentence)}\n")
        return WRONG_REQUEST
    if arguments.json:
        streams.print(as_json(shown.data))
    else:
        streams.print(shown.text)
        if shown.notes:
            streams.note(shown.notes)
    return FAILED if getattr(arguments, "failed", False) else DONE
