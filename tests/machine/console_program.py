"""A program for the fabric: everything that can go wrong on the console, with all nodes at once."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from khhw.control.console import OUTSIDE, Console
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.loader import RAW_TIMEOUT, run_loader
from khhw.node import Layout, Shape
from khhw.node.commands import LINE_LIMIT, boot_command
from khhw.sim.options import Outcome

DOWN, UP = 1, 2
_ANSWERED = 4000
"""Cycles in which all nodes have answered anything."""


def numbers(length: int) -> str:
    """A text of which no part is like another."""
    return " ".join(map(str, range(length)))[:length]


class Trials:
    """Writes to the console and keeps what is said, trial by trial; a ``Program``."""

    def __init__(self, host: Host, shape: Shape, image: bytes, other: bytes) -> None:
        self._host, self._shape, self._image, self._other = host, shape, image, other
        self._base = Layout(host.memory_bytes).image.base
        self._outside = Outside(host.root)
        self._console = Console(self._outside, shape, DOWN, listen=UP)
        self._heard: dict[str, list[list[str]]] = {}
        self._ranks = range(shape.nodes)

    async def run(self) -> None:
        """All trials; after each, every node must be at its prompt."""
        await self._outside.start()
        owner = Owner(self._outside, self._shape)
        await owner.set_console(None, UP, [DOWN, UP])
        await owner.release()
        await self._console.wait(self._ranks, "ready")
        trials: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.help, self.info, self.unknown, self.truncated, self.flipped, self.exchanged, self.arguments,
            self.reset]
        for trial in trials:
            began = len(self._console.transcript)
            await trial()
            await self._outside.sleep(_ANSWERED)
            self._keep(trial.__name__, began)
            await self._console.ask("echo still here", self._ranks, "> still here")

    def _keep(self, trial: str, began: int) -> None:
        heard: list[list[str]] = [[] for _ in self._ranks]
        for said in self._console.transcript[began:]:
            if said.rank != OUTSIDE:
                heard[said.rank].append(said.text.removeprefix(f"node {said.rank}> "))
        self._heard[trial] = heard

    async def help(self) -> None:
        """What are the commands?"""
        await self._console.line("help")

    async def info(self) -> None:
        """Who are you?"""
        await self._console.line("info")

    async def unknown(self) -> None:
        """No such command."""
        await self._console.line("fly away")

    async def truncated(self) -> None:
        """Half of an image."""
        await self._console.line(f"mrw {self._base:#x} {len(self._image)}")
        await self._console.write(self._image[:240], raw=True)
        await self._outside.sleep(RAW_TIMEOUT)

    async def flipped(self) -> None:
        """One bit of each image wrong, of each node another one; node 0 has a whole image."""
        await self._console.load(self._image, self._base, self._ranks)
        for rank, offset in enumerate([4, 8, 12, 16, 32, 64, len(self._image) - 1], start=1):
            self._poke(rank, offset, bytes([self._peek(rank, offset) ^ 1 << rank]))
        await self._console.boot(self._base, "friend", self._ranks)

    async def exchanged(self) -> None:
        """Another image in the memory of node 2, behind everybody's back."""
        await self._console.load(self._image, self._base, self._ranks)
        self._poke(2, 0, self._other)
        await self._console.boot(self._base, "friend", self._ranks)

    async def arguments(self) -> None:
        """As many as a line has room for."""
        await self._console.load(self._image, self._base, self._ranks)
        line = boot_command(self._base, "")
        mark = await self._console.boot(self._base, numbers(LINE_LIMIT - len(line) - 1), self._ranks)
        await self._console.done("greet", self._ranks, since=mark)

    async def reset(self) -> None:
        """No image any more."""
        await self._console.ask("reset", self._ranks, "ready")
        await self._console.boot(self._base, "friend", self._ranks)

    def _peek(self, rank: int, offset: int) -> int:
        return self._host.memory.peek(rank, self._base + offset, 1)[0]

    def _poke(self, rank: int, offset: int, data: bytes) -> None:
        self._host.memory.poke(rank, self._base + offset, data)

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """What each node said, by trial."""
        return {"heard": self._heard}

    def stuck(self, _read: Callable[[str], int]) -> Sequence[str]:
        """Nothing: no packet of these trials can get stuck alone."""
        return []


def trials(host: Host, arguments: Mapping[str, Any]) -> Trials:
    """Entry of the simulator process."""
    run = Trials(host, Shape(*arguments["shape"]), *(bytes.fromhex(image) for image in arguments["images"]))
    for port in host.nodes:
        port.boot(run_loader)
    host.scheduler.spawn(run.run(), rank=ROOT, name="console")
    return run
