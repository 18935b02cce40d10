"""A simulated machine as the service sees it: its end of the connection to the simulator process."""

import contextlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from khhw.cloud.calls import VERSION, Apply, Approve, Channel, Hello, Nothing, PassUntil, Read, Say
from khhw.cloud.client_connection import Connection
from khhw.cloud.launch import Launcher
from khhw.cloud.machine import (
    Applied,
    Clock,
    Heard,
    MachineDiffersError,
    MachineError,
    MachineGoneError,
    MachineInfo,
    NodeState,
    Reading,
    Revision,
    Sink,
)
from khhw.cloud.machine_folder import MachineFolder
from khhw.cloud.simulator_process import machine_info, write_launch
from khhw.machine.machine import Machine, OnReport

__all__ = ["SimulatedMachine"]

_PATIENCE = 120.0
_OFF_SECONDS = 15.0


class _Listening:
    """A sink of a channel; a :class:`khhw.cloud.machine.Listening`."""

    def __init__(self, machine: "SimulatedMachine", channel: int, sink: Sink) -> None:
        self._machine = machine
        self.channel = channel
        self.sink = sink

    def stop(self) -> None:
        """See :class:`~khhw.cloud.machine.Listening`."""
        self._machine.stop_listening(self)


class SimulatedMachine:
    """The machine of a machine file, in a simulator process of its own; a :class:`khhw.cloud.machine.Machine`.

    Parameters
    ----------
    state : Path
        State folder of the cloud; the simulator's things are in its folder ``machine``.
    machine : Machine
        What it is, and the engine that simulates it.
    on_report : callable, optional
        Told of a build, see :data:`khhw.machine.machine.OnReport`, and then again and again, while the simulator
        starts, of ``starting`` (log).
    patience : float
        Seconds that a simulator has to come up.
    waits : bool
        Whether a simulator that is started here stands still between calls: then no cycle depends on the wall. It ends
        with its connection.
    """

    def __init__(
        self, state: Path, machine: Machine, *, on_report: OnReport | None = None, patience: float = _PATIENCE,
        waits: bool = False,
    ) -> None:
        self._machine = machine
        self._waits = waits
        self._info = machine_info(machine)
        self._folder = MachineFolder(state)
        self._launcher = Launcher(self._folder, patience, self._heard, stays=not waits)
        self._on_report = on_report
        self._connecting = threading.Lock()
        # While sinks and what the machine sends are made to agree.
        self._listening = threading.Lock()
        self._connection: Connection | None = None
        self._sinks: dict[int, tuple[_Listening, ...]] = {}
        self._pid: int | None = None

    @property
    def info(self) -> MachineInfo:
        """See :class:`~khhw.cloud.machine.Machine`."""
        return self._info

    @property
    def alive(self) -> bool:
        """See :class:`~khhw.cloud.machine.Machine`."""
        return self._connection is not None and self._connection.alive

    @property
    def state(self) -> Path:
        """The state folder."""
        return self._folder.state

    @property
    def pid(self) -> int | None:
        """Process of the simulator that was connected to last."""
        return self._pid

    def connect(self) -> Clock:
        """See :class:`~khhw.cloud.machine.Machine`."""
        with self._connecting:
            if not self.alive:
                self._connect(start=True)
        return self.clock()

    def find(self) -> Clock | None:
        """Connect if the machine runs; None if it does not."""
        with self._connecting:
            if not self.alive and not self._connect(start=False):
                return None
        return self.clock()

    def _connect(self, *, start: bool) -> bool:
        try:
            connection = self._found(start=start)
        except OSError as error:
            raise MachineError(f"{error.filename or self._folder.path}: {error.strerror or error}") from error
        if connection is None:
            return False
        try:
            self._check(connection.hello)
        except MachineError:
            connection.close()
            raise
        self._pid = connection.hello.pid
        with self._listening:
            for channel in self._sinks:
                connection.call("listen", Channel(channel))
            self._connection = connection
        return True

    def _found(self, *, start: bool) -> Connection | None:
        self._folder.create()
        self._launcher.reap()
        connection = self._launcher.find()
        if connection is None and start:
            # Whoever waits is told what takes so long, and what is wrong with tools.
            self._machine.build(on_report=self._on_report)
            write_launch(self._folder, self._machine, waits=self._waits)
            connection = self._launcher.start(self._starting)
        return connection

    def _starting(self) -> None:
        if self._on_report is not None:
            self._on_report({"kind": "starting", "log": str(self._folder.log)})

    def _check(self, hello: Hello) -> None:
        where = f"the machine that runs in {self._folder.path} (process {hello.pid})"
        if hello.version != VERSION:
            raise MachineDiffersError(f"{where} is of another version of khhw; end that process first")
        if hello.info != self._info:
            raise MachineDiffersError(f"{where} is another one than was given: " + "; ".join(
                f"{name} is {value}, not {getattr(self._info, name)}"
                for name, value in vars(hello.info).items() if value != getattr(self._info, name)))

    def close(self) -> None:
        """See :class:`~khhw.cloud.machine.Machine`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def switch_off(self) -> None:
        """See :class:`~khhw.cloud.machine.Machine`."""
        # It may end before its answer has left.
        with contextlib.suppress(MachineGoneError):
            self._call("switch_off", Nothing())
        self.close()
        self._launcher.wait(_OFF_SECONDS)

    def clock(self) -> Clock:
        """See :class:`~khhw.cloud.machine.Machine`."""
        found: Clock = self._call("clock", Nothing())
        return found

    def pass_until(self, cycle: int) -> Clock:
        """Let the machine run to a cycle of this boot; what nodes say meanwhile has been heard when this returns."""
        clock: Clock = self._call("pass_until", PassUntil(cycle))
        return clock

    def apply(self, revision: Revision) -> Applied:
        """See :class:`~khhw.cloud.machine.Machine`."""
        applied: Applied = self._call("apply", Apply(revision))
        return applied

    def nodes(self) -> list[NodeState]:
        """See :class:`~khhw.cloud.machine.Machine`."""
        states: list[NodeState] = self._call("nodes", Nothing())
        return states

    def read(self, tag: int, ranks: Iterable[int] | None = None) -> list[Reading]:
        """See :class:`~khhw.cloud.machine.Machine`."""
        readings: list[Reading] = self._call("read", Read(tag, None if ranks is None else tuple(ranks)))
        return readings

    def approve(self, images: Iterable[str]) -> None:
        """See :class:`~khhw.cloud.machine.Machine`."""
        self._call("approve", Approve(tuple(images)))

    def say(self, channel: int, text: str, raw: bytes = b"") -> Clock:
        """See :class:`~khhw.cloud.machine.Machine`."""
        clock: Clock = self._call("say", Say(channel, text), raw)
        return clock

    def listen(self, channel: int, sink: Sink) -> _Listening:
        """See :class:`~khhw.cloud.machine.Machine`."""
        listening = _Listening(self, channel, sink)
        with self._listening:
            others = self._sinks.get(channel, ())
            # The thread that calls them reads this without a lock.
            self._sinks[channel] = (*others, listening)
            if not others:
                self._tell("listen", channel)
        return listening

    def stop_listening(self, listening: _Listening) -> None:
        """What :meth:`khhw.cloud.machine.Listening.stop` does."""
        channel = listening.channel
        with self._listening:
            before = self._sinks.get(channel, ())
            left = tuple(other for other in before if other is not listening)
            if left:
                self._sinks[channel] = left
            elif before:
                del self._sinks[channel]
                self._tell("unlisten", channel)

    def _tell(self, name: str, channel: int) -> None:
        if self._connection is not None:
            # The next connection begins with all channels that are listened to.
            with contextlib.suppress(MachineGoneError):
                self._connection.call(name, Channel(channel))

    def _heard(self, heard: Heard) -> None:
        for listening in self._sinks.get(heard.channel, ()):
            listening.sink(heard)

    def _call(self, name: str, arguments: object, data: bytes = b"") -> Any:
        connection = self._connection
        if connection is None:
            raise MachineGoneError("there is no connection to the machine")
        return connection.call(name, arguments, data)
