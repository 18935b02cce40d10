"""What the owner has loaded: a checksum over the writes of a node's tables."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

__all__ = ["TableChecksum"]

_ADDRESS_BITS = 16
_DATA_BITS = 32


class TableChecksum(wiring.Component):
    """CRC-32, as of Ethernet and zlib, over the writes to each bank of the tables since it was restarted.

    So it says what a bank holds, however many loads it took to make it so. A write is six bytes: the register's address
    and the value, each with its least significant byte first.

    Members
    -------
    epoch : In(1)
        The bank that is active; writes go to the other one.
    write : In(1)
        A write to the shadow in this cycle, of
    address : In(16)
    data : In(32)
    restart : In(1)
        What was written to the shadow counts no more.
    crc : Out(32)
        Of the active bank; 0 if nothing was written since the restart, or ever.
    """

    epoch: In(1)
    write: In(1)
    address: In(_ADDRESS_BITS)
    data: In(_DATA_BITS)
    restart: In(1)
    crc: Out(32)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        banks = [CRC32_ISO_HDLC(data_width=_ADDRESS_BITS + _DATA_BITS).create() for _ in range(2)]
        for bank, generator in enumerate(banks):
            m.submodules[f"bank_{bank}"] = generator
            shadow = self.epoch != bank
            m.d.comb += [
                generator.data.eq(Cat(self.address, self.data)),
                generator.valid.eq(self.write & shadow),
                generator.start.eq(self.restart & shadow),
            ]
        m.d.comb += self.crc.eq(Mux(self.epoch, banks[1].crc, banks[0].crc))
        return m
