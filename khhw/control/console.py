"""The console of the outside: one channel, many nodes, one super serial line."""

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from khhw.control.outside import Outside
from khhw.host.sync import Event, timeout
from khhw.node.commands import boot_command, prompt, written
from khhw.node.lines import LineCutter, Piece
from khhw.node.shape import Shape
from khhw.node.tree_packets import TreePacket, console_packets
from rtl.formats import Protocol, TreeChannel

__all__ = ["CONTINUED", "OUTSIDE", "TEXT_LIMIT", "Answer", "Console", "ConsoleError", "LoadTime", "Said"]

OUTSIDE = -1
"""Rank of the outside in a transcript."""
TEXT_LIMIT = 4096
"""Bytes of a node's line that are kept as one; what is beyond them is a line of its own, behind :data:`CONTINUED`."""
CONTINUED = "\N{HORIZONTAL ELLIPSIS} "
"""Begins what goes on a line that was too long."""

_LIMIT = 1_000_000


class ConsoleError(RuntimeError):
    """A node said that something went wrong, or did not say what it should have."""


@dataclass(frozen=True)
class Said:
    """A line of the transcript.

    Parameters
    ----------
    cycle : int
        When its end left the machine.
    rank : int
        Who said it: the stamp of hardware, not the text. :data:`OUTSIDE` for what was written from here.
    text : str
        Without the newline.
    """

    cycle: int
    rank: int
    text: str


@dataclass(frozen=True)
class Answer:
    """A line with a node's prompt in front, as its loader and kernels' reports have it. (A kernel can print one.)

    Parameters
    ----------
    text : str
        Begins what stands behind the prompt.
    whole : bool
        And is all of it.
    """

    text: str
    whole: bool = False

    def __str__(self) -> str:
        return self.text

    def within(self, said: Said) -> bool:
        """Whether this was said."""
        wanted = prompt(said.rank) + self.text
        return said.text == wanted or (not self.whole and said.text.startswith(wanted))


ERROR = Answer("error:")
"""What a loader or a kernel says when something has gone wrong."""


def _done(name: str) -> Answer:
    """What a loader says when its kernel has returned."""
    return Answer(f"kernel {name} done", whole=True)


def _says(said: Said, wanted: str | Answer) -> bool:
    return wanted.within(said) if isinstance(wanted, Answer) else wanted in said.text


@dataclass(frozen=True)
class LoadTime:
    """What it took to load an image by multicast.

    Parameters
    ----------
    length : int
        Bytes.
    nodes : int
        How many took it, at the same time.
    sent : int
        Cycles until the tree had taken the last packet.
    loaded : int
        Cycles until every node had said that it has all of it.
    checked : int
        Further cycles until every node had said what the check sum in its memory is.
    """

    length: int
    nodes: int
    sent: int
    loaded: int
    checked: int


