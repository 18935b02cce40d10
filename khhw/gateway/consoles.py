"""Consoles for telnet: a port for each node, and one for all of them together."""

from collections.abc import Mapping, Sequence
from functools import partial

from khhw.control.console import OUTSIDE, Console, Said
from khhw.gateway.client import Client
from khhw.gateway.sockets import Door, Sockets
from khhw.gateway.telnet import Line, Reply, Telnet, TooLong, WebPage, printed
from khhw.gateway.wire import ClientLostError, Wire
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT, sleep
from khhw.host.sync import Queue
from khhw.node.commands import EVERYBODY, LINE_LIMIT, LineError, parse_line, written
from khhw.visible import visible

__all__ = ["CLIENTS", "Consoles"]

CLIENTS = 8
"""People at one console at a time."""

_Typed = tuple[str, Sequence[int] | None]


class Consoles:
    """Lines typed outside go to nodes as their owner's do; what nodes say goes to all who listen.

    A console never waits for its listeners: who does not read misses lines, and is told how many. What a person types
    is held back while the tree is busy.

    Parameters
    ----------
    host : Host
        With an inbox.
    sockets : Sockets
    nodes : int
        Of the machine.
    running : mapping
        Names of kernels by the ranks they run on; all other nodes are at their loader's prompt.
    base : int
        Port of node 0's console; node r has the r-th behind it, and the one behind the last node's is for all. 0: each
        any port that is free.

    Raises
    ------
    PortError
        If a port is taken.
    """

    def __init__(self, host: Host, sockets: Sockets, nodes: int, base: int, running: Mapping[int, str]) -> None:
        self._host = host
        self._sockets = sockets
        self._nodes = nodes
        self._running = running
        self._typed: Queue[_Typed] = Queue(16, "lines typed outside")
        self._listeners: dict[int | None, list[_Listener]] = {}
        self._doors: dict[int | None, Door] = {}
        for offset, rank in enumerate((*range(nodes), None)):
            self._listeners[rank] = []
            self._doors[rank] = sockets.listen(
                base + offset if base else 0, partial(self._enter, rank), CLIENTS, telnet=True)

    @property
    def ports(self) -> dict[int | None, int]:
        """Port of each rank's console; None: of all nodes."""
        return {rank: door.port for rank, door in self._doors.items()}

    def open(self, console: Console) -> None:
        """Let people in, who from now on write to `console`."""
        self._host.scheduler.spawn(self._write(console), name="typed lines", daemon=True)
        for door in self._doors.values():
            self._sockets.open(door)

    def said(self, said: Said) -> None:
        """A line of the console was said: everybody who listens shall have it."""
        if said.rank == OUTSIDE:
            return
        text = visible(said.text)
        for listener in self._listeners[said.rank]:
            listener.hear(text)
        for listener in self._listeners[None]:
            listener.hear(f"[{said.rank}] {text}")

    def _enter(self, rank: int | None, wire: Wire) -> None:
        """In the sockets' thread."""
        inbox = self._host.inbox
        assert inbox is not None
        client = Client(wire, inbox, ROOT)
        inbox.post(ROOT, partial(self._spawn, rank, client), wire.name)

    def _spawn(self, rank: int | None, client: Client) -> None:
        self._host.scheduler.spawn(self._visit(client, rank), name=f"console client {client.name}", daemon=True)

    async def _write(self, console: Console) -> None:
        """One line after the other, so that their packets do not mix."""
        while True:
            text, ranks = await self._typed.get()
            await console.line(text, ranks)

    async def _visit(self, client: Client, rank: int | None) -> None:
        """One person at one console, until the person leaves."""
        listener = _Listener(client)
        self._listeners[rank].append(listener)
        listener.hear(self._greeting(rank))
        try:
            await self._listen_to(client, listener, None if rank is None else [rank])
        except ClientLostError:
            pass
        finally:
            self._listeners[rank].remove(listener)
            client.finish()

    def _greeting(self, rank: int | None) -> str:
        if rank is None:
            return "consoles of all nodes; type help"
        running = self._running.get(rank)
        return f"console of node {rank}; " + ("type help" if running is None else f"{running} is running")

    async def _listen_to(self, client: Client, listener: "_Listener", ranks: Sequence[int] | None) -> None:
        """Obey what a person types, until it is a browser that posts a web page's text here."""
        telnet = Telnet()
        while data := await client.receive():
            if client.urgent():
                telnet.synchronize()
            for event in telnet.feed(data):
                match event:
                    case Line(text):
                        await self._type(listener, text, ranks)
                    case Reply(reply, urgent):
                        await client.send_whole(reply, urgent=urgent)
                    case TooLong():
                        listener.hear(f"error: a line has at most {LINE_LIMIT:,} bytes; this one was dropped")
                    case WebPage():
                        listener.hear("error: this is a console, and no web server")
                        return
                if client.urgent():
                    telnet.synchronize()
            # Who sends without end takes turns with everything else that the machine does.
            await sleep(1)

    async def _type(self, listener: "_Listener", line: str, ranks: Sequence[int] | None) -> None:
        """A line was typed: nodes get what they can read, and a person hears at once what they cannot."""
        try:
            self._check(line, ranks)
            written(line, ranks)
        except LineError as error:
            listener.hear(f"error: {error}")
        else:
            await self._typed.put((line, ranks))

    def _check(self, line: str, ranks: Sequence[int] | None) -> None:
        """Refuse a list of nodes where nodes would read another one, or none at all."""
        command = parse_line(line)
        if command.nodes == EVERYBODY and not line.lstrip().startswith("on "):
            return
        if ranks is not None:
            raise LineError(f"this is the console of node {ranks[0]}; 'on NODES' is for the one of all nodes")
        if command.nodes != EVERYBODY and (last := max(high for _, high in command.nodes.stretches)) >= self._nodes:
            raise LineError(f"there is no node {last}; nodes are 0 to {self._nodes - 1}")


class _Listener:
    """Somebody at a console, who may read slowly."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._missed = 0

    def hear(self, line: str) -> None:
        """Give a line to the person's terminal, which is to show it and obey nothing in it."""
        notice = f"({self._missed} lines missed)\n" if self._missed else ""
        if self._client.offer(printed(f"{notice}{visible(line)}\n".encode())):
            self._missed = 0
        else:
            self._missed += 1
