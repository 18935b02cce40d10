"""The network interface: rings, descriptors, DMA, counters, console and host port of a node."""

from collections.abc import Iterator
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from rtl.formats import Writer
from rtl.ni.arbiter import MemoryArbiter
from rtl.ni.console import ConsoleReceiver, ConsoleSender
from rtl.ni.counters import CounterFile, Reader
from rtl.ni.host import HostPort
from rtl.ni.injection import InjectionLane
from rtl.ni.reception import ReceptionLane
from rtl.ni.ring import RingFile
from rtl.ni.status import StatusFile
from rtl.parameters import Parameters
from rtl.registers import Irq
from rtl.signatures import ni_signature

__all__ = ["NI"]


class NI(wiring.Component):
    """Moves messages between node memory and torus, console text between node memory and tree.

    Injection ring ``r`` is sent on lane ``r mod lanes``. Software reaches all through the registers of
    :mod:`rtl.registers` below the guard's page. A put of one lane keeps its link busy: 64 KiB take 32 flits
    for every 240 bytes and no idle cycle between; reception loses a cycle or two a packet while the
    memory answers. A reset must outlast what the memory still has to answer.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    See :func:`~rtl.signatures.ni_signature`.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__(ni_signature(parameters))

    @staticmethod
    def observables(parameters: Parameters) -> Iterator[tuple[str, str]]:
        """What says which messages have not been sent: submodule and variable."""
        for ring in range(parameters.injection_rings):
            yield from ((f"rings.ring_{ring}", name) for name in ("base", "size", "head", "tail"))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # Lanes in and out, the console both ways, and the host port.
        lanes = self._parameters.lanes
        rings_of = {lane: list(range(lane, self._parameters.injection_rings, lanes)) for lane in range(lanes)}
        injection = {lane: InjectionLane(self._parameters, rings) for lane, rings in rings_of.items() if rings}
        reception = [ReceptionLane(self._parameters) for _ in range(lanes)]
        for lane, block in injection.items():
            m.submodules[f"injection_{lane}"] = block
        for lane, block in enumerate(reception):
            m.submodules[f"reception_{lane}"] = block
        m.submodules.receiver = receiver = ConsoleReceiver(self._parameters)
        m.submodules.sender = sender = ConsoleSender(self._parameters)
        m.submodules.port = port = HostPort(self._parameters)

        # What the host sets and reads: rings, counters of both sides, status.
        m.submodules.rings = rings = RingFile(self._parameters, clients=lanes + 1)
        senders = list(injection.values())
        m.submodules.sent = sent = CounterFile(self._parameters, "INJECTION", Reader, clients=2 * len(senders))
        m.submodules.received = received = CounterFile(self._parameters, "RECEPTION", Writer, clients=2 * lanes)
        m.submodules.status = status = StatusFile(self._parameters, injection_lanes=len(senders))
        _attach_registers(m, port, [rings, sent, received, status, sender])

        # Streams, and each block's rings and counters.
        for lane, block in injection.items():
            connect(m, block.o, flipped(self.inject[lane]))
            m.d.comb += block.commits.eq(self.commits)
            _attach_rings(m, rings, block, rings_of[lane])
        m.d.comb += [rings.retire.eq(_scatter(injection, rings_of, "retire")),
                     rings.take.eq(_scatter(injection, rings_of, "take"))]
        for lane, block in enumerate(reception):
            connect(m, flipped(self.eject[lane]), block.i)
        connect(m, flipped(self.console_in), receiver.i)
        connect(m, sender.o, flipped(self.console_out))
        for client, block in zip(rings.clients, [*reception, receiver], strict=True):
            connect(m, block.ring, client)
            m.d.comb += block.restart.eq(rings.restart)
        for file, blocks in ((sent, senders), (received, reception)):
            ports = [client for block in blocks for client in (block.lookup, block.count)]
            for client, used in zip(ports, file.clients, strict=True):
                connect(m, client, used)

        # One memory port for all.
        readers = [*(client for block in senders for client in (block.fetch, block.read)), sender.read, port.read]
        writers = [*(block.write for block in reception), receiver.write, port.write]
        m.submodules.arbiter = arbiter = MemoryArbiter(self._parameters, readers=len(readers), writers=len(writers))
        for client, used in zip([*readers, *writers], [*arbiter.readers, *arbiter.writers], strict=True):
            connect(m, client, used)
        connect(m, arbiter.memory, flipped(self.memory))

        # Status and interrupts.
        connect(m, flipped(self.host), port.host)
        connect(m, port.guard, flipped(self.guard))
        first = self._parameters.injection_rings
        m.d.comb += [
            status.straps.eq(self.straps),
            status.node_id.eq(self.node_id),
            status.now.eq(self.now),
            status.bus_error.eq(port.error),
            status.finish.eq(reduce(or_, (block.finish for block in reception))),
            Value.cast(status.verdict).eq(
                reduce(or_, (block.finish.replicate(3) & Value.cast(block.verdict) for block in reception))),
            status.console_drop.eq(receiver.drop),
            status.causes[:self._parameters.reception_rings].eq(rings.filled[first:-1]),
            status.causes[Irq.CONSOLE].eq(rings.filled[-1]),
            status.causes[Irq.CONSOLE_SENT].eq(~sender.busy),
            status.causes[Irq.INJECTION_HIT].eq(sent.hit),
            status.causes[Irq.RECEPTION_HIT].eq(received.hit),
            *(report.eq(block.report) for report, block in zip(status.reports, senders, strict=True)),
            self.irq.eq(status.irq),
            self.retired.eq(Cat(block.retired for block in reception)),
            self.console_retired.eq(receiver.retired),
        ]

        busy = [block.busy for block in (*senders, *reception, receiver, sender, port, sent, received, arbiter)]
        incoming = [self.console_in.valid, *(stream.valid for stream in self.eject)]
        m.d.comb += self.quiescent.eq(~Cat(*busy, *incoming, rings.pending).any())
        return m


def _attach_registers(m: Module, port: HostPort, blocks: list) -> None:
    """Each register of the host port to the block that implements it."""
    for block in blocks:
        m.d.comb += [
            block.host.write.eq(port.registers.write),
            block.host.index.eq(port.registers.index),
            block.host.data.eq(port.registers.data),
            *(block.host.select[name].eq(port.registers.select[name]) for name in block.registers),
        ]
    m.d.comb += [
        port.registers.done.eq(reduce(or_, (block.host.done for block in blocks))),
        port.registers.error.eq(reduce(or_, (block.host.error for block in blocks))),
        port.registers.value.eq(reduce(or_, (block.host.value for block in blocks))),
    ]


def _attach_rings(m: Module, rings: RingFile, block: InjectionLane, numbers: list[int]) -> None:
    """The injection rings `numbers` to the lane that serves them."""
    for index, ring in enumerate(numbers):
        m.d.comb += [
            block.pending[index].eq(rings.pending[ring]),
            block.remote[index].eq(rings.remote[ring]),
            block.restart[index].eq(rings.restart[ring]),
            block.descriptors[index].eq(rings.descriptors[ring]),
        ]


def _scatter(lanes: dict[int, InjectionLane], rings_of: dict[int, list[int]], name: str) -> Value:
    """A pulse of each lane's rings, in the order of all rings."""
    return reduce(or_, (
        getattr(block, name)[index] << ring
        for lane, block in lanes.items() for index, ring in enumerate(rings_of[lane])))
