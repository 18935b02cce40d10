"""What runs on a node whose operating system is the computer's own Linux: the Ethernet driver, between TAPs and torus.
"""

from collections.abc import Mapping, Sequence

from khhw.host.ports import NodePort
from khhw.host.sync import Queue, spawn
from khhw.linux.taps import Tap, TapReader
from khhw.net.ethernet import EthernetCounts, EthernetDriver, EthernetNetwork
from khhw.node import Node
from khhw.node.commands import prompt

__all__ = ["LinuxFirmware"]


class LinuxFirmware:
    """The firmware of a node, instead of a loader.

    Parameters
    ----------
    taps : mapping of int to Tap
        By number of the network.
    networks : sequence of EthernetNetwork
        That the node is in.

    Attributes
    ----------
    counts : EthernetCounts
        Of all its interfaces together.
    reader : TapReader
        Told when frames have been sent; set before the machine runs.
    """

    reader: TapReader

    def __init__(self, taps: Mapping[int, Tap], networks: Sequence[EthernetNetwork]) -> None:
        self.counts = EthernetCounts()
        self._taps = taps
        self._networks = networks
        self._waiting: Queue[tuple[Tap, list[bytes]]] = Queue(name="a frame of Linux")

    def offer(self, tap: Tap, frames: list[bytes]) -> None:
        """Linux has sent frames; in the turn of the node."""
        self._waiting.put_nowait((tap, frames))

    @property
    def unread(self) -> int:
        """Frames that Linux did not take."""
        return sum(tap.unread for tap in self._taps.values())

    async def run(self, port: NodePort) -> None:
        """Wait for the owner, say so, and carry frames for ever."""
        node = await Node.open(port)
        driver = await EthernetDriver.open(node, self._networks)
        self.counts = driver.counts
        await node.console.print(f"{prompt(node.rank)}ready, Linux runs beside this node")
        await spawn(driver.receive(self._deliver), name="frames from the torus")
        while True:
            tap, frames = await self._waiting.get()
            await driver.send((tap.network, frame) for frame in frames)
            self.reader.give(tap, len(frames))

    def _deliver(self, network: int, frame: bytes) -> None:
        self._taps[network].write(frame)
