"""Byte counters with the windows they guard: one file for injection, one for reception."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from rtl.ni.arbiter import select
from rtl.ni.decode import is_misaligned, register_port
from rtl.parameters import Parameters
from rtl.registers import REGISTERS
from rtl.round_robin import RoundRobin

__all__ = ["CounterFile", "Operation", "Reader", "admits", "counter_client"]

Reader = REGISTERS["INJECTION_READER"].kept
"""Who may read an injection window by remote get."""


def admits(writer: data.View, source: Value, key: Value) -> Value:
    """Whether a reception counter takes a put.

    Parameters
    ----------
    writer : View of Writer
        Of the counter.
    source : Value, 16 bits
        Node id the guard has stamped on the put.
    key : Value, 6 bits
        Of the put.
    """
    return writer.armed & (writer.any | (writer.node == source)) & (writer.key == key)


class Operation(enum.IntEnum, shape=1):
    """What a client wants."""

    LOOKUP = 0
    """Read window, limit and rights."""
    COUNT = 1
    """Count the value down."""


def counter_client(rights: data.StructLayout) -> wiring.Signature:
    """A client of a counter file, seen from itself.

    Members
    -------
    valid : Out(1)
        Lasts until `ready`.
    operation : Out(Operation)
    index : Out(8)
        Counter; counting one that is not there does nothing.
    amount : Out(8)
        Bytes to count.
    ready : In(1)
        Done in this cycle; the others belong to it.
    exists : In(1)
        There is such a counter.
    window, limit : In(32)
        Byte address and length of its window.
    rights : In(rights)
    """
    return wiring.Signature({
        "valid": Out(1),
        "operation": Out(Operation),
        "index": Out(8),
        "amount": Out(8),
        "ready": In(1),
        "exists": In(1),
        "window": In(32),
        "limit": In(32),
        "rights": In(rights),
    })


Request = data.StructLayout({"operation": Operation, "index": 8, "amount": 8})


class CounterFile(wiring.Component):
    """Counters of one side. Serves one request a cycle, clients and host in turn, without latency.

    Counting is modulo 2^32; only a count that ends at exactly zero sets the hit bit. After a reset the
    file clears itself, one counter a cycle, and serves nobody meanwhile.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    side : str
        ``"INJECTION"`` or ``"RECEPTION"``: which registers these are.
    rights : data.StructLayout
        :data:`Reader` or :data:`~rtl.formats.Writer`: the fourth register.
    clients : int
        Number of clients.

    Members
    -------
    clients : In(counter client), array
    host : In(register port)
        VALUE, WINDOW, LIMIT, the rights, and HITS.
    hit : Out(1)
        A hit bit is set.
    busy : Out(1)
        Still clearing.
    """

    def __init__(self, parameters: Parameters, side: str, rights: data.StructLayout, *, clients: int) -> None:
        self._counters = parameters.counters
        self._side = side
        self._rights = rights
        fourth = "READER" if rights is Reader else "WRITER"
        self.fields = {name: f"{side}_{name}" for name in ("VALUE", "WINDOW", "LIMIT", fourth)}
        """Register of each memory."""
        self.registers = (*self.fields.values(), f"{side}_HITS")
        """Names of the registers implemented here."""
        super().__init__({
            "clients": In(counter_client(rights)).array(clients),
            "host": In(register_port(self.registers)),
            "hit": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        host, fields = self.host, self.fields
        on_hits = host.select[f"{self._side}_HITS"]
        on_fields = Cat(host.select[name] for name in fields.values())

        # After reset all counters are set to 0, one a cycle.
        clearing = Signal(range(self._counters), init=self._counters - 1)
        clear = Signal(init=1)
        with m.If(clear):
            m.d.sync += [clearing.eq(clearing - 1), clear.eq(clearing != 0)]
        m.d.comb += self.busy.eq(clear)

        # The host is the last client.
        m.submodules.arbiter = arbiter = RoundRobin(len(self.clients) + 1, holds=True)
        request = Signal(Request)
        host_grant = Signal()
        m.d.comb += [
            arbiter.requests.eq(Cat(*(client.valid for client in self.clients), on_fields.any())
                                & (~clear).replicate(len(self.clients) + 1)),
            arbiter.advance.eq(arbiter.requests.any()),
            host_grant.eq(arbiter.grants[-1]),
            request.as_value().eq(select(arbiter.grants, [
                *(Cat(client.operation, client.index, client.amount) for client in self.clients),
                Cat(Operation.LOOKUP, host.index, 0),
            ])),
        ]
        # The winner's counter: value, window, limit and rights in one cycle.
        exists = Signal()
        address = Signal(range(self._counters))
        m.d.comb += [
            exists.eq(request.index < self._counters),
            address.eq(Mux(clear, clearing, request.index)),
        ]

        value, write_value = self._memory(m, fields["VALUE"], 32, address, clear, host_grant)
        window, _ = self._memory(m, fields["WINDOW"], 32, address, clear, host_grant)
        limit, _ = self._memory(m, fields["LIMIT"], 32, address, clear, host_grant)
        rights, _ = self._memory(m, list(fields.values())[3], self._rights.size, address, clear, host_grant)
        for index, client in enumerate(self.clients):
            m.d.comb += [
                client.ready.eq(arbiter.grants[index]),
                client.exists.eq(exists),
                client.window.eq(window),
                client.limit.eq(limit),
                client.rights.as_value().eq(rights),
            ]

        # Count down, and say which counter has reached 0.
        after = Signal(32)
        count = Signal()
        reached = Signal(self._counters)
        m.d.comb += [
            after.eq(value - request.amount),
            count.eq((request.operation == Operation.COUNT) & arbiter.grants.any() & exists & (request.amount != 0)),
        ]
        with m.If(count):
            m.d.comb += [
                write_value.en.eq(1),
                write_value.data.eq(after),
                reached.eq((after == 0) << address),
            ]

        # Hits stay until the host writes a 1.
        hits = Signal(self._counters)
        words = [hits[low:low + 32] for low in range(0, self._counters, 32)]
        cleared = Signal(self._counters)
        for index, low in enumerate(range(0, self._counters, 32)):
            with m.If(on_hits & host.write & (host.index == index)):
                m.d.comb += cleared[low:low + 32].eq(host.data)
        m.d.sync += hits.eq(hits & ~cleared | reached)
        m.d.comb += self.hit.eq(hits.any())

        # Answer the host.
        misaligned = Signal()
        m.d.comb += [
            misaligned.eq(host.select[fields["WINDOW"]] & host.write & is_misaligned(host.data, 8)),
            host.done.eq(on_hits | host_grant),
            host.error.eq(misaligned),
        ]
        for name, word in zip(fields.values(), (value, window, limit, rights), strict=True):
            with m.If(host.select[name]):
                m.d.comb += host.value.eq(word)
        for index, word in enumerate(words):
            with m.If(on_hits & (host.index == index)):
                m.d.comb += host.value.eq(word)
        return m

    def _memory(self, m: Module, register: str, width: int, address: Signal, clear: Signal, host_grant: Signal):
        """One field of all counters, written by the clearing walk and the host; returns it and its write port."""
        memory = Memory(MemoryData(shape=width, depth=self._counters, init=[]))
        m.submodules[register.lower()] = memory
        read = memory.read_port(domain="comb")
        write = memory.write_port()
        by_host = host_grant & self.host.write & self.host.select[register]
        if register.endswith("WINDOW"):
            by_host &= ~is_misaligned(self.host.data, 8)
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(address),
            write.en.eq(clear | by_host),
            write.data.eq(Mux(clear, 0, self.host.data)),
        ]
        return read.data, write
