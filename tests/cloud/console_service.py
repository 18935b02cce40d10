"""Consoles over real sockets, HTTP and ssh, with a stand-in for the machine and for who may do what."""

import asyncio
import logging
import socket
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import asyncssh
import uvicorn
from fastapi import FastAPI

from khhw.cloud.callers import Caller
from khhw.cloud.consoles.hub import Hub
from khhw.cloud.consoles.router import router
from khhw.cloud.consoles.ssh import attend
from khhw.cloud.errors import CloudError
from tests.cloud.listened import Rights, StandInMachine


class Door(asyncssh.SSHServer):
    """Lets in who says as a password who they are."""

    def connection_made(self, conn):
        self._connection = conn

    def begin_auth(self, _username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, _username, password):
        self._connection.set_extra_info(who=password)
        return True


class ConsoleService:
    """Its machine and rights, and where it is; a token is the name of who has it."""

    def __init__(self):
        self.machine, self.rights = StandInMachine(), Rights()
        self.url = self.ssh_port = None
        self._ready, self._ended = threading.Event(), None

    def begin_anew(self):
        """What one test has done is none of the next one's."""
        self.rights.__init__()
        self.machine.said.clear()
        self.machine.deaf = set()

    def core(self):
        """What the websocket asks."""
        def authenticate(token):
            if token not in ("alice", "bob", "carol", "mallory"):
                raise CloudError.unauthorized("the token is wrong")
            return Caller(token, token)

        def get(caller, console):
            return self.rights.look(caller.name, console)()

        return SimpleNamespace(principals=SimpleNamespace(authenticate=authenticate), channels=SimpleNamespace(get=get))

    @contextmanager
    def running(self):
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        assert self._ready.wait(20)
        try:
            yield self
        finally:
            self.loop.call_soon_threadsafe(self._ended.set)
            thread.join(20)
            assert not thread.is_alive()

    async def _serve(self):
        self.loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        app = FastAPI()
        app.include_router(router)
        app.state.core, app.state.hub = self.core(), Hub(self.machine)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, log_level=logging.ERROR))
        server.capture_signals = _nothing
        serving = asyncio.ensure_future(server.serve([listener]))
        asyncssh.set_log_level(logging.CRITICAL)
        door = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Door, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            process_factory=lambda process: self._attend(process, app.state.hub), errors="replace")
        while not server.started:
            await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.ssh_port = door.get_port()
        self._ready.set()
        await self._ended.wait()
        await app.state.hub.close()
        door.close()
        server.should_exit = True
        await serving

    async def _attend(self, process, hub):
        who = process.get_extra_info("who")
        number = int(process.get_extra_info("username").removeprefix("con"))
        await attend(process, hub, who, self.rights.look(who, number))


@contextmanager
def _nothing():
    yield
