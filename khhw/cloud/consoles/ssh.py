"""A console over ssh: ``ssh con7@HOST`` shows what nodes say, and sends them what is typed."""

from collections.abc import Callable

import asyncssh

from khhw.cloud.consoles.hub import Hub, Visit
from khhw.cloud.consoles.messages import Refused
from khhw.cloud.consoles.rows import Rows
from khhw.cloud.consoles.tasks import first_of
from khhw.cloud.consoles.view import seen
from khhw.cloud.errors import CloudError
from khhw.cloud.models import Console
from khhw.cloud.ssh_lines import whole_line
from khhw.visible import visible

__all__ = ["QUIET_SECONDS", "attend"]

QUIET_SECONDS = 2.0
"""How long nothing must have been said until somebody without a terminal leaves, behind the last line they write."""
_LISTEN = "listen"


async def attend(process: "asyncssh.SSHServerProcess[str]", hub: Hub, who: str, look: Callable[[], Console]) -> None:
    """Let somebody be at a console until they leave, and end their session.

    With the command ``listen`` they want to write nothing; other commands are refused. Without a terminal (``-T``, or
    standard input that is a file) lines are not folded, and the session ends behind the last one, when nothing has been
    said for :data:`QUIET_SECONDS`. Its exit status is 2 if a line was refused.

    Parameters
    ----------
    process : asyncssh.SSHServerProcess
        Of a session with text (UTF-8; what is none is best replaced: ``errors="replace"``).
    hub : Hub
    who : str
        Name of the principal.
    look : callable
        As :meth:`~khhw.cloud.consoles.hub.Hub.visit` takes it.
    """
    if process.command not in (None, "", _LISTEN):
        _end(process, f"{visible(process.command or '')!r} is no command of a console; there is {_LISTEN!r}, or none")
        return
    try:
        async with hub.visit(who, look, read_only=process.command == _LISTEN) as visit:
            person = _Terminal(process, visit)
            await first_of(person.show(), person.obey())
            process.exit(2 if person.refused else 0)
    except CloudError as error:
        _end(process, error.sentence)


def _end(process: "asyncssh.SSHServerProcess[str]", sentence: str) -> None:
    process.stderr.write(f"khhw: {visible(sentence)}\n")
    process.exit(2)


class _Terminal:
    """The two sides of a session."""

    def __init__(self, process: "asyncssh.SSHServerProcess[str]", visit: Visit) -> None:
        self.refused = False
        self._process = process
        self._visit = visit
        self._console = visit.person.console.id
        self._rows = self._as_wide_as_it_is()

    def _as_wide_as_it_is(self) -> Rows:
        process = self._process
        return Rows((process.get_terminal_size()[0] or None) if process.get_terminal_type() else None)

    async def show(self) -> None:
        """Print what there is to see, until there is no more."""
        try:
            while (message := await self._visit.person.next()) is not None:
                self._process.stdout.write(seen(message, self._rows, self._console))
                await self._process.stdout.drain()
        except (BrokenPipeError, ConnectionError):
            pass

    async def obey(self) -> None:
        """Write each line that is typed, until they are gone."""
        while True:
            try:
                line = await whole_line(self._process.stdin)
            except asyncssh.TerminalSizeChanged:
                self._rows = self._as_wide_as_it_is()
                continue
            except (asyncssh.BreakReceived, asyncssh.SignalReceived, asyncssh.Error, ConnectionError):
                return
            if not line:
                # Who has a terminal has seen what they wanted; a script is still to be answered.
                await self._visit.person.quiet(0 if self._process.get_terminal_type() else QUIET_SECONDS)
                return
            await self._write(line.rstrip("\r\n"))

    async def _write(self, line: str) -> None:
        person = self._visit.person
        try:
            await self._visit.line(line)
        except CloudError as error:
            self.refused = True
            person.answer(Refused(text=error.sentence))
        await person.room()
