"""The gateway node: an I/O node whose only program is khhw's own. It hands TCP clients over to a server's stream.

On a real I/O node the clients come in by an Ethernet port, 10 Gbit/s on Blue Gene/P; here a queue into the simulation
stands for that port, so what a client sends is there at once and costs the torus nothing until it is sent on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from khhw.gateway.client import Client
from khhw.gateway.forward import forward
from khhw.gateway.operations import Operations
from khhw.gateway.shell import Shell
from khhw.host.ports import NodePort
from khhw.host.sync import Queue, spawn
from khhw.kernels.image import described
from khhw.net import Connection, Net, NetError, NoRoomError
from khhw.node import Node
from khhw.sim.reports import report

__all__ = ["Daemon", "Traffic"]

CONNECT_CYCLES = 10_000_000
"""Cycles a server may take to answer a connection, or to have room for it."""
_AGAIN_CYCLES = 20_000
"""Cycles until a server without room is asked again."""


@dataclass
class Traffic:
    """What has passed the gateway.

    Parameters
    ----------
    clients : int
        Connected now.
    taken : int
        Clients ever connected.
    failed : int
        Of these, how many ended by an error.
    operations : int
        Commands that clients sent.
    received, sent : int
        Bytes from clients, and to them.
    """

    clients: int = 0
    taken: int = 0
    failed: int = 0
    operations: int = 0
    received: int = 0
    sent: int = 0


class Daemon:
    """What runs on the gateway node instead of a loader.

    Parameters
    ----------
    rank : int
        The gateway node.
    server : int
        Rank that clients are connected to.
    stream_port : int
        Port of the server's listener.
    connections : int
        Streams at a time.

    Attributes
    ----------
    traffic : Traffic
        So far.
    """

    def __init__(self, rank: int, server: int, stream_port: int, connections: int) -> None:
        self.traffic = Traffic()
        self._rank = rank
        self._server = server
        self._stream_port = stream_port
        self._connections = connections
        self._arrived: Queue[Client] = Queue(name="a client")

    def enter(self, client: Client) -> None:
        """A client has come in. It waits until the gateway is up."""
        self._arrived.put_nowait(client)

    async def run(self, port: NodePort) -> None:
        """The node's firmware: wait for the owner, say so, and serve clients for ever."""
        node = await Node.open(port)
        shell = Shell(node, self._info)
        await shell.say("ready, this is the gateway; type help")
        net = await Net.open(node, connections=self._connections)
        await spawn(shell.run(), name="console of the gateway")
        while True:
            client = await self._arrived.get()
            await spawn(self._serve(net, client), name=f"client {client.name}")

    def _info(self) -> str:
        traffic = self.traffic
        return (f"gateway to port {self._stream_port} of node {self._server}; "
                f"{traffic.clients} clients, {traffic.taken} so far, {traffic.operations} operations, "
                f"{traffic.received} bytes in, {traffic.sent} bytes out")

    async def _serve(self, net: Net, client: Client) -> None:
        """One client, from its coming to its going. What goes wrong with it concerns nobody else."""
        self.traffic.taken += 1
        self.traffic.clients += 1
        problem = "the gateway was stopped"
        try:
            problem = await self._connect(net, client)
        except Exception as error:
            problem = f"the gateway failed with it: {described(error)}"
        except GeneratorExit:
            problem = ""  # The machine has stopped; that is no client's problem.
            raise
        finally:
            self.traffic.clients -= 1
            if problem:
                self.traffic.failed += 1
                client.abort()
                report("client", name=client.name, problem=problem)

    async def _connect(self, net: Net, client: Client) -> str:
        try:
            connection = await self._stream(net)
        except NetError as error:
            return str(error)
        return await forward(client, connection, upward=self._upward(), downward=self._downward)

    async def _stream(self, net: Net) -> Connection:
        """A stream to the server, which may take its time to give up those of clients that have gone."""
        last = net.node.now + CONNECT_CYCLES
        while True:
            try:
                return await net.connect(self._server, self._stream_port, timeout=CONNECT_CYCLES)
            except NoRoomError:
                if net.node.now >= last:
                    raise
            await net.node.sleep(_AGAIN_CYCLES)

    def _upward(self) -> Callable[[bytes], None]:
        operations = Operations()

        def passed(data: bytes) -> None:
            before = operations.count
            operations.feed(data)
            self.traffic.operations += operations.count - before
            self.traffic.received += len(data)

        return passed

    def _downward(self, data: bytes) -> None:
        self.traffic.sent += len(data)
