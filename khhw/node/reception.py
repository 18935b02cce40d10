"""Reception rings: memory-FIFO packets into node memory."""

from dataclasses import dataclass

from khhw.host.cpu import Work
from khhw.node.access import RegisterAccess
from khhw.node.layout import Area
from rtl.codec import Codec
from rtl.formats import CHUNK_BYTES, FLIT_BYTES, FifoHeader, Header
from rtl.registers import Irq

__all__ = ["Packet", "ReceptionRing"]

_HEADERS = 2 * FLIT_BYTES
_HEADER, _SOFTWARE = Codec.of(Header), Codec.of(FifoHeader)


@dataclass(frozen=True)
class Packet:
    """A memory-FIFO packet as it stands in a reception ring.

    Parameters
    ----------
    source : int
        Node id of the sender: the guard's stamp.
    function : int
        8 bits of the sender.
    message_length : int
        Bytes of the message this packet is a part of, as the sender says.
    offset : int
        Where in the message the payload belongs.
    payload : bytes
        Without padding, if the sender told the truth.
    """

    source: int
    function: int
    message_length: int
    offset: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Packet":
        """The packet at the start of `data`, which is as long as its header says."""
        header = _HEADER.unpack(int.from_bytes(data[:FLIT_BYTES], "big"))
        software = _SOFTWARE.unpack(int.from_bytes(data[FLIT_BYTES:_HEADERS], "big"))
        offset, length = software["put_offset"], software["argument"]
        room = len(data) - _HEADERS
        used = min(room, max(0, length - offset))
        return cls(header["source"], software["function"], length, offset, data[_HEADERS:_HEADERS + used])


class ReceptionRing:
    """A memory ring the hardware stores packets in.

    Parameters
    ----------
    node : RegisterAccess
    ring : int
        Number.
    area : Area
        Where it is.
    """

    def __init__(self, node: RegisterAccess, ring: int, area: Area) -> None:
        self._node = node
        self._ring = ring
        self._area = area
        self._head = 0

    async def open(self) -> None:
        """Tell the hardware where the ring is, and empty it."""
        await self._node.write("RECEPTION_BASE", self._area.base, self._ring)
        await self._node.write("RECEPTION_SIZE", self._area.length, self._ring)
        self._head = 0

    async def take(self) -> list[Packet]:
        """All packets that are there, in order of arrival; frees their room."""
        packets = [Packet.parse(record) for record in await self.records()]
        if packets:
            await self._node.work(Work.PACKET, len(packets))
            await self.release()
        return packets

    async def records(self) -> list[bytes]:
        """All packets that are there, with their headers, in order of arrival. Their room stays taken."""
        tail = await self._node.read("RECEPTION_TAIL", self._ring)
        data = self._node.memory.ring(
            self._area.base, self._area.length, self._head, (tail - self._head) % self._area.length)
        records, at = [], 0
        while at < len(data):
            length = (_HEADER.take(int.from_bytes(data[at:at + FLIT_BYTES], "big"), "size") + 1) * CHUNK_BYTES
            records.append(data[at:at + length])
            at += length
        self._head = tail
        return records

    async def release(self) -> None:
        """Free the room of all that :meth:`records` gave."""
        await self._node.write("RECEPTION_HEAD", self._head, self._ring)

    async def receive(self, timeout: int | None = None) -> list[Packet]:
        """Sleep until there are packets and take them; an empty list after `timeout` cycles."""
        while True:
            if packets := await self.take():
                return packets
            if not await self._node.wait(Irq.RECEPTION + self._ring, timeout=timeout):
                return []
