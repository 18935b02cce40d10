"""The machine of a cloud, as a program of the simulator process: it does what its service asks, and nothing by itself.

It keeps nothing that must last. Its end is a power cut: the next one begins with all nodes in hold, and with the next
boot number.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from khhw.cloud.calls import (
    CALLS,
    ERRORS,
    HELLO,
    VERSION,
    Apply,
    Approve,
    CallError,
    Channel,
    Nothing,
    PassUntil,
    Read,
    Say,
    plain,
)
from khhw.cloud.frames import Frame
from khhw.cloud.machine import MachineError, MachineInfo, RequestRefusedError
from khhw.cloud.machine_folder import FolderError, MachineFolder
from khhw.cloud.simulator_consoles import Channels
from khhw.cloud.simulator_link import Connection, Link
from khhw.cloud.simulator_owner import Carrier
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.inbox import Inbox
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT, Task, sleep
from khhw.host.sync import Event
from khhw.kernels.approval import Approval
from khhw.kernels.image import described
from khhw.kernels.loader import run_loader
from khhw.node import NodeTransport, Shape
from khhw.node.tree_packets import TreePacket
from khhw.sim.options import Outcome
from rtl.formats import TreeChannel

__all__ = ["CRASH", "CloudProgram", "program"]

CRASH = "KHHW_CRASH_AT_PACKET"
"""``BOOT:N,BOOT:N``, for tests: in these boots the simulator kills itself, not to send the owner's n-th packet."""
_LOOK_SECONDS = 1.0
"""How long a machine that stands still looks away from signals."""
_PREDECESSOR_SECONDS = 5
"""How long the simulator before may take to be gone."""


def program(host: Host, arguments: Mapping[str, Any]) -> "CloudProgram":
    """The program of a cloud's machine; the entry of a simulator process.

    Parameters
    ----------
    host : Host
        Not yet running; is given an inbox, unless it waits.
    arguments : mapping
        ``state``, the state folder, ``info``, a :class:`~khhw.cloud.machine.MachineInfo` as plain values, and
        ``waits``: whether it stands still between calls, so that its cycles do not depend on the wall.

    Raises
    ------
    FolderError
        If another simulator uses the state folder, or it is damaged.
    """
    folder = MachineFolder(Path(arguments["state"]))
    run = CloudProgram(host, folder, arguments["info"], waits=arguments["waits"])
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run


