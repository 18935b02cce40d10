"""The loader: what every node runs first, and again when a kernel has ended.

It takes commands from its console channel, where one packet reaches every node that listens. Only packets
from outside the machine are commands; text of other nodes is not. See ``docs/console.md``.
"""

import zlib
from collections.abc import Awaitable, Callable

from khhw.kernels.image import HEADER_BYTES, Image, ImageError, image_length, load_image
from khhw.kernels.session import Line, RawEnd, RawWrite, Session, raw_length
from khhw.node import Node, NodeTransport, TreePacket, scope, selected
from rtl.formats import Protocol

__all__ = ["RAW_TIMEOUT", "Loader", "LoaderError", "run_loader"]

RAW_TIMEOUT = 20_000
"""Cycles without a packet after which a raw write counts as truncated."""

_HELP = """\
help                      this text
info                      who this node is
echo TEXT                 repeat the text
mrw ADDRESS LENGTH        the next LENGTH bytes of the channel go to memory at ADDRESS
crc ADDRESS LENGTH        CRC-32 of memory
boot ADDRESS [ARGUMENTS]  run the kernel image at ADDRESS
reset                     clear rings, counters and memory behind the console
on NODES COMMAND          only the listed nodes obey: on 0,4-7 info"""


class LoaderError(ValueError):
    """A command that cannot be obeyed; its text goes to the console."""


class Loader:
    """Console commands of one node.

    Parameters
    ----------
    node : Node
    raw_timeout : int
        Cycles without a packet after which a raw write counts as truncated.
    """

    def __init__(self, node: Node, *, raw_timeout: int = RAW_TIMEOUT) -> None:
        self._node = node
        self._session = Session()
        self._raw_timeout = raw_timeout
        self._pending: list[TreePacket] = []
        self._commands: dict[str, Callable[[str, int], Awaitable[None]]] = {
            "help": self._help, "info": self._info, "echo": self._echo, "mrw": self._mrw, "crc": self._crc,
            "boot": self._boot, "reset": self._reset,
        }

    async def run(self) -> None:
        """Announce the node and obey commands for ever."""
        await self.say("ready, type help")
        while True:
            self._pending = await self._node.console.receive(self._raw_timeout if self._session.raw else None)
            if not self._pending:
                await self._raw_end(self._session.give_up())
            while self._pending:
                packet = self._pending.pop(0)
                if packet.external and packet.protocol == Protocol.CONSOLE:
                    await self._obey(packet)

    async def say(self, text: str) -> None:
        """Print lines, each behind the node's prompt."""
        for line in text.splitlines():
            await self._node.console.print(f"node {self._node.rank}> {line}")

    async def _obey(self, packet: TreePacket) -> None:
        for event in self._session.feed(packet):
            match event:
                case RawWrite(address, data):
                    self._node.memory[address] = data
                case RawEnd():
                    await self._raw_end(event)
                case Line():
                    await self._line(event)

    async def _raw_end(self, end: RawEnd) -> None:
        if end.arrived < end.length:
            await self.say(f"error: mrw: {end.arrived} of {end.length} bytes arrived, the image is truncated")
        elif end.excess:
            await self.say(f"error: mrw: {end.excess} bytes more than the {end.length} announced were dropped")
        else:
            await self.say(f"mrw: {end.length} bytes")

    async def _line(self, line: Line) -> None:
        try:
            mine, command = selected(line.text, self._node.rank)
            name, _, rest = command.partition(" ")
            if not mine:
                self._skip_raw(name, rest, line.sequence)
            elif name:
                await self._command(name, rest.strip(), line.sequence)
        except (LoaderError, ImageError, ValueError, IndexError) as error:
            await self.say(f"error: {error}")

    async def _command(self, name: str, rest: str, sequence: int) -> None:
        if name not in self._commands:
            raise LoaderError(f"unknown command {name!r}; type help")
        await self._commands[name](rest, sequence)

    def _skip_raw(self, name: str, rest: str, sequence: int) -> None:
        """Raw data that is not for this node passes here too; it is not text."""
        words = rest.split()
        if name == "mrw" and len(words) == 2 and (length := raw_length(words[1])):
            self._session.skip(length, sequence)

    def _range(self, command: str, rest: str) -> tuple[int, int]:
        words = rest.split()
        try:
            address, length = (int(word, 0) for word in words)
        except ValueError:
            raise LoaderError(f"{command} takes ADDRESS LENGTH, not {rest!r}") from None
        if address < 0 or length <= 0 or address + length > len(self._node.memory):
            raise LoaderError(
                f"{command}: {length} bytes at {address:#x} leave the memory of {len(self._node.memory)} bytes")
        return address, length

    async def _help(self, _rest: str, _sequence: int) -> None:
        await self.say(_HELP)

    async def _info(self, _rest: str, _sequence: int) -> None:
        node = self._node
        x, y, z = node.shape.coordinate(node.rank)
        await self.say(
            f"info: rank {node.rank} id {node.node_id} at ({x}, {y}, {z}) of {node.shape}, "
            f"{len(node.memory)} bytes, image {node.layout.image.base:#x}+{node.layout.image.length:#x}, "
            f"heap {node.layout.heap.base:#x}+{node.layout.heap.length:#x}")

    async def _echo(self, rest: str, _sequence: int) -> None:
        await self.say(rest or " ")

    async def _mrw(self, rest: str, sequence: int) -> None:
        try:
            address, length = self._range("mrw", rest)
            if address < self._node.layout.image.base:
                raise LoaderError(
                    f"mrw: {address:#x} is in the loader's own area; {self._node.layout.image.base:#x} is the first "
                    "free address")
        except LoaderError:
            self._skip_raw("mrw", rest, sequence)
            raise
        self._session.expect(address, length, sequence)

    async def _crc(self, rest: str, _sequence: int) -> None:
        address, length = self._range("crc", rest)
        await self.say(f"crc: {zlib.crc32(self._node.memory.read(address, length)):08x}")

    async def _boot(self, rest: str, _sequence: int) -> None:
        first, _, arguments = rest.partition(" ")
        address, _ = self._range("boot", f"{first} {HEADER_BYTES}")
        length = image_length(self._node.memory.read(address, HEADER_BYTES))
        available = min(length, len(self._node.memory) - address)
        data = self._node.memory.read(address, max(available, HEADER_BYTES))
        image = Image.parse(data)
        main = load_image(data)
        await self._node.reset()
        # What came behind the boot line is the kernel's to read.
        self._node.console.put_back(self._pending)
        self._pending = []
        try:
            async with scope():
                await main(self._node, arguments.strip())
        except Exception as error:
            # Foreign code: whatever it does wrong, the node comes back to its prompt.
            await self.say(f"error: kernel {image.name} failed: {type(error).__name__}: {error}")
        else:
            await self.say(f"kernel {image.name} done")
        await self._node.reset()

    async def _reset(self, _rest: str, _sequence: int) -> None:
        await self._node.reset()
        base = self._node.layout.reception.base
        self._node.memory.clear(base, len(self._node.memory) - base)
        await self.say("ready, type help")


async def run_loader(transport: NodeTransport) -> None:
    """What the processor of a node runs when its owner releases it."""
    await Loader(await Node.open(transport)).run()