class Console:
    """A console channel seen from outside.

    Parameters
    ----------
    outside : Outside
        Already started.
    shape : Shape
        Of the machine.
    channel : int
        Channel id that is written to: the nodes' receive id.
    listen : int or None
        Channel id the nodes send on; the same by default.
    limit : int
        Cycles to wait for an answer.
    observer : callable (Said) or None
        Called for each line.

    Attributes
    ----------
    transcript : list of Said
        What was said so far.
    keep : int or None
        Lines of the transcript that are kept at least, of a machine that may run for days; None: all.
    packets : int
        Packets written so far.
    """

    def __init__(
        self, outside: Outside, shape: Shape, channel: int, *, listen: int | None = None, limit: int = _LIMIT,
        observer: Callable[[Said], None] | None = None,
    ) -> None:
        self.outside = outside
        self.transcript: list[Said] = []
        self.keep: int | None = None
        self._forgotten = 0
        self.packets = 0
        self._shape = shape
        self._channel = channel
        self._listen = channel if listen is None else listen
        self._limit = limit
        self._observer = observer
        self._sequence = 0
        self._unfinished: dict[int, LineCutter] = {}
        self._new = Event("a line on the console")
        outside.subscribe(self._arrived)

    def _arrived(self, cycle: int, packet: TreePacket) -> None:
        if packet.protocol != Protocol.CONSOLE or packet.dst_key != self._listen:
            return
        rank = self._shape.rank_of_id(packet.source)
        cutter = self._unfinished.setdefault(rank, LineCutter(TEXT_LIMIT))
        for piece in cutter.feed(packet.payload):
            self._heard(cycle, rank, piece)
        self._new.set()

    def _heard(self, cycle: int, rank: int, piece: Piece) -> None:
        text = piece.data.decode("utf-8", "replace")
        self._keep(Said(cycle, rank, text if piece.begins else f"{CONTINUED}{text}"))

    def flush(self) -> None:
        """Take what nodes have begun to say, and not ended, as lines: nothing more is to come."""
        for rank, cutter in sorted(self._unfinished.items()):
            for piece in cutter.forget():
                self._heard(self.outside.now, rank, piece)

    @property
    def _said(self) -> int:
        """Lines said so far, kept or not: indices in the transcript count from the first ever said."""
        return self._forgotten + len(self.transcript)

    def _keep(self, said: Said) -> None:
        self.transcript.append(said)
        if self.keep is not None and len(self.transcript) > 2 * self.keep:
            forgotten = len(self.transcript) - self.keep
            del self.transcript[:forgotten]
            self._forgotten += forgotten
        if self._observer is not None:
            self._observer(said)

    async def write(self, data: bytes, *, raw: bool = False) -> None:
        """Send bytes to every node that listens, 240 to a packet; `raw` ones are no text, whoever gets them."""
        packets = console_packets(self._channel, data, self._sequence, raw=raw)
        self._sequence += len(packets)
        self.packets += len(packets)
        for packet in packets:
            await self.outside.send(packet, TreeChannel.TENANT)

    async def line(self, text: str, ranks: Iterable[int] | None = None) -> int:
        """Send a command; returns where in the transcript its answers begin.

        Parameters
        ----------
        text : str
        ranks : iterable of int or None
            Nodes that shall obey; None for all.

        Raises
        ------
        LineError
            If nodes would not read what is meant: it is too long, or has control characters. Nothing is sent.
        """
        mark = self._said
        ranks = None if ranks is None else set(ranks)
        line = written(text, None if ranks is None or len(ranks) == self._shape.nodes else ranks)
        self._keep(Said(self.outside.now, OUTSIDE, line))
        await self.write(f"{line}\n".encode())
        return mark

    async def wait(
        self, ranks: Iterable[int], accept: str | Answer, *, since: int = 0, limit: float | None = None,
        refuse: Sequence[str | Answer] = (ERROR, ),
    ) -> dict[int, Said]:
        """Wait until each of `ranks` has said what is wanted.

        Parameters
        ----------
        ranks : iterable of int
        accept : str or Answer
            A line that contains this text, or an answer.
        since : int
            Where in the transcript to begin.
        limit : int, math.inf or None
            Cycles to wait; None: those of the console.
        refuse : sequence of str or Answer
            Any of these, of one of `ranks`, ends the wait.

        Returns
        -------
        dict of int to Said
            The first such line of each.

        Raises
        ------
        ConsoleError
            Naming the nodes that did not answer, or what was said instead.
        """
        limit = self._limit if limit is None else limit
        end = self.outside.now + limit
        missing = set(ranks)
        found: dict[int, Said] = {}
        while missing:
            self._new.clear()
            for said in self.transcript[max(0, since - self._forgotten):]:
                if said.rank in missing and _says(said, accept):
                    found[said.rank] = said
                    missing.remove(said.rank)
                elif said.rank in missing and any(_says(said, wrong) for wrong in refuse):
                    raise ConsoleError(f"node {said.rank} said {said.text!r}")
            since = self._said
            if missing:
                try:
                    async with nullcontext() if end == math.inf else timeout(max(0, int(end) - self.outside.now)):
                        await self._new.wait()
                except TimeoutError:
                    raise ConsoleError(
                        f"nodes {sorted(missing)} did not say {str(accept)!r} within {limit} cycles") from None
        return found

    async def ask(self, text: str, ranks: Iterable[int], accept: str | Answer) -> dict[int, Said]:
        """Send a command to some nodes and wait for all their answers."""
        ranks = list(ranks)
        return await self.wait(ranks, accept, since=await self.line(text, ranks))

    async def load(self, image: bytes, address: int, ranks: Iterable[int]) -> LoadTime:
        """Load an image into some nodes at once, and have each check what is in its memory.

        Raises
        ------
        ConsoleError
            If a node has not got it all.
        """
        ranks = list(ranks)
        began = self.outside.now
        mark = await self.line(f"mrw {address:#x} {len(image)}", ranks)
        await self.write(image, raw=True)
        sent = self.outside.now - began
        await self.wait(ranks, Answer(f"mrw: {len(image)} bytes", whole=True), since=mark)
        loaded = self.outside.now - began
        wanted = f"{zlib.crc32(image):08x}"
        for said in (await self.ask(f"crc {address:#x} {len(image)}", ranks, Answer("crc: "))).values():
            if not said.text.endswith(wanted):
                raise ConsoleError(f"node {said.rank} holds a damaged image: {said.text!r}, it should be {wanted}")
        return LoadTime(len(image), len(ranks), sent, loaded, self.outside.now - began - loaded)

    async def boot(self, address: int, arguments: str, ranks: Iterable[int]) -> int:
        """Start the kernel at an address; returns where in the transcript its output begins."""
        return await self.line(boot_command(address, arguments), ranks)

    async def done(
        self, name: str, ranks: Iterable[int], *, since: int, limit: float | None = math.inf,
        refuse: Sequence[str | Answer] = (ERROR, ),
    ) -> dict[int, Said]:
        """Wait until the kernel has ended on all of `ranks`: as long as it takes, so that a lock shows as one."""
        return await self.wait(ranks, _done(name), since=since, limit=limit, refuse=refuse)

    async def opened(self, name: str, ranks: Iterable[int], *, since: int) -> dict[int, Said]:
        """Wait until the kernel serves on all of `ranks`: it says so by ``node RANK> NAME: open``."""
        return await self.wait(ranks, Answer(f"{name}: open"), since=since, refuse=(ERROR, _done(name)))
