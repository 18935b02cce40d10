"""Memory rings: the pointers of one, and the file of all of them."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import CHUNK_BYTES
from rtl.ni.arbiter import select
from rtl.ni.decode import register_port
from rtl.parameters import Parameters
from rtl.register_bits import register_value, register_view
from rtl.round_robin import RoundRobin

__all__ = ["Ring", "RingFile", "ring_client", "ring_count"]


def ring_count(parameters: Parameters) -> int:
    """Rings of a node: injection, then reception, then the console's."""
    return parameters.injection_rings + parameters.reception_rings + 1


class Ring(wiring.Component):
    """Pointers of one ring, in memory words (32 bytes). Every change is visible in the next cycle.

    Four offsets run round the ring: `head` to `tail` is full; hardware that fills a ring has promised the
    room from `tail` to `fill`; hardware that empties one has taken the descriptors from `head` to `fetch`.

    Parameters
    ----------
    words : int
        Memory size in words.

    Members
    -------
    restart_base, restart_size, move_head, move_tail : In(1)
        The host writes; the first two set all offsets to 0.
    data : In(unsigned)
        What it writes, in words.
    set_remote : In(1)
        With `restart_size`: the ring is for remote gets.
    take, retire : In(1)
        Hardware takes the next descriptor; is finished with the oldest.
    reserve, publish : In(1)
        Hardware has filled up to `reserve_to`; it is in memory up to `publish_to`.
    reserve_to, publish_to : In(word address)
    base, size, head, tail, fill, fetch, remote : Out
    """

    def __init__(self, words: int) -> None:
        super().__init__({
            **dict.fromkeys(("restart_base", "restart_size", "move_head", "move_tail", "set_remote"), In(1)),
            **dict.fromkeys(("take", "retire", "reserve", "publish"), In(1)),
            **dict.fromkeys(("reserve_to", "publish_to"), In(range(words))),
            **dict.fromkeys(("data", ), In(range(words + 1))),
            **dict.fromkeys(("base", "head", "tail", "fill", "fetch"), Out(range(words))),
            "size": Out(range(words + 1)),
            "remote": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for advance, pointer in ((self.take, self.fetch), (self.retire, self.head)):
            following = Signal(len(self.data), name=f"after_{pointer.name}")
            m.d.comb += following.eq(pointer + 1)
            with m.If(advance):
                m.d.sync += pointer.eq(Mux(following == self.size, 0, following))
        with m.If(self.reserve):
            m.d.sync += self.fill.eq(self.reserve_to)
        with m.If(self.publish):
            m.d.sync += self.tail.eq(self.publish_to)
        with m.If(self.move_head):
            m.d.sync += self.head.eq(self.data)
        with m.If(self.move_tail):
            m.d.sync += self.tail.eq(self.data)
        with m.If(self.restart_base):
            m.d.sync += self.base.eq(self.data)
        with m.If(self.restart_size):
            m.d.sync += [self.size.eq(self.data), self.remote.eq(self.set_remote)]
        with m.If(self.restart_base | self.restart_size):
            m.d.sync += [pointer.eq(0) for pointer in (self.head, self.tail, self.fill, self.fetch)]
        return m


def ring_client(parameters: Parameters) -> wiring.Signature:
    """Hardware that fills rings, seen from itself. Rings are named by one-hot vectors.

    A ring belongs to one client at a time: from a request that is accepted to `unlock`. Those that wait for it get
    it in the order of asking.

    Members
    -------
    valid : Out(1)
        Lasts until `ready`.
    which : Out(rings)
        Nothing for a ring that is not there.
    chunks : Out(5)
        Room wanted, in 32-byte chunks.
    ready : In(1)
        Decided in this cycle; the others belong to it.
    accepted : In(1)
        There is room (one chunk of a ring stays free), and an injection ring is for remote gets.
    first : In(word address)
        Where to begin; behind `last` comes `base`.
    base, last : In(word address)
    following : In
        Offset behind the room, for `reserve_to` and `publish_to`.
    unlock : Out(rings)
        The last write request has been taken by the memory. At most one client in a cycle.
    reserve : Out(1)
        With `unlock`: keep what was written.
    reserve_to : Out
        0 without `unlock`.
    publish : Out(rings)
        All is in memory; shows it to the reader. At most one client in a cycle.
    publish_to : Out
        0 without `publish`.
    """
    word = range(parameters.memory_words)
    rings = ring_count(parameters)
    return wiring.Signature({
        "valid": Out(1),
        "which": Out(rings),
        "chunks": Out(5),
        "ready": In(1),
        "accepted": In(1),
        "first": In(word), "base": In(word), "last": In(word), "following": In(word),
        "unlock": Out(rings), "reserve": Out(1), "reserve_to": Out(word),
        "publish": Out(rings), "publish_to": Out(word),
    })


class RingFile(wiring.Component):
    """All rings: the host's registers, room for the clients that fill rings, pointers for those that empty them.

    One client is served in a cycle; of those that want the same ring the one that asked first. A ring that reaches
    beyond the end of the memory goes on at address 0.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    clients : int
        Number of clients.

    Members
    -------
    host : In(register port)
        BASE, SIZE, HEAD and TAIL of all rings.
    clients : In(ring client), array
    descriptors : Out, array of word addresses
        Next descriptor of each injection ring.
    pending : Out(injection_rings)
        There is one.
    remote : Out(injection_rings)
    take, retire : In(injection_rings)
        See :class:`Ring`.
    restart : Out(rings)
        The host sets this ring up anew in this cycle: what is under way must not move its pointers.
    filled : Out(rings)
        The ring is not empty.
    """

    def __init__(self, parameters: Parameters, *, clients: int) -> None:
        self._parameters = parameters
        self._groups = {
            "INJECTION": range(parameters.injection_rings),
            "RECEPTION": range(parameters.injection_rings, ring_count(parameters) - 1),
            "CONSOLE": range(ring_count(parameters) - 1, ring_count(parameters)),
        }
        self.registers = tuple(f"{group}_{name}" for group in self._groups for name in ("BASE", "SIZE", "HEAD", "TAIL"))
        """Names of the registers implemented here."""
        rings, injection = ring_count(parameters), parameters.injection_rings
        super().__init__({
            "host": In(register_port(self.registers)),
            "clients": In(ring_client(parameters)).array(clients),
            "descriptors": Out(data.ArrayLayout((parameters.memory_words - 1).bit_length(), injection)),
            "pending": Out(injection),
            "remote": Out(injection),
            "take": In(injection),
            "retire": In(injection),
            "restart": Out(rings),
            "filled": Out(rings),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        rings = [Ring(self._parameters.memory_words) for _ in range(ring_count(self._parameters))]
        for index, ring in enumerate(rings):
            m.submodules[f"ring_{index}"] = ring
            m.d.comb += self.filled[index].eq(ring.head != ring.tail)
        for index, ring in enumerate(rings[:self._parameters.injection_rings]):
            m.d.comb += [
                self.pending[index].eq(ring.fetch != ring.tail),
                self.descriptors[index].eq(ring.base + ring.fetch),
                self.remote[index].eq(ring.remote),
                ring.take.eq(self.take[index]),
                ring.retire.eq(self.retire[index]),
            ]
        self._serve_host(m, rings)
        self._serve_clients(m, rings)
        return m

    def _serve_host(self, m: Module, rings: list[Ring]) -> None:
        host = self.host
        memory_bytes = self._parameters.memory_bytes
        # BASE, HEAD and TAIL count chunks as SIZE does, and have nothing below them.
        asked = register_view("INJECTION_SIZE", host.data)
        words = Signal.like(asked.chunks)
        unaligned = Signal()
        m.d.comb += [words.eq(asked.chunks), unaligned.eq(asked.reserved.any())]

        # Which ring is meant, and by which of its four registers.
        named = [Signal(len(rings), name=f"on_{name.lower()}") for name in ("BASE", "SIZE", "HEAD", "TAIL")]
        on_base, on_size, on_head, on_tail = named
        for group, indices in self._groups.items():
            for signal, name in zip(named, ("BASE", "SIZE", "HEAD", "TAIL"), strict=True):
                with m.If(host.select[f"{group}_{name}"]):
                    m.d.comb += [signal[ring].eq(host.index == ring - indices.start) for ring in indices]
        on_ring = Signal(len(rings))
        size = Signal.like(rings[0].size)
        remote = Signal()
        injection = Signal()
        m.d.comb += [
            on_ring.eq(on_base | on_size | on_head | on_tail),
            Cat(size, remote).eq(select(on_ring, [Cat(ring.size, ring.remote) for ring in rings])),
            injection.eq(on_ring[:self._parameters.injection_rings].any()),
        ]

        # What must not be written: beyond the memory, beyond the ring, or what hardware moves.
        refused = Signal()
        with m.If(host.write):
            with m.If(on_base.any()):
                m.d.comb += refused.eq(unaligned | asked.remote | (host.data >= memory_bytes))
            with m.Elif(on_size.any()):
                m.d.comb += refused.eq(unaligned | (asked.remote & ~injection) | (words > memory_bytes // CHUNK_BYTES))
            with m.Else():
                m.d.comb += refused.eq(unaligned | asked.remote | (words >= size) | remote)
        write = Signal()
        m.d.comb += [
            host.done.eq(on_ring.any()),
            host.error.eq(on_ring.any() & refused),
            write.eq(host.write & ~refused),
        ]

        for index, ring in enumerate(rings):
            m.d.comb += [
                ring.restart_base.eq(on_base[index] & write),
                ring.restart_size.eq(on_size[index] & write),
                ring.move_head.eq(on_head[index] & write),
                ring.move_tail.eq(on_tail[index] & write),
                ring.set_remote.eq(asked.remote),
                ring.data.eq(words),
                self.restart[index].eq(ring.restart_base | ring.restart_size),
            ]
        values = [select(on, [getattr(ring, name) for ring in rings])
                  for on, name in zip(named, ("base", "size", "head", "tail"), strict=True)]
        m.d.comb += host.value.eq(
            register_value("INJECTION_SIZE", chunks=reduce(or_, values), remote=on_size.any() & remote))

    def _serve_clients(self, m: Module, rings: list[Ring]) -> None:
        clients = self.clients
        # Choose a client whose ring no other one has, in the order in which they asked.
        locked = Signal(len(rings))
        m.submodules.arbiter = arbiter = RoundRobin(len(clients), holds=True)
        which = Signal(len(rings))
        chunks = Signal(5)
        late = self._queue(m, arbiter.grants)
        m.d.comb += [
            arbiter.requests.eq(Cat(
                client.valid & ~(client.which & locked).any() & ~waits
                for client, waits in zip(clients, late, strict=True))),
            arbiter.advance.eq(arbiter.requests.any()),
            Cat(which, chunks).eq(select(arbiter.grants, [Cat(client.which, client.chunks) for client in clients])),
        ]

        # Room in its ring.
        fields = ("base", "size", "head", "fill")
        base, size, head, fill = (Signal.like(rings[0].size, name=name) for name in fields)
        for signal, name in zip((base, size, head, fill), fields, strict=True):
            m.d.comb += signal.eq(select(which, [getattr(ring, name) for ring in rings]))
        used = Signal(len(size) + 1)
        following = Signal(len(size) + 1)
        fits = Signal()
        permitted = Signal()
        accepted = Signal()
        injection = self._parameters.injection_rings
        m.d.comb += [
            used.eq(Mux(fill < head, fill - head + size, fill - head)),
            following.eq(fill + chunks),
            fits.eq(used + chunks < size),
            permitted.eq(which[injection:].any() | (which[:injection] & self.remote).any()),
            accepted.eq(fits & permitted & (which & self.restart == 0)),
        ]
        for index, client in enumerate(clients):
            m.d.comb += [
                client.ready.eq(arbiter.grants[index]),
                client.accepted.eq(accepted),
                client.first.eq(base + fill),
                client.base.eq(base),
                client.last.eq(base + size - 1),
                client.following.eq(Mux(following >= size, following - size, following)),
            ]

        # What clients have finished moves the pointers, whoever is being served.
        unlock = reduce(or_, (client.unlock for client in clients))
        reserve = reduce(or_, (Mux(client.reserve, client.unlock, 0) for client in clients))
        publish = reduce(or_, (client.publish for client in clients))
        m.d.sync += locked.eq(locked & ~unlock | Mux(accepted, which, 0))
        for index, ring in enumerate(rings):
            m.d.comb += [
                ring.reserve.eq(Value.cast(reserve)[index]),
                ring.publish.eq(Value.cast(publish)[index]),
                ring.reserve_to.eq(reduce(or_, (client.reserve_to for client in clients))),
                ring.publish_to.eq(reduce(or_, (client.publish_to for client in clients))),
            ]

    def _queue(self, m: Module, grants: Signal) -> list[Value]:
        """For each client: whether another one asked for the same ring before it, and waits.

        A round robin among those whose ring is free is not enough: who is served meanwhile with other rings moves its
        turn on, so that a client could find its ring taken again whenever it is its turn.
        """
        count = len(self.clients)
        asked = Signal(count)
        m.d.sync += asked.eq(Cat(client.valid for client in self.clients) & ~grants)
        late: list[Value] = []
        for index, client in enumerate(self.clients):
            kept = Signal(count, name=f"kept_{index}")
            before = Signal(count, name=f"before_{index}")
            rivals = Signal(count, name=f"rivals_{index}")
            m.d.comb += [
                before.eq(Mux(asked[index], kept, asked)),
                rivals.eq(Cat((client.which & other.which).any() for other in self.clients)),
            ]
            m.d.sync += kept.eq(before & ~grants)
            late.append((before & rivals).any())
        return late
