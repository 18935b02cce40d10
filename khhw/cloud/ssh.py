"""The door for ssh: ``ssh alice@HOST acquireNodes -i alice 4``, ``ssh con7@HOST``.

Whoever logs in as a principal gives that principal's token, or the credential he has chosen, as password. Consoles are
users, as in the original: then a token says who it is, or NAME:CREDENTIAL.
"""

import asyncio
import logging
import re
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncssh
from fastapi import FastAPI

from khhw.cloud.callers import Caller
from khhw.cloud.consoles.hub import Hub
from khhw.cloud.consoles.ssh import attend
from khhw.cloud.core import Core
from khhw.cloud.credentials import AT_ONCE
from khhw.cloud.ctl.perform import FAILED
from khhw.cloud.errors import CloudError
from khhw.cloud.models import Console
from khhw.cloud.ssh_commands import obey
from khhw.cloud.ssh_limits import Callers, Sessions
from khhw.cloud.ssh_lines import whole_line
from khhw.cloud.tls import keep_secret
from khhw.errors import RequestError
from khhw.node.commands import LINE_LIMIT

__all__ = ["HOST_KEY", "SshDoor", "host_key"]

HOST_KEY = "ssh_host_key"
"""Name in the state folder."""
_log = logging.getLogger(__name__)
_CONSOLE = re.compile(r"con([0-9]{1,10})\Z")
_ATTEMPTS = 3
_LOGIN_SECONDS = 60
_KEEPALIVE_SECONDS = 60
"""Between two questions whether a client is still there, which it answers by itself, however quiet somebody is: who has
left three without an answer has gone."""
_THREADS = 64
_MOST_COMMANDS = 8
"""Commands of one principal at a time; each may wait for the machine."""
_PROMPT = "khhw> "

Known = Callable[[], Caller]
"""Who it is, looked up again: tokens are revoked, principals disabled. Raises CloudError; blocks."""


