"""A person, or a script, at a console: prints what there is to see, and sends what is typed."""

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import Callable
from typing import IO

from khhw.cloud.consoles.client import Seat
from khhw.cloud.consoles.messages import Closed, Line, Refused, SaidByNode, Taken, ToPerson
from khhw.cloud.consoles.recording import Recording
from khhw.cloud.consoles.rows import Rows
from khhw.cloud.consoles.tasks import first_of
from khhw.cloud.consoles.typed import typed
from khhw.cloud.consoles.view import moment_of, seen
from khhw.node.commands import LINE_LIMIT

__all__ = ["Printer", "Terminal", "as_json", "as_raw", "as_rows", "width_of"]

Printer = Callable[[ToPerson], None]
"""Shows a message."""


def width_of(stream: IO[str]) -> int | None:
    """Columns of the terminal that a stream goes to; None if it goes elsewhere."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def as_rows(console: int) -> Printer:
    """Show messages to people; as wide as their terminal is when they come."""
    def show(message: ToPerson) -> None:
        _print(seen(message, Rows(width_of(sys.stdout)), console))

    return show


def as_raw(console: int) -> Printer:
    """Put out the bytes that nodes say, and nothing else; notices go to standard error."""
    def show(message: ToPerson) -> None:
        if isinstance(message, SaidByNode):
            sys.stdout.buffer.write(message.data or b"")
            sys.stdout.buffer.flush()
        else:
            print(seen(message, Rows(width_of(sys.stderr)), console), end="", file=sys.stderr, flush=True)

    return show


def as_json() -> Printer:
    """Print messages as the service sends them, one JSON object a line, in ASCII."""
    def show(message: ToPerson) -> None:
        # Python leaves DEL as it is.
        _print(json.dumps(message.model_dump(mode="json")).replace("\x7f", "\\u007f") + "\n")

    return show


def _print(text: str) -> None:
    print(text, end="", flush=True)


class Terminal:
    """Standard input and output at a seat.

    Parameters
    ----------
    seat : Seat
    show : Printer
    recording : Recording or None
        Is given what a person sees.
    columns : int or None
        Of the terminal that is recorded.
    handle : int or None
        Where lines are read from; None: nowhere, and nothing is written.
    quiet_seconds : float
        How long nothing must have been said until it ends behind the last line.

    Attributes
    ----------
    refused : int
        Lines that were not written.
    closed : bool
        Whether the service has ended it.
    """

    def __init__(
        self, seat: Seat, show: Printer, *, recording: Recording | None = None, columns: int | None = None,
        handle: int | None, quiet_seconds: float,
    ) -> None:
        self.refused = 0
        self.closed = False
        self._seat = seat
        self._show = show
        self._recording = recording
        self._handle = handle
        self._quiet_seconds = quiet_seconds
        self._rows = Rows(columns)
        self._written: dict[int, str] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until either side ends it."""
        self._tell(self._seat.welcome)
        await first_of(self._hear(), self._write())

    async def _hear(self) -> None:
        async for message in self._seat.messages():
            self._tell(message)
            self._news.set()

    def _tell(self, message: ToPerson) -> None:
        self._show(message)
        shown = seen(message, self._rows, self._seat.welcome.console)
        match message:
            case Taken(id=number):
                shown = self._rows.laid_out(f"{self._seat.welcome.who}: ", self._written.pop(number, ""))
            case Refused(id=number):
                self.refused += 1
                self._written.pop(-1 if number is None else number, None)
            case Closed():
                self.closed = True
        if self._recording is not None and shown:
            self._recording.show(shown, moment_of(message))

    async def _write(self) -> None:
        if self._handle is None:
            await asyncio.Event().wait()
        assert self._handle is not None
        number = 0
        async for line in typed(self._handle):
            number += 1
            if line is None:
                self._tell(Refused(text=f"a line has at most {LINE_LIMIT:,} bytes; this one was dropped"))
            else:
                self._written[number] = line
                await self._seat.ask(Line(id=number, text=line))
        await self._until_quiet()

    async def _until_quiet(self) -> None:
        """Who pipes lines in is still to hear what comes of them."""
        while True:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._quiet_seconds)
            if not self._news.is_set() and not self._written:
                return
