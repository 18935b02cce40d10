"""Who may use the memory: its port, shared by many clients."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from rtl.formats import WORD_BITS, WORD_BYTES
from rtl.parameters import Parameters
from rtl.round_robin import RoundRobin
from rtl.signatures import memory_signature

__all__ = ["MemoryArbiter", "read_client", "select", "write_client"]


def select(grants: Value, values: Sequence[ValueLike]) -> Value:
    """The value whose grant bit is set: AND-OR, so no priority chain. 0 without a grant."""
    masked = [Mux(grants[index], value, 0) for index, value in enumerate(values)]
    return reduce(or_, masked)


def read_client(parameters: Parameters) -> wiring.Signature:
    """A reader of the memory, seen from itself.

    Members
    -------
    request : Out(stream of word address)
        A client requests only what it has room for.
    valid, word : In
        An answer, in request order, for one cycle.
    """
    return wiring.Signature({
        "request": Out(stream.Signature(range(parameters.memory_words))),
        "valid": In(1),
        "word": In(WORD_BITS),
    })


def write_client(parameters: Parameters) -> wiring.Signature:
    """A writer of the memory, seen from itself.

    Members
    -------
    request : Out(stream of {address, data, mask})
        As in :func:`~rtl.signatures.memory_signature`; `valid` may fall again only after a transfer.
    written : In(1)
        One pulse a request, in request order.
    """
    address = range(parameters.memory_words)
    return wiring.Signature({
        "request": Out(stream.Signature(
            data.StructLayout({"address": address, "data": WORD_BITS, "mask": WORD_BYTES}))),
        "written": In(1),
    })


class MemoryArbiter(wiring.Component):
    """Shares the memory port: round robin among readers and, apart from them, among writers.

    A request passes without latency; so does an answer. Up to `depth` requests of each kind may be
    outstanding. Answers are always taken, those without a request (of the time before a reset) too.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    readers, writers : int
        Clients of each kind.
    depth : int
        Requests outstanding.

    Members
    -------
    readers : In(read client), array
    writers : In(write client), array
    memory : Out(memory port)
        See :func:`~rtl.signatures.memory_signature`.
    busy : Out(1)
        A request is outstanding.
    """

    def __init__(self, parameters: Parameters, *, readers: int, writers: int, depth: int = 16) -> None:
        self._depth = depth
        super().__init__({
            "readers": In(read_client(parameters)).array(readers),
            "writers": In(write_client(parameters)).array(writers),
            "memory": In(memory_signature(parameters)),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        read_tags = self._share(m, "read", self.readers, self.memory.read)
        write_tags = self._share(m, "write", self.writers, self.memory.write)

        m.d.comb += self.memory.data.ready.eq(1)
        answered = Signal()
        m.d.comb += [
            answered.eq(self.memory.data.valid & read_tags.r_rdy),
            read_tags.r_en.eq(self.memory.data.valid),
            write_tags.r_en.eq(self.memory.written),
            self.busy.eq(read_tags.r_rdy | write_tags.r_rdy),
        ]
        for index, reader in enumerate(self.readers):
            m.d.comb += [
                reader.valid.eq(answered & read_tags.r_data[index]),
                reader.word.eq(self.memory.data.payload),
            ]
        for index, writer in enumerate(self.writers):
            m.d.comb += writer.written.eq(self.memory.written & write_tags.r_rdy & write_tags.r_data[index])
        return m

    def _share(self, m: Module, name: str, clients: Sequence, port: stream.Interface) -> SyncFIFO:
        """Arbitrate requests onto `port`; returns the FIFO of who was served, one bit a client."""
        arbiter = RoundRobin(len(clients), holds=True)
        tags = SyncFIFO(width=len(clients), depth=self._depth)
        m.submodules[f"{name}_arbiter"] = arbiter
        m.submodules[f"{name}_tags"] = tags
        transfer = Signal(name=f"{name}_transfer")
        m.d.comb += [
            arbiter.requests.eq(sum(client.request.valid << index for index, client in enumerate(clients))),
            arbiter.advance.eq(transfer),
            port.valid.eq(arbiter.requests.any() & tags.w_rdy),
            Value.cast(port.payload).eq(
                select(arbiter.grants, [Value.cast(client.request.payload) for client in clients])),
            transfer.eq(port.valid & port.ready),
            tags.w_data.eq(arbiter.grants),
            tags.w_en.eq(transfer),
        ]
        for index, client in enumerate(clients):
            m.d.comb += client.request.ready.eq(arbiter.grants[index] & tags.w_rdy & port.ready)
        return tags
