"""The service: HTTP, ssh and consoles over a core, in one process; the machine is another one's."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from khhw.cloud.carrier import Carrier
from khhw.cloud.connections import Admission, BoundedListener, Limits
from khhw.cloud.consoles.hub import Hub
from khhw.cloud.consoles.router import router as consoles_router
from khhw.cloud.core import Core
from khhw.cloud.http.app import application
from khhw.cloud.http.patience import patient
from khhw.cloud.http.problems import raw_problem
from khhw.cloud.machine import Machine
from khhw.cloud.settings import Settings, bound
from khhw.cloud.ssh import SshDoor, host_key
from khhw.cloud.ssh_limits import refusal
from khhw.cloud.tls import certificate_for, server_context
from khhw.errors import RequestError

__all__ = ["Service"]

_GRACE_SECONDS = 3
_MESSAGE_BYTES = 1 << 20
"""Of what a client of a console may send at once; files come in pieces."""
_PING_SECONDS, _PONG_SECONDS = 30.0, 120.0
"""Between two questions whether a client of a console is still there, which it answers by itself, however quiet
somebody is; and how long the answer may take."""


class _Server(uvicorn.Server):
    """Leaves signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing."""
        yield


class Service:
    """A cloud that is open to clients.

    Parameters
    ----------
    state : Path
        State folder.
    core : Core
        Open.
    machine : Machine
        Connected, or connected later.
    settings : Settings
    limits : Limits, optional
        What clients may take; None: as much as this process can give.

    Raises
    ------
    RequestError
        If a port is taken, or a certificate is none.
    """

    def __init__(
        self, state: Path, core: Core, machine: Machine, settings: Settings, limits: Limits | None = None,
    ) -> None:
        self._core, self._machine, self._settings = core, machine, settings
        self._admission = Admission(limits or Limits.of_this_process())
        self._tls = self._certificate(state) if settings.secured else None
        self._key = host_key(state) if settings.ssh_port is not None else None
        self._listener = self._bounded(settings.port, "--port", self._refused)
        try:
            self._ssh_listener = None if settings.ssh_port is None else \
                self._bounded(settings.ssh_port, "--ssh-port", refusal)
        except RequestError:
            self._listener.close()
            raise

    def _bounded(self, port: int, option: str, told: Callable[[str], bytes]) -> BoundedListener:
        return BoundedListener.over(bound(self._settings.host, port, option), self._admission, told)

    def _refused(self, sentence: str) -> bytes:
        """What a client of HTTP is sent that is refused; nothing could be told before TLS is agreed on."""
        return b"" if self._tls else raw_problem(503, "unavailable", sentence)

    def _certificate(self, state: Path) -> tuple[Path, Path]:
        chosen, key = self._settings.certificate, self._settings.key
        files = (chosen, key) if chosen is not None and key is not None else \
            certificate_for(state, _names(self._settings.host))
        server_context(*files)
        return files

    @property
    def url(self) -> str:
        """Where HTTP is."""
        host, port = self._listener.getsockname()[:2]
        return f"{'https' if self._tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def ssh_port(self) -> int | None:
        """Where ssh is."""
        return None if self._ssh_listener is None else int(self._ssh_listener.getsockname()[1])

    @property
    def certificate(self) -> Path | None:
        """What clients check the service with; None without TLS."""
        return self._tls[0] if self._tls else None

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM.

        Parameters
        ----------
        ready : callable
            Called when clients can come.
        """
        async def main() -> None:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, ended.set)
            await self.serve(ready, ended)

        asyncio.run(main())

    async def serve(self, ready: Callable[[], None], ended: asyncio.Event) -> None:
        """The same in a loop that runs, until somebody says that it is to end."""
        app = application(self._core, self._machine, ssh_port=self.ssh_port, more=(consoles_router,))
        hub = app.state.hub = Hub(self._machine)
        carrier = Carrier(self._core, self._machine)
        carrier.start()
        try:
            async with self._http(app) as server, self._ssh(app, hub):
                ready()
                await asyncio.wait([asyncio.ensure_future(ended.wait()), server],
                                   return_when=asyncio.FIRST_COMPLETED)
                app.state.ending = True
                await hub.close()
        finally:
            await asyncio.to_thread(carrier.stop)

    @contextlib.asynccontextmanager
    async def _http(self, app: FastAPI) -> "Any":
        files: dict[str, Any] = {} if self._tls is None else {
            "ssl_certfile": str(self._tls[0]), "ssl_keyfile": str(self._tls[1])}
        # Addresses of requests are not logged: what clients put there may be anything. Errors are.
        server = _Server(uvicorn.Config(
            app, lifespan="off", log_config=None, log_level=logging.ERROR, access_log=False, server_header=False,
            http=patient(self._admission.limits.request_seconds), ws_max_size=_MESSAGE_BYTES,
            ws_ping_interval=_PING_SECONDS, ws_ping_timeout=_PONG_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
            **files))
        serving = asyncio.ensure_future(server.serve([self._listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        try:
            yield serving
        finally:
            server.should_exit = True
            await serving

    @contextlib.asynccontextmanager
    async def _ssh(self, app: FastAPI, hub: Hub) -> "Any":
        if self._ssh_listener is None or self._key is None:
            yield
            return
        door = SshDoor(app, self._core, hub)
        await door.open(self._ssh_listener, self._key)
        try:
            yield
        finally:
            await door.close()


def _names(host: str) -> tuple[str, ...]:
    """Names under which clients may reach an address: all addresses mean all names of this computer."""
    if host in ("0.0.0.0", "::"):
        return (socket.gethostname(), socket.getfqdn())
    return (host,)