def host_key(folder: Path) -> asyncssh.SSHKey:
    """The key by which clients know the service; made if there is none yet.

    Raises
    ------
    RequestError
        If what is there is no key.
    """
    path = folder / HOST_KEY
    if not path.exists():
        keep_secret(path, asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    try:
        return asyncssh.read_private_key(path)
    except asyncssh.KeyImportError as error:
        raise RequestError(f"{path} holds no key of ssh ({error}); remove it, and a new one is made, which clients do "
                           "not know") from None


class SshDoor:
    """Listens for ssh.

    Parameters
    ----------
    app : FastAPI
        What commands are asked of.
    core : Core
    hub : Hub
        The consoles.
    """

    def __init__(self, app: FastAPI, core: Core, hub: Hub) -> None:
        self._app, self._core, self._hub = app, core, hub
        self._pool = ThreadPoolExecutor(_THREADS, "ssh")
        self._asking = ThreadPoolExecutor(AT_ONCE, "ssh_password")
        self._running: Counter[str] = Counter()
        self._callers = Callers()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def open(self, listener: socket.socket, key: asyncssh.SSHKey) -> None:
        """Let clients in by a socket that is bound."""
        # Its log has user names and commands, but also what hostile clients make up, at every connection.
        asyncssh.set_log_level(logging.CRITICAL)
        self._acceptor = await asyncssh.listen(
            sock=listener, server_factory=self._server, server_host_keys=[key], encoding="utf-8", errors="replace",
            login_timeout=_LOGIN_SECONDS, line_editor=True, max_line_length=LINE_LIMIT, agent_forwarding=False,
            keepalive_interval=_KEEPALIVE_SECONDS)

    def _server(self) -> "_Server":
        return _Server(self._core, self._asking, self._callers, Sessions(self._attend))

    async def close(self) -> None:
        """Let nobody in any more, and put out who is in."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
        for pool in (self._pool, self._asking):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _attend(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        user, known = str(process.get_extra_info("username")), process.get_extra_info("known")
        assert isinstance(known, _Known)
        if (found := _CONSOLE.match(user)) is not None:
            number = int(found[1])

            def look() -> Console:
                return self._core.channels.get(known(), number)

            await attend(process, self._hub, known.name, look)
            return
        host = str(process.get_extra_info("sockname")[0])
        if process.command:
            process.exit(await self._obey(process, known, host, process.command))
            return
        await self._talk(process, known, host)

    async def _talk(self, process: "asyncssh.SSHServerProcess[str]", known: "_Known", host: str) -> None:
        """Obey lines until there are no more."""
        code = 0
        while True:
            if process.get_terminal_type():
                process.stdout.write(_PROMPT)
            try:
                line = await whole_line(process.stdin)
            except asyncssh.TerminalSizeChanged:
                continue
            except (asyncssh.BreakReceived, asyncssh.SignalReceived, asyncssh.Error, ConnectionError):
                break
            if not line or line.strip() in ("exit", "quit", "logout"):
                break
            if line.strip():
                code = await self._obey(process, known, host, line)
        process.exit(code)

    async def _obey(self, process: "asyncssh.SSHServerProcess[str]", known: "_Known", host: str, line: str) -> int:
        if len(line) > LINE_LIMIT:
            # Words are told apart in Python, which holds up all others meanwhile.
            process.stderr.write(f"khhw: a command has at most {LINE_LIMIT:,} characters; this one has more\n")
            return 2
        if self._running[known.name] >= _MOST_COMMANDS:
            process.stderr.write(f"khhw: {known.name} has {_MOST_COMMANDS} commands under way; wait for one to end\n")
            return 2
        self._running[known.name] += 1
        try:
            return await self._carry_out(process, known, host, line)
        finally:
            self._running[known.name] -= 1

    async def _carry_out(self, process: "asyncssh.SSHServerProcess[str]", known: "_Known", host: str, line: str) -> int:
        loop = asyncio.get_running_loop()
        try:
            caller = await loop.run_in_executor(self._pool, known)
        except CloudError as error:
            process.stderr.write(f"khhw: {error.sentence}\n")
            return 2
        try:
            code, said = await loop.run_in_executor(self._pool, obey, self._app, loop, caller, host, line)
        except Exception as error:
            # What was typed stays out of the log: it may be a secret.
            _log.error("a command over ssh has failed", exc_info=error)
            process.stderr.write("khhw: the service has failed at this; its log says where\n")
            return FAILED
        process.stdout.write("".join(said.out))
        process.stderr.write("".join(said.err))
        await process.stdout.drain()
        return code


class _Known:
    """Somebody who has logged in.

    Parameters
    ----------
    core : Core
    caller : Caller
        Who it was then.
    token : str, optional
        What he said; None if it was a credential.
    """

    def __init__(self, core: Core, caller: Caller, token: str | None) -> None:
        self._core, self._caller, self._token = core, caller, token
        self._mark = core.principals.credential_mark(caller) if token is None else None
        self.name = caller.name

    def __call__(self) -> Caller:
        """See :data:`Known`."""
        if self._token is not None:
            return self._core.principals.authenticate(self._token)
        if self._core.principals.credential_mark(self._caller) != self._mark:
            raise CloudError.unauthorized(f"{self.name} has another credential now; log in with that")
        return self._caller


class _Server(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, core: Core, pool: ThreadPoolExecutor, callers: Callers, sessions: Sessions) -> None:
        self._core, self._pool = core, pool
        self._callers, self._sessions = callers, sessions
        self._leave: Callable[[], None] = lambda: None
        self._left = _ATTEMPTS
        self._gone = False
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody is there, whoever it is."""
        self._connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        """And has gone."""
        self._gone = True
        self._leave()

    def session_requested(self) -> "asyncssh.SSHServerProcess[str]":
        """A session, if there are not too many."""
        return self._sessions.one_more()

    def begin_auth(self, username: str) -> bool:
        """Nobody comes in without a password."""
        return True

    def password_auth_supported(self) -> bool:
        """It is how people are known here."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether a password is the token or the credential of somebody who may be this user."""
        assert self._connection is not None
        if self._left <= 0:
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many attempts")
            return False
        self._left -= 1
        known = self._by_token(username, password)
        if known is None:
            known = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._by_credential, username, password)
        if known is None or self._gone:
            return False
        if (why := self._callers.refusal(known.name)) is not None:
            self._connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, why)
            return False
        self._leave = self._callers.enter(known.name)
        self._connection.set_extra_info(known=known)
        return True

    def _by_token(self, user: str, password: str) -> _Known | None:
        """At once, however many credentials others have guessed at the same time."""
        try:
            caller = self._core.principals.authenticate(password)
        except CloudError:
            return None
        return _Known(self._core, caller, password) if caller.name == user or _CONSOLE.match(user) else None

    def _by_credential(self, user: str, password: str) -> _Known | None:
        name, _, credential = password.partition(":") if _CONSOLE.match(user) else (user, "", password)
        try:
            return _Known(self._core, self._core.principals.authenticate_credential(name, credential), None)
        except CloudError:
            return None
