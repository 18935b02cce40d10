"""The loader: what every node runs first, and again when a kernel has ended.

It takes commands from its console channel, where one packet reaches every node that listens. Only packets
from outside the machine are commands; text of other nodes is not. See ``docs/console.md``.
"""

import zlib
from collections.abc import Awaitable, Callable

from khhw.kernels.approval import Approval
from khhw.kernels.image import (
    HEADER_BYTES,
    Files,
    Image,
    ImageError,
    Main,
    described,
    image_length,
    load_image,
    place_of,
)
from khhw.node import (
    Command,
    ConsoleReader,
    Node,
    NodeTransport,
    TreePacket,
    WrongLine,
    current_task,
    scope,
    spawn,
)
from khhw.node.commands import parse_number, prompt, shortened
from khhw.node.reader import RawEnd, RawWrite, Reading
from khhw.node.refusals import refused_since

__all__ = ["RAW_TIMEOUT", "Failed", "Loader", "LoaderError", "run_loader"]

Failed = Callable[[str, BaseException], None]

RAW_TIMEOUT = 20_000
"""Cycles without a packet after which a raw write counts as truncated, and a line as lost."""

_ALONE = ("help", "info", "reset")
"""Commands that stand alone on their line."""

_HELP = """\
help                      this text
info                      who this node is
echo TEXT                 repeat the text
mrw ADDRESS LENGTH        the next LENGTH bytes of the channel go to memory at ADDRESS
crc ADDRESS LENGTH        CRC-32 of memory
boot ADDRESS [ARGUMENTS]  run the kernel image at ADDRESS
reset                     clear rings, counters and memory behind the console
on NODES COMMAND          only the listed nodes obey: on 0,4-7 info; on all info"""


class LoaderError(ValueError):
    """A command that cannot be obeyed; its text goes to the console."""


