"""The host side of a machine: what tasks use, and what a back end serves.

Everything here is the same for every back end; ``docs/host-time.md`` says when a back end calls what.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Protocol

from khhw.host.cpu import CLOCK_HZ, IDEAL, CpuModel, Processor, Work
from khhw.host.inbox import Inbox
from khhw.host.root_port import RootPort
from khhw.host.scheduler import Observer, Scheduler, Sleep, Task, Wait
from khhw.host.sync import scope
from khhw.host.transport import BusError

__all__ = ["Access", "Firmware", "Host", "Memory", "NodePort", "ranks_in"]

_ADDRESSES = 1 << 24


class Memory(Protocol):
    """The back door to all node memories. A back end provides it."""

    def peek(self, rank: int, address: int, length: int) -> bytes:
        """Bytes of a node's memory, as they are now."""

    def poke(self, rank: int, address: int, data: bytes) -> None:
        """Change a node's memory now."""


class Access(Wait[int]):
    """A register access, from the moment a task asks for it to the node's answer.

    Parameters
    ----------
    port : NodePort
        Where.
    address : int
        Byte address.
    value : int or None
        What to write; None to read.
    """

    def __init__(self, port: "NodePort", address: int, value: int | None) -> None:
        if not 0 <= address < _ADDRESSES:
            raise ValueError(f"Register addresses have 24 bits: {address:#x}")
        if value is not None and not 0 <= value < 1 << 32:
            raise ValueError(f"Registers have 32 bits: {value:#x}")
        self.rank = port.rank
        self.address = address
        self.value = value
        self._port = port
        self._task: Task[Any] | None = None

    def __str__(self) -> str:
        return f"the answer to a {self.operation} of {self.address:#08x}"

    @property
    def operation(self) -> str:
        """``"read"`` or ``"write"``."""
        return "read" if self.value is None else "write"

    def begin(self, task: Task[Any]) -> None:
        self._task = task
        self._port.enqueue(self)

    def abandon(self, task: Task[Any]) -> None:
        self._task = None
        self._port.withdraw(self)

    def answer(self, cycle: int, value: int, error: bool) -> None:
        """The node answered in `cycle`; the task goes on in the next one."""
        if self._task is not None:
            self._task.wake_at(cycle + 1, value, BusError(self.address, self.operation) if error else None)


class _Interrupt(Wait[None]):
    def __init__(self, port: "NodePort") -> None:
        self._port = port

    def __str__(self) -> str:
        return "the interrupt"

    def begin(self, task: Task[Any]) -> None:
        self._port.listen(task)

    def abandon(self, task: Task[Any]) -> None:
        self._port.ignore(task)


def ranks_in(mask: int) -> list[int]:
    """Numbers of the bits that are 1, lowest first."""
    ranks = []
    while mask:
        low = mask & -mask
        ranks.append(low.bit_length() - 1)
        mask ^= low
    return ranks


Firmware = Callable[["NodePort"], Coroutine[Any, Any, None]]
"""What a node's processor runs from its reset on."""


class NodePort:
    """One node's transport; a ``NodeTransport``.

    The processor behind it is in reset while the owner holds the node: :meth:`boot` says what it runs when it is
    released. What runs on it is cancelled the moment it is held, stores nothing from then on, and is gone a cycle
    later.
    """

    def __init__(self, host: "Host", rank: int) -> None:
        self._waiting: list[Task[Any]] = []
        self._held = True
        self._firmware: Firmware | None = None
        self._running: Task[None] | None = None
        self._host = host
        self._rank = rank
        self.processor = Processor(host.cpu, host.clock_hz)
        self._queue: deque[Access] = deque()
        self._active: Access | None = None

    @property
    def rank(self) -> int:
        """Dense rank of the node."""
        return self._rank

    @property
    def now(self) -> int:
        """The current cycle."""
        return self._host.scheduler.now

    async def read(self, address: int) -> int:
        """Read a register; see ``NodeTransport``."""
        await self.compute(self._host.cpu.read_ns)
        return await Access(self, address, None)

    async def write(self, address: int, value: int) -> None:
        """Write a register; see ``NodeTransport``."""
        await self.compute(self._host.cpu.write_ns)
        await Access(self, address, value)

    def peek(self, address: int, length: int) -> bytes:
        """Load from the node's memory; see ``NodeTransport``."""
        self._host.check(address, length)
        return self._host.memory.peek(self._rank, address, length)

    def poke(self, address: int, data: bytes) -> None:
        """Store to the node's memory; see ``NodeTransport``."""
        self._host.check(address, len(data))
        if self._held and self._running is not None:
            raise BusError(address, "store to the memory of a held node")
        self._host.memory.poke(self._rank, address, data)

    async def interrupt(self) -> None:
        """Wait until the interrupt level is 1; see ``NodeTransport``."""
        await _Interrupt(self)
        await self.compute(self._host.cpu.interrupt_ns)

    async def sleep(self, cycles: int) -> None:
        """Wait; see ``NodeTransport``."""
        await Sleep(cycles)

    async def compute(self, ns: float | Fraction) -> None:
        """Charge software time; see ``NodeTransport``."""
        now = self.now
        until = self.processor.charge(now, ns)
        if until > now:
            await Sleep(until - now)

    async def work(self, kind: Work, units: int = 1) -> None:
        """Charge work; see ``NodeTransport``."""
        await self.compute(self._host.cpu.cost({kind: units}))

    async def work_all(self, work: Mapping[Work, int]) -> None:
        """Charge several kinds of work; see ``NodeTransport``."""
        await self.compute(self._host.cpu.cost(work))

    @property
    def busy_ns(self) -> float:
        """Software time so far; see ``NodeTransport``."""
        return self.processor.busy_ns

    def boot(self, firmware: Firmware) -> None:
        """Run `firmware` whenever the owner has released the node; for a task of the node's own each time."""
        self._firmware = firmware
        if not self._held:
            self._start()

    def holds(self, held: bool) -> None:
        """The owner holds or releases the node from this cycle on."""
        if held == self._held:
            return
        self._held = held
        if not held:
            self._start()
            return
        self.processor.halt(self.now)
        if self._running is not None:
            # Tasks are told, so that what they share with others is put in order, and then gone, whatever they do.
            self._running.cancel()
            self._host.scheduler.at(
                self.now + 1, self._rank, partial(self._host.scheduler.kill, self._rank), f"reset of node {self._rank}")

    def _start(self) -> None:
        if self._firmware is not None:
            self._running = self._host.scheduler.spawn(
                self._live(self._firmware), rank=self._rank, name="processor", daemon=True)

    async def _live(self, firmware: Firmware) -> None:
        try:
            async with scope():
                await firmware(self)
        except BusError:
            if not self._held:
                raise

    def enqueue(self, access: Access) -> None:
        """A task asks for an access."""
        self._queue.append(access)
        self._host.ready.add(self._rank)

    def withdraw(self, access: Access) -> None:
        """A task no longer wants an access. One that the bus already shows goes on without it."""
        if access in self._queue:
            self._queue.remove(access)

    def start(self) -> Access | None:
        """The access that begins now, if the port is free and one is asked for."""
        if self._active is None and self._queue:
            self._active = self._queue.popleft()
            return self._active
        return None

    def answered(self, cycle: int, value: int, error: bool) -> None:
        """The node answered the access in progress."""
        assert self._active is not None, f"node {self._rank} answered without being asked"
        access, self._active = self._active, None
        access.answer(cycle, value, error)
        if self._queue:
            self._host.ready.add(self._rank)

    def listen(self, task: Task[Any]) -> None:
        """A task waits for the interrupt level to be 1."""
        self._waiting.append(task)
        self._host.listening |= 1 << self._rank

    def ignore(self, task: Task[Any]) -> None:
        """A task no longer waits for the interrupt."""
        if task in self._waiting:
            self._waiting.remove(task)
            if not self._waiting:
                self._host.listening &= ~(1 << self._rank)

    def raised(self, cycle: int) -> None:
        """The interrupt level was 1 in `cycle`: whoever waits goes on in the next one."""
        waiting, self._waiting = self._waiting, []
        self._host.listening &= ~(1 << self._rank)
        for task in waiting:
            task.wake_at(cycle + 1)


