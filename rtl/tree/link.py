"""The two ends of a tree cable: buffers at the receiver, credits at the transmitter."""

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import TREE_PACKET_FLITS, Flit, TreeChannel
from rtl.signatures import FlitStream, TreeLink

__all__ = ["CHANNELS", "LINK_PACKETS", "Credits", "Injection", "LinkReceiver"]

CHANNELS = len(TreeChannel)
LINK_PACKETS = 2
"""Packets a receiver has room for, on each channel."""

Injection = wiring.Signature({"owner": Out(FlitStream), "tenant": Out(FlitStream)})
"""Packets of an endpoint for its tree router: one stream a channel, so that none waits for the other.
Packets are well formed, stamped, and without pauses once begun."""


class LinkReceiver(wiring.Component):
    """Receiving end of a tree cable: buffers of two packets for each channel.

    Cut-through: a flit can leave two cycles after it came. A channel never waits for the other one.

    Members
    -------
    rx : In(TreeLink)
        The cable. Credits are returned one cycle after a packet's last flit has left.
    o : Out(FlitStream), array of 2
        Packets by :class:`~rtl.formats.TreeChannel`.
    empty : Out(1)
        Nothing is buffered.
    """

    rx: In(TreeLink)
    o: Out(FlitStream).array(CHANNELS)
    empty: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        levels = []
        for channel, o in zip(TreeChannel, self.o, strict=True):
            buffer = fifo.SyncFIFOBuffered(width=Flit.size, depth=LINK_PACKETS * TREE_PACKET_FLITS)
            m.submodules[channel.name.lower()] = buffer
            m.d.comb += [
                buffer.w_data.eq(self.rx.flit),
                buffer.w_en.eq(self.rx.valid & (self.rx.channel == channel)),
                o.payload.eq(buffer.r_data),
                o.valid.eq(buffer.r_rdy),
                buffer.r_en.eq(o.ready),
            ]
            m.d.sync += self.rx.credit[channel].eq(o.valid & o.ready & o.payload.last)
            levels.append(buffer.level)
        m.d.comb += self.empty.eq((levels[0] == 0) & (levels[1] == 0))
        return m


class Credits(wiring.Component):
    """Room a transmitter knows of at the other end of its cable.

    Members
    -------
    credit : In(2)
        From the cable: a packet's room was freed, by channel.
    take : In(2)
        A packet is started, by channel. Only where there is `room`.
    room : Out(2)
        A whole packet has room, by channel.
    home : Out(1)
        All room is free.
    """

    credit: In(CHANNELS)
    take: In(CHANNELS)
    room: Out(CHANNELS)
    home: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        counts = [Signal(range(LINK_PACKETS + 1), init=LINK_PACKETS, name=f"{channel.name.lower()}_credits")
                  for channel in TreeChannel]
        for channel, count in zip(TreeChannel, counts, strict=True):
            m.d.sync += count.eq(count + self.credit[channel] - self.take[channel])
            m.d.comb += self.room[channel].eq(count != 0)
        m.d.comb += self.home.eq((counts[0] == LINK_PACKETS) & (counts[1] == LINK_PACKETS))
        return m
