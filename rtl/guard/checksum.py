"""What the owner has loaded: a checksum over the writes of a node's tables."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

__all__ = ["TableChecksum"]

_ADDRESS_BITS = 16
_DATA_BITS = 32


class TableChecksum(wiring.Component):
    """CRC-32, as of Ethernet and zlib, over the writes to the shadow since the last commit, or since a restart.

    A write is six bytes: the register's address and the value, each with its least significant byte first.

    Members
    -------
    write : In(1)
        A write to the shadow in this cycle, of
    address : In(16)
    data : In(32)
    restart : In(1)
        With `write`: it is the first one that counts.
    commit : In(1)
        The shadow becomes active at the end of this cycle.
    crc : Out(32)
        Over what was loaded before the last commit; 0 if that was nothing.
    """

    write: In(1)
    address: In(_ADDRESS_BITS)
    data: In(_DATA_BITS)
    restart: In(1)
    commit: In(1)
    crc: Out(32)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.shadow = shadow = CRC32_ISO_HDLC(data_width=_ADDRESS_BITS + _DATA_BITS).create()
        active = Signal(32)
        m.d.comb += [
            shadow.data.eq(Cat(self.address, self.data)),
            shadow.valid.eq(self.write),
            shadow.start.eq(self.restart | self.commit),
            self.crc.eq(active),
        ]
        with m.If(self.commit):
            m.d.sync += active.eq(shadow.crc)
        return m