class Host:
    """Scheduler and ports of a machine.

    Parameters
    ----------
    nodes : int
        How many.
    memory_bytes : int
        Memory of a node.
    cpu : CpuModel
        What software costs.
    clock_hz : int
        Frequency of the simulated clock.
    observer : callable or None
        See :class:`~khhw.host.scheduler.Scheduler`.

    Attributes
    ----------
    inbox : Inbox or None
        Where events from outside the simulation come in; an entry function sets it before the machine runs.
    figures : callable
        Plain values by name that progress reports carry besides their own.
    listening : int
        Nodes with a task that waits for the interrupt, bit r node r.
    """

    def __init__(
        self,
        nodes: int,
        memory_bytes: int,
        *,
        cpu: CpuModel = IDEAL,
        clock_hz: int = CLOCK_HZ,
        observer: Observer | None = None,
    ) -> None:
        self.cpu = cpu
        self.clock_hz = clock_hz
        self.memory_bytes = memory_bytes
        self.scheduler = Scheduler(observer)
        self.ready: set[int] = set()
        self.listening = 0
        self.nodes = [NodePort(self, rank) for rank in range(nodes)]
        self.root = RootPort(self.scheduler)
        self.memory: Memory = _NoMemory()
        self._held = (1 << nodes) - 1
        self.inbox: Inbox | None = None
        self.figures: Callable[[], dict[str, Any]] = dict

    def use_cpu(self, cpu: CpuModel) -> None:
        """Charge software by another model from now on."""
        self.cpu = cpu
        for port in self.nodes:
            port.processor.use(cpu)

    def check(self, address: int, length: int) -> None:
        """Raise IndexError unless the bytes are in a node's memory."""
        if address < 0 or length < 0 or address + length > self.memory_bytes:
            raise IndexError(f"{length} bytes at {address:#x} are not in a memory of {self.memory_bytes} bytes")

    def start_accesses(self) -> list[Access]:
        """Accesses the bus shows from this cycle on, by rank."""
        ready, self.ready = sorted(self.ready), set()
        return [access for rank in ready if (access := self.nodes[rank].start()) is not None]

    def interrupts(self, cycle: int, levels: int) -> None:
        """Interrupt levels in `cycle`, bit r that of node r."""
        for rank in ranks_in(levels & self.listening):
            self.nodes[rank].raised(cycle)

    def held(self, cycle: int, levels: int) -> None:
        """Nodes their owner held in `cycle`, bit r node r; their processors know from the next one on."""
        changed, self._held = self._held ^ levels, levels
        for rank in ranks_in(changed):
            held = bool(levels >> rank & 1)
            self.scheduler.at(cycle + 1, rank, partial(self.nodes[rank].holds, held), f"reset of node {rank}")


class _NoMemory:
    def peek(self, rank: int, address: int, length: int) -> bytes:
        raise RuntimeError("Memories are there only while the machine runs")

    def poke(self, rank: int, address: int, data: bytes) -> None:
        raise RuntimeError("Memories are there only while the machine runs")