class CloudProgram:
    """A machine that serves a cloud until it is switched off; a ``Program``."""

    def __init__(self, host: Host, folder: MachineFolder, info: Mapping[str, Any], *, waits: bool) -> None:
        self.host = host
        self._waits = waits
        self._inbox = Inbox()
        if not waits:
            host.inbox = self._inbox
        if folder.hold(seconds=_PREDECESSOR_SECONDS) is None:
            raise FolderError(f"another simulator runs in {folder.path}")
        self._boot = folder.next_boot()
        hello = plain(HELLO, {"version": VERSION, "pid": os.getpid(), "boot": self._boot, "info": info})
        described_by: MachineInfo = hello.info
        shape = Shape(*described_by.shape)
        self._outside = _Outside(host, self._boot)
        self._approval = Approval()
        self._borders: list[int] = []
        self._carrier = Carrier(
            Owner(self._outside, shape), self._boot, described_by.receive_ids,
            on_moment=lambda: self._borders.append(self._outside.owner_packets))
        self._channels = Channels(self._outside, shape, self._carrier.hearers, self._heard)
        self._off = Event("to be switched off")
        self._connections: list[Connection] = []
        self._calls: list[Task[None]] = []
        for port in host.nodes:
            port.boot(self._load)
        self._link = Link(folder, Frame(HELLO.dump_python(hello, mode="json")), enter=self._enter, leave=self._leave,
                          call=self._called)

    async def run(self) -> None:
        """Serve until the machine is switched off."""
        await self._outside.start()
        self._link.start()
        if self._waits:
            await self._call_by_call()
        else:
            await self._off.wait()

    async def _call_by_call(self) -> None:
        """Carry out one call after the other; in between the simulator's thread waits, and no cycle passes."""
        while not self._off.is_set():
            while not self._inbox.wait(_LOOK_SECONDS):
                pass
            self._inbox.deliver(self.host.scheduler, self.host.scheduler.now)
            await sleep(0)
            while self._calls:
                await self._calls.pop(0)

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """How many packets the owner has sent, in all and up to each moment of each phase; closes the socket."""
        self._link.close()
        return {"boot": self._boot, "owner_packets": self._outside.owner_packets, "borders": self._borders}

    def stuck(self, _read: object) -> Sequence[str]:
        """A cloud's machine has no end that it could miss."""
        return ()

    async def _load(self, transport: NodeTransport) -> None:
        await run_loader(transport, approval=self._approval)

    # In the link's thread.

    def _enter(self, connection: Connection) -> None:
        self._inbox.post(ROOT, partial(self._connections.append, connection), "a service comes")

    def _leave(self, connection: Connection) -> None:
        self._inbox.post(ROOT, partial(self._forget, connection), "a service goes")

    def _called(self, connection: Connection, frame: Frame) -> None:
        self._inbox.post(ROOT, partial(self._spawn, connection, frame), "a call")

    # In the simulation's.

    def _forget(self, connection: Connection) -> None:
        self._connections.remove(connection)
        if self._waits:
            # Nobody else lets its time pass.
            self._off.set()

    def _spawn(self, connection: Connection, frame: Frame) -> None:
        name = f"call {frame.values.get('call')!r:.40}"
        call = self.host.scheduler.spawn(self._answer(connection, frame), rank=ROOT, name=name, daemon=True)
        if self._waits:
            self._calls.append(call)

    async def _answer(self, connection: Connection, frame: Frame) -> None:
        """One call, whatever goes wrong with it."""
        values: dict[str, Any] = {"id": frame.values.get("id")}
        try:
            values["result"] = await self._do(connection, frame)
        except MachineError as error:
            kind = next(kind for kind, known in ERRORS.items() if isinstance(error, known))
            values |= {"error": kind, "message": str(error)}
        except Exception as error:
            values |= {"error": "failed", "message": described(error)}
        self._link.post(partial(connection.answer, Frame(values)))

    async def _do(self, connection: Connection, frame: Frame) -> Any:
        name = frame.values.get("call")
        call = CALLS.get(name) if isinstance(name, str) else None
        if call is None:
            raise CallError(f"no call {name!r:.40}; there are {', '.join(CALLS)}")
        arguments = plain(call.arguments, frame.values.get("arguments", {}))
        return call.result.dump_python(await self._result(connection, name, arguments, frame.data), mode="json")

    async def _result(self, connection: Connection, name: object, arguments: Any, data: bytes) -> Any:
        match arguments:
            case Apply(revision):
                return await self._carrier.apply(revision)
            case Read(tag, ranks):
                return await self._carrier.read(tag, ranks)
            case Say(channel, text):
                await self._channels.say(channel, text, data)
                return self._carrier.clock
            case Approve(images):
                try:
                    self._approval.approve_only(images)
                except ValueError as error:
                    raise RequestRefusedError(str(error)) from None
            case Channel(channel) if name == "listen":
                connection.channels.add(channel)
            case Channel(channel):
                connection.channels.discard(channel)
            case PassUntil(cycle):
                await self._outside.sleep(max(0, cycle - self._outside.now))
                return self._carrier.clock
            case Nothing() if name == "clock":
                return self._carrier.clock
            case Nothing() if name == "nodes":
                return await self._carrier.nodes()
            case Nothing():
                self._off.set()
        return Nothing()

    def _heard(self, cycle: int, rank: int, channel: int, data: bytes) -> None:
        for connection in self._connections:
            if channel in connection.channels:
                values = {"boot": self._boot, "cycle": cycle, "rank": rank, "channel": channel}
                self._link.post(partial(connection.hear, channel, values, data))


class _Outside(Outside):
    """The port above the root; in tests it can take the whole machine with it."""

    def __init__(self, host: Host, boot: int) -> None:
        super().__init__(host.root)
        deaths = dict(word.split(":") for word in os.environ.get(CRASH, "").split(",") if word)
        self._last = int(deaths.get(str(boot), 0))
        self.owner_packets = 0

    async def send(self, packet: TreePacket, channel: TreeChannel) -> None:
        if channel == TreeChannel.OWNER:
            self.owner_packets += 1
            if self.owner_packets == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
        await super().send(packet, channel)