class Loader:
    """Console commands of one node.

    Parameters
    ----------
    node : Node
    raw_timeout : int
        Cycles without a packet after which a raw write counts as truncated, and a line as lost.
    files : mapping, optional
        Where the code of kernels comes from, see :data:`khhw.kernels.image.Files`.
    failed : callable, optional
        Called with the name of a kernel and what it raised, before the console says it on one line.
    approval : Approval, optional
        Which images may run; without it all may.
    """

    def __init__(
        self, node: Node, *, raw_timeout: int = RAW_TIMEOUT, files: Files | None = None, failed: Failed | None = None,
        approval: Approval | None = None,
    ) -> None:
        self._node = node
        self._files = files
        self._approval = approval
        self._failed = failed
        self._reader = ConsoleReader(node.rank)
        self._raw_timeout = raw_timeout
        self._pending: list[TreePacket] = []
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "help": self._help, "info": self._info, "echo": self._echo, "mrw": self._mrw, "crc": self._crc,
            "boot": self._boot, "reset": self._reset,
        }

    async def run(self) -> None:
        """Announce the node and obey commands for ever."""
        await self.say("ready, type help")
        while True:
            self._pending = await self._node.console.receive(self._raw_timeout if self._reader.expects else None)
            if not self._pending:
                await self._obey(self._reader.give_up())
            while self._pending:
                for reading in self._reader.feed(self._pending.pop(0)):
                    await self._obey(reading)

    async def say(self, text: str) -> None:
        """Print lines, each behind the node's prompt, and not behind what a kernel has left unfinished."""
        await self._node.console.end_line()
        for line in text.splitlines():
            await self._node.console.print(f"{prompt(self._node.rank)}{line}")

    async def _obey(self, reading: Reading) -> None:
        match reading:
            case RawWrite(address, data):
                self._node.memory[address] = data
            case RawEnd():
                await self._raw_end(reading)
            case WrongLine(message=message):
                await self.say(f"error: {message}")
            case Command(name=name, rest=rest):
                await self._command(name, rest)

    async def _raw_end(self, end: RawEnd) -> None:
        if end.arrived < end.length:
            await self.say(f"error: mrw: {end.arrived} of {end.length} bytes arrived, the image is truncated")
        elif end.excess:
            await self.say(f"error: mrw: {end.excess} bytes more than the {end.length} announced were dropped")
        else:
            await self.say(f"mrw: {end.length} bytes")

    async def _command(self, name: str, rest: str) -> None:
        try:
            if name not in self._commands:
                raise LoaderError(f"unknown command {shortened(name)!r}; type help")
            if rest and name in _ALONE:
                raise LoaderError(f"{name} takes nothing behind it, not {shortened(rest)!r}")
            await self._commands[name](rest)
        except (LoaderError, ImageError, ValueError, IndexError) as error:
            await self.say(f"error: {error}")

    def _range(self, command: str, rest: str) -> tuple[int, int]:
        numbers = [parse_number(word) for word in rest.split()]
        match numbers:
            case [int(address), int(length)]:
                pass
            case _:
                raise LoaderError(f"{command} takes ADDRESS LENGTH, not {shortened(rest)!r}")
        if not length:
            raise LoaderError(f"{command}: there is nothing to do with 0 bytes")
        self._check_range(command, address, length)
        return address, length

    def _check_range(self, command: str, address: int, length: int) -> None:
        if address + length > len(self._node.memory):
            raise LoaderError(
                f"{command}: {length} bytes at {address:#x} leave the memory of {len(self._node.memory)} bytes")

    async def _help(self, _rest: str) -> None:
        await self.say(_HELP)

    async def _info(self, _rest: str) -> None:
        node = self._node
        x, y, z = node.shape.coordinate(node.rank)
        await self.say(
            f"info: rank {node.rank} id {node.node_id} at ({x}, {y}, {z}) of {node.shape}, "
            f"{len(node.memory)} bytes, image {node.layout.image.base:#x}+{node.layout.image.length:#x}, "
            f"heap {node.layout.heap.base:#x}+{node.layout.heap.length:#x}")

    async def _echo(self, rest: str) -> None:
        await self.say(rest or " ")

    async def _mrw(self, rest: str) -> None:
        address, length = self._range("mrw", rest)
        if address < self._node.layout.image.base:
            raise LoaderError(
                f"mrw: {address:#x} is in the loader's own area; {self._node.layout.image.base:#x} is the first "
                "free address")
        self._reader.expect(address, length)

    async def _crc(self, rest: str) -> None:
        address, length = self._range("crc", rest)
        await self.say(f"crc: {zlib.crc32(self._node.memory.read(address, length)):08x}")

    async def _boot(self, rest: str) -> None:
        first, _, arguments = rest.partition(" ")
        address = parse_number(first)
        if address is None:
            raise LoaderError(f"boot takes ADDRESS [ARGUMENTS], not {shortened(rest)!r}")
        self._check_range("boot", address, HEADER_BYTES)
        length = image_length(self._node.memory.read(address, HEADER_BYTES))
        available = min(length, len(self._node.memory) - address)
        data = self._node.memory.read(address, max(available, HEADER_BYTES))
        if self._approval is not None:
            # Before anything else is made of it: what is behind its end neither counts nor runs.
            self._approval.check(data[:length])
        image = Image.parse(data)
        main = load_image(data, self._files)
        await self._node.reset()
        # What came behind the boot line is the kernel's to read.
        self._node.console.put_back(self._pending)
        self._pending = []
        loader = await current_task()
        began = self._node.now
        try:
            async with scope():
                # In a task of its own: what it does to that, or leaves behind there, is not done to ours.
                await (await spawn(_run(main, self._node, arguments.strip(" ")), name=f"kernel {image.name}"))
        except BaseException as error:
            if loader.done or loader.cancelling:
                # The node is held, or the machine taken down.
                raise
            # Foreign code: whatever it does wrong, the node comes back to its prompt.
            if self._failed is not None:
                self._failed(image.name, error)
            await self._say_refusals(began)
            await self.say(f"error: kernel {image.name} failed: {described(error)}{place_of(error)}")
        else:
            await self._say_refusals(began)
            await self.say(f"kernel {image.name} done")
        await self._node.reset()

    async def _say_refusals(self, since: int) -> None:
        """Say what the guard refused to send for the kernel that has ended, if anything: nobody else tells it."""
        if text := await refused_since(self._node, since):
            await self.say(text)

    async def _reset(self, _rest: str) -> None:
        await self._node.reset()
        base = self._node.layout.reception.base
        self._node.memory.clear(base, len(self._node.memory) - base)
        await self.say("ready, type help")


async def _run(main: Main, node: Node, arguments: str) -> None:
    await main(node, arguments)


async def run_loader(
    transport: NodeTransport, files: Files | None = None, failed: Failed | None = None,
    approval: Approval | None = None,
) -> None:
    """What the processor of a node runs when its owner releases it; see :class:`Loader`."""
    await Loader(await Node.open(transport), files=files, failed=failed, approval=approval).run()
