"""Five principals and their leases, over a core that is open: what tests of the interface ask about."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.http.app import application
from khhw.cloud.machine import Clock, Listening, Sink
from khhw.cloud.models import Acquire, Connection, Quota
from khhw.cloud.ssh_commands import Inside
from tests.cloud.recorded import RecordedMachine

__all__ = ["NAMES", "SHAPE", "Facts", "SpokenMachine", "World", "build", "opened"]

NAMES = {"owner": "owner", "lessor": "lena", "self": "sam", "sub-tenant": "tom", "stranger": "rita"}
"""Principals by their role; see :mod:`khhw.cloud.http.rights`."""


SHAPE = (3, 3, 1)


class SpokenMachine(RecordedMachine):
    """Hears what is said to its nodes, which answer nothing.

    Attributes
    ----------
    said : list of (int, str, bytes)
        Channel, line and raw data.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SHAPE)
        self.said: list[tuple[int, str, bytes]] = []

    def listen(self, channel: int, sink: Sink) -> Listening:
        """Nothing comes."""
        return _Deaf()

    def say(self, channel: int, text: str, raw: bytes = b"") -> Clock:
        """Write it down."""
        self.said.append((channel, text, raw))
        return self.clock()


class _Deaf:
    def stop(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Facts:
    """What a state folder holds.

    Parameters
    ----------
    tokens : dict of str to str
        By role.
    token_ids : dict of str to str
        By role.
    lease, sublease : str
        UUIDs: of sam's nodes 2 to 4, which he has from lena, and of node 4, which tom has from him.
    parent : str
        UUID of lena's lease.
    own : str
        UUID of a lease of sam's node 8, which he has from the owner of the machine; it has an end.
    console : int
        Of sam's lease.
    network : int
        Sam's, with his node 2 in it.
    intent : str
        By which sam's lease came.
    """

    tokens: dict[str, str]
    token_ids: dict[str, str]
    lease: str
    sublease: str
    parent: str
    own: str
    console: int
    network: int
    intent: str


def done(core: Core) -> None:
    """Carry everything out."""
    while core.step():
        pass


def build(folder: Path) -> Facts:
    """Make a machine and its state folder, with all of them in it."""
    folder.mkdir()
    machine = SpokenMachine(folder)
    tokens = {"owner": Core.init(folder / "state", machine.info)}
    core = Core.open(folder / "state", machine.info)
    try:
        core.connect(machine)
        owner = core.principals.authenticate(tokens["owner"])
        callers = {"owner": owner}
        token_ids = {"owner": core.principals.tokens(owner, "owner")[0].id}
        for role, above, nodes in (("lessor", "owner", 9), ("self", "lessor", 6), ("sub-tenant", "self", 2),
                                   ("stranger", "owner", 6)):
            callers[role] = _principal(core, callers[above], NAMES[role], nodes)
            made = core.principals.create_token(callers[above], None, NAMES[role], label=role)
            assert made.secret is not None
            tokens[role], token_ids[role] = made.secret, made.id
        return _leases(core, callers, tokens, token_ids)
    finally:
        core.close()


def _principal(core: Core, above: Caller, name: str, nodes: int) -> Caller:
    made = core.principals.create(above, None, name, quota=Quota(nodes=nodes, networks=2 * nodes, leases=2 * nodes))
    return Caller(made.id, name)


def _leases(core: Core, callers: dict[str, Caller], tokens: dict[str, str], token_ids: dict[str, str]) -> Facts:
    parent = core.leases.acquire(callers["lessor"], None, Acquire(count=6, name="whole"))
    done(core)
    given = core.leases.acquire(callers["lessor"], None, Acquire(
        user="sam", nodes=[2, 3, 4], parent_lease_uuid=parent.lease_uuid, name="part"))
    done(core)
    network = core.networks.create(callers["self"], None, "club").id
    assert given.lease_uuid is not None and parent.lease_uuid is not None
    core.networks.connect(callers["self"], None, given.lease_uuid, Connection(network=network), nodes=[2])
    below = core.leases.acquire(callers["self"], None, Acquire(
        user="tom", nodes=[4], parent_lease_uuid=given.lease_uuid))
    own = core.leases.acquire(callers["self"], None, Acquire(nodes=[8], new_networks=0, seconds=1000, name="own"))
    done(core)
    lease = core.leases.get(callers["self"], given.lease_uuid)
    assert below.lease_uuid is not None and own.lease_uuid is not None
    return Facts(tokens, token_ids, lease.uuid, below.lease_uuid, parent.lease_uuid, own.lease_uuid, lease.console,
                 network, given.id)


@cache
def _application() -> FastAPI:
    """One for all worlds, as it takes a tenth of a second to make."""
    return application(None, None, ssh_port=2222)  # type: ignore[arg-type]


class World:
    """A copy of a state folder, open, and a client of it.

    Attributes
    ----------
    core : Core
    app : FastAPI
    loop : asyncio.AbstractEventLoop
        In which `app` runs, in a thread of its own.
    client : httpx.Client
        Of `app`.
    machine : SpokenMachine
    """

    def __init__(self, core: Core, machine: SpokenMachine, loop: asyncio.AbstractEventLoop) -> None:
        self.core, self.machine, self.loop = core, machine, loop
        self.app = _application()
        self.app.state.core, self.app.state.machine = core, machine
        self.client = httpx.Client(transport=Inside(self.app, loop), base_url="http://inside")

    def settle(self) -> None:
        """Carry everything out."""
        done(self.core)


@contextmanager
def opened(template: Path, folder: Path) -> Iterator[World]:
    """A copy of what :func:`build` made."""
    shutil.copytree(template, folder)
    machine = SpokenMachine(folder)
    core = Core.open(folder / "state", machine.info)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        core.connect(machine)
        done(core)
        yield World(core, machine, loop)
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        core.close()
