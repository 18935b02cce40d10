"""Outputs of the switch: who has them, credits of the cables, and the registers flits leave from."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import PACKET_FLITS, Flit, Header
from rtl.parameters import Bubble, Parameters
from rtl.signatures import FlitStream, TorusLink, TransmitterReport
from rtl.torus.arbiter import ChannelArbiter
from rtl.torus.routing import CHANNELS

__all__ = ["Allocator", "EjectionOutput", "LinkOutput"]


class Allocator(wiring.Component):
    """Gives an output to one packet at a time, from its head to its tail. No latency.

    The last channel of :data:`~rtl.torus.routing.CHANNELS` comes first.

    Parameters
    ----------
    continuing, turning, injecting : int
        Sources a channel, see :class:`~rtl.torus.arbiter.ChannelArbiter`. Injection lanes are shared by all.

    Members
    -------
    request, able : In, one a channel
        See :class:`~rtl.torus.arbiter.ChannelArbiter`.
    withhold : In(1)
        Grant nothing of the requests in this cycle.
    force : In, one a channel
        One-hot: this link source gets the output in this cycle; only while not `busy` and with `withhold`.
    yielding : Out(channels)
        Only entering packets may have it; a packet that does not enter is not to be forced.
    done : In(1)
        The tail passes in this cycle.
    select : Out
        Who has the output in this cycle, one-hot: link sources of the first channel, of the next, then lanes.
    channel : Out
        Its channel, one-hot.
    start : Out(1)
        `select` was granted in this cycle.
    busy : Out(1)
        `select` was granted before.
    """

    def __init__(self, continuing: int, turning: int, injecting: int) -> None:
        self.continuing = continuing
        self.turning = turning
        self.injecting = injecting
        self.links = continuing + turning
        width, channels = self.links + injecting, len(CHANNELS)
        super().__init__({
            "request": In(width).array(channels), "able": In(width).array(channels),
            "withhold": In(1), "force": In(self.links).array(channels),
            "yielding": Out(channels), "done": In(1),
            "select": Out(self.links * channels + injecting), "channel": Out(channels),
            "start": Out(1), "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        free: Value = Signal()
        m.d.comb += free.eq(~self.busy & ~self.withhold)

        # Arbitrate, the highest channel first: what it leaves goes to the next.
        grants: list[Signal] = []
        for number, channel in reversed(list(enumerate(CHANNELS))):
            arbiter = ChannelArbiter(self.continuing, self.turning, self.injecting)
            m.submodules[f"arbiter_{channel.name.lower()}"] = arbiter
            grant = Signal(arbiter.width, name=f"grant_{channel.name.lower()}")
            m.d.comb += [
                arbiter.request.eq(self.request[number]),
                arbiter.able.eq(self.able[number]),
                arbiter.open.eq(free),
                arbiter.accept.eq(free & arbiter.choice.any()),
                arbiter.forced.eq(self.force[number].any()),
                self.yielding[number].eq(arbiter.yielding),
                grant.eq(Mux(free, arbiter.choice, 0)),
            ]
            left = Signal(name=f"left_by_{channel.name.lower()}")
            m.d.comb += left.eq(free & ~arbiter.choice.any())
            free = left
            grants.insert(0, grant)

        # A grant, or a deposit packet that is forced, owns the output until its tail.
        links = [grant[:self.links] | force for grant, force in zip(grants, self.force, strict=True)]
        lanes = reduce(or_, (grant[self.links:] for grant in grants))
        granted = Signal.like(self.select)
        owner = Signal.like(self.select)
        owner_channel = Signal.like(self.channel)
        m.d.comb += [
            granted.eq(Cat(*links, lanes)),
            self.start.eq(granted.any()),
            self.select.eq(Mux(self.busy, owner, granted)),
            self.channel.eq(Mux(self.busy, owner_channel, Cat(
                grant.any() | force.any() for grant, force in zip(grants, self.force, strict=True)))),
        ]
        with m.If(self.start):
            m.d.sync += [owner.eq(granted), owner_channel.eq(self.channel)]
        with m.If(self.done):
            m.d.sync += self.busy.eq(0)
        with m.Elif(self.start):
            m.d.sync += self.busy.eq(1)
        return m


class LinkOutput(wiring.Component):
    """Transmitting end of a torus cable. Latency: one cycle from the switch to the cable.

    Packets do not interleave, and a packet starts only when the receiver has room for all of it and, where
    it enters a ring, for as much again (see :class:`~rtl.parameters.Bubble`).

    Parameters
    ----------
    parameters : Parameters
        `slots`, `bubble` and `lanes` count.
    turning : int
        Ports packets turn in from. One port continues.

    Members
    -------
    request : In, one a channel
        Of the continuing source, of `turning` turning ones and of the lanes.
    sizes : In(3), one a source in the order of `select`
        Chunks minus one of requested packets.
    withhold, force, select, busy
        See :class:`Allocator`.
    room : Out(channels)
        There is room for the packet at the head of the continuing source, and it need not let others enter first.
    move : In(1)
        A flit of the selected source comes in this cycle.
    flit : In(Flit)
        That flit.
    tx : Out(TorusLink)
        The cable.
    report : Out(TransmitterReport)
        What is needed to find a cable that lost something.
    """

    def __init__(self, parameters: Parameters, turning: int) -> None:
        self.parameters = parameters
        self.turning = turning
        self.links = 1 + turning
        channels, width = len(CHANNELS), 1 + turning + parameters.lanes
        sources = self.links * channels + parameters.lanes
        super().__init__({
            "request": In(width).array(channels), "sizes": In(3).array(sources),
            "withhold": In(1), "force": In(self.links).array(channels),
            "select": Out(sources), "busy": Out(1), "room": Out(channels),
            "move": In(1), "flit": In(Flit), "tx": Out(TorusLink), "report": Out(TransmitterReport),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.allocator = allocator = Allocator(1, self.turning, self.parameters.lanes)
        m.d.comb += [
            allocator.withhold.eq(self.withhold),
            allocator.done.eq(self.move & self.flit.last),
            self.select.eq(allocator.select),
            self.busy.eq(allocator.busy),
        ]
        for number in range(len(CHANNELS)):
            m.d.comb += [
                allocator.request[number].eq(self.request[number]),
                allocator.force[number].eq(self.force[number]),
            ]
            self._count_credits(m, allocator, number)

        m.d.sync += self.tx.valid.eq(self.move)
        with m.If(self.move):
            m.d.sync += [
                self.tx.flit.eq(self.flit),
                self.tx.vc.eq(reduce(or_, [
                    Mux(used, channel, 0) for used, channel in zip(allocator.channel, CHANNELS, strict=True)])),
            ]
        epoch = Header(self.tx.flit.data).epoch
        sending = Signal()
        with m.If(self.tx.valid):
            m.d.sync += sending.eq(~self.tx.flit.last)
        m.d.comb += [
            self.report.sent.eq((self.tx.valid & self.tx.flit.first).replicate(2) & Cat(~epoch, epoch)),
            self.report.sending.eq(sending),
        ]
        return m

    def _count_credits(self, m: Module, allocator: Allocator, number: int) -> None:
        """Credits of one channel, and who has room by them."""
        bubble, channel = self.parameters.bubble, CHANNELS[number]
        limit = self.parameters.link_units
        credits = Signal(range(limit + 1), init=limit, name=f"credits_{channel.name.lower()}")
        starts, spent = Signal(name=f"starts_{number}"), Signal(4, name=f"spent_{number}")
        m.d.comb += starts.eq(allocator.start & allocator.channel[number])

        # One allocation unit a packet, or as many chunks as it has.
        lanes = range(len(CHANNELS) * self.links, len(self.sizes))
        sources = [*range(number * self.links, (number + 1) * self.links), *lanes]
        needs: list[Value | int] = [1] * len(sources)
        if bubble is Bubble.CHUNKS:
            needs = [self.sizes[source] + 1 for source in sources]
            chosen = [Mux(allocator.select[s], need, 0) for s, need in zip(sources, needs, strict=True)]
            m.d.comb += spent.eq(reduce(or_, chosen))
        else:
            m.d.comb += spent.eq(1)
        m.d.sync += credits.eq(credits + self.tx.credit[channel] - Mux(starts, spent, 0))
        m.d.comb += self.report.free[channel.name.lower()].eq(credits)

        entering = 1 if bubble is Bubble.OFF else 2
        fits = Signal(name=f"fits_{number}")
        m.d.comb += [fits.eq(credits >= needs[0]), self.room[number].eq(fits & ~allocator.yielding[number])]
        for index, need in enumerate(needs):
            enough = fits if index == 0 else credits >= need * entering
            m.d.comb += allocator.able[number][index].eq(self.request[number][index] & enough)


class EjectionOutput(wiring.Component):
    """An ejection lane: a register flits leave from, and room for a packet before it. Latency: one cycle.

    A packet is granted only when there is room for all of it, and then every flit of it is taken in the cycle it
    comes, whatever the guard and the network interface wait for. So a packet that has begun to move is never held
    up by where it ends, nor is a link on which the same flits go on; only headers that were not granted wait.

    Parameters
    ----------
    ports : int
        Link ports that eject here. One injection lane does, too.

    Members
    -------
    request : In, one a channel
        Of the ports and of the lane.
    withhold, force, select, busy
        See :class:`Allocator`; also `busy` while there is no room for a packet.
    move : In(1)
        A flit of the selected source comes in this cycle.
    flit : In(Flit)
        That flit.
    o : Out(FlitStream)
        Ejected packets.
    idle : Out(1)
        No packet is in here.
    """

    def __init__(self, ports: int) -> None:
        self.ports = ports
        channels = len(CHANNELS)
        super().__init__({
            "request": In(ports + 1).array(channels),
            "withhold": In(1), "force": In(ports).array(channels),
            "select": Out(ports * channels + 1), "busy": Out(1),
            "move": In(1), "flit": In(Flit), "o": Out(FlitStream), "idle": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.allocator = allocator = Allocator(self.ports, 0, 1)
        m.submodules.buffer = buffer = fifo.SyncFIFO(width=Flit.size, depth=PACKET_FLITS)
        for number in range(len(CHANNELS)):
            m.d.comb += [
                allocator.request[number].eq(self.request[number]),
                allocator.able[number].eq(self.request[number]),
                allocator.force[number].eq(self.force[number]),
            ]
        m.d.comb += [
            allocator.withhold.eq(self.withhold | buffer.r_rdy),
            allocator.done.eq(self.move & self.flit.last),
            self.select.eq(allocator.select),
            self.busy.eq(allocator.busy | buffer.r_rdy),
            self.idle.eq(~allocator.busy & ~buffer.r_rdy & ~self.o.valid),
        ]

        # What the register cannot take waits in the buffer; nothing overtakes it.
        free = Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            buffer.w_data.eq(self.flit),
            buffer.w_en.eq(self.move & (~free | buffer.r_rdy)),
            buffer.r_en.eq(free),
        ]
        with m.If(free):
            m.d.sync += self.o.valid.eq(self.move | buffer.r_rdy)
        with m.If(free & (self.move | buffer.r_rdy)):
            m.d.sync += self.o.payload.eq(Mux(buffer.r_rdy, buffer.r_data, self.flit))
        return m
