"""Five principals and their leases, over a core that is open: what tests of the interface ask about."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.http.app import application
from khhw.cloud.models import Acquire, Connection, Quota
from khhw.cloud.ssh_commands import Inside
from tests.cloud.instant import InstantMachine

__all__ = ["NAMES", "Facts", "World", "build", "opened"]

NAMES = {"owner": "owner", "lessor": "lena", "self": "sam", "sub-tenant": "tom", "stranger": "rita"}
"""Principals by their role; see :mod:`khhw.cloud.http.rights`."""


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
        UUIDs: of sam's nodes 2 to 4, and of node 4, which tom has from him.
    parent : str
        UUID of lena's lease.
    console : int
        Of sam's lease.
    network : int
        Sam's; rita is its guest, and his node 2 is in it.
    intent : str
        By which sam's lease came.
    """

    tokens: dict[str, str]
    token_ids: dict[str, str]
    lease: str
    sublease: str
    parent: str
    console: int
    network: int
    intent: str


def done(core: Core) -> None:
    """Carry everything out."""
    while core.step():
        pass


def build(folder: Path) -> Facts:
    """Make a state folder, with all of them in it."""
    machine = InstantMachine()
    machine.connect()
    tokens = {"owner": Core.init(folder, machine.info)}
    core = Core.open(folder, machine.info)
    try:
        core.connect(machine)
        owner = core.principals.authenticate(tokens["owner"])
        callers = {"owner": owner}
        token_ids = {"owner": core.principals.tokens(owner, "owner")[0].id}
        for role, above, nodes in (("lessor", "owner", 6), ("self", "lessor", 5), ("sub-tenant", "self", 2),
                                   ("stranger", "owner", 6)):
            callers[role] = _principal(core, callers[above], NAMES[role], nodes)
            made = core.principals.create_token(callers[above], None, NAMES[role], label=role)
            assert made.secret is not None
            tokens[role], token_ids[role] = made.secret, made.id
        return _leases(core, callers, tokens, token_ids)
    finally:
        core.close()


def _principal(core: Core, above: Caller, name: str, nodes: int) -> Caller:
    made = core.principals.create(above, None, name, quota=Quota(nodes=nodes, networks=3, leases=6))
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
    core.networks.share(callers["self"], None, network, "rita")
    core.networks.accept(callers["stranger"], None, network)
    below = core.leases.acquire(callers["self"], None, Acquire(
        user="tom", nodes=[4], parent_lease_uuid=given.lease_uuid))
    done(core)
    lease = core.leases.get(callers["self"], given.lease_uuid)
    core.channels.share(callers["self"], None, lease.console, "rita")
    assert below.lease_uuid is not None
    return Facts(tokens, token_ids, lease.uuid, below.lease_uuid, parent.lease_uuid, lease.console, network, given.id)


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
    machine : InstantMachine
    """

    def __init__(self, core: Core, machine: InstantMachine, loop: asyncio.AbstractEventLoop) -> None:
        self.core, self.machine, self.loop = core, machine, loop
        self.app: FastAPI = application(core, machine, ssh_port=2222)
        self.client = httpx.Client(transport=Inside(self.app, loop), base_url="http://inside")

    def settle(self) -> None:
        """Carry everything out."""
        done(self.core)


@contextmanager
def opened(template: Path, folder: Path) -> Iterator[World]:
    """A copy of what :func:`build` made."""
    shutil.copytree(template, folder)
    machine = InstantMachine()
    machine.connect()
    core = Core.open(folder, machine.info)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        core.connect(machine)
        yield World(core, machine, loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        core.close()
