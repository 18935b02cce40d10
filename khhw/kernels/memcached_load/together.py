"""Clients on several nodes that begin at the same time. They know of each other only through the server."""

from collections.abc import Awaitable, Callable

from khhw.kernels.memcached.client import AnswerError, StreamClient
from khhw.node import Node

__all__ = ["Together"]

_LOOK = 700
"""Cycles between looks at what the others have said."""


class Together:
    """Barriers and common start times, as items of the server.

    Parameters
    ----------
    node : Node
    client : StreamClient
        A connection nothing else is done on.
    clients : list of int
        Ranks of all; the first one leads.
    patience : int
        Cycles to wait for the others.
    """

    def __init__(self, node: Node, client: StreamClient, clients: list[int], patience: int) -> None:
        self._node = node
        self._client = client
        self._clients = clients
        self._patience = patience
        self._stage = 0

    @property
    def leads(self) -> bool:
        """Whether this is the first client."""
        return self._clients[0] == self._node.rank

    async def meet(self) -> None:
        """Go on when all clients have come here.

        Raises
        ------
        AnswerError
            If some do not come.
        """
        if len(self._clients) == 1:
            return
        self._stage += 1
        key = b"khhw:here:%d" % self._stage
        await self._client.ask(b"add %b 0 0 1" % key, b"0")
        await self._client.numbers(b"incr %b 1" % key)
        await self._wait(key, len(self._clients))

    async def start(self, lead: int, noted: Callable[[int], Awaitable[bool]]) -> int:
        """A cycle that all clients agree on, at least `lead` away when the leader tells the others.

        Parameters
        ----------
        lead : int
        noted : callable
            Prepares the leader's measurement for a start; False if it is too late for that one.
        """
        key = b"khhw:start:%d" % self._stage
        if self.leads:
            ahead = 2 * lead
            start = self._node.now + ahead
            while not await noted(start) or start - self._node.now < lead:
                ahead *= 2
                start = self._node.now + ahead
            if len(self._clients) == 1:
                return start
            await self._client.set(key, b"%d" % start)
        return await self._wait(key, 1)

    async def _wait(self, key: bytes, least: int) -> int:
        """The number under `key`, as soon as it is `least` or more."""
        end = self._node.now + self._patience
        while self._node.now < end:
            value = await self._client.get(key)
            if value is not None and int(value) >= least:
                return int(value)
            await self._node.sleep(_LOOK)
        raise AnswerError(f"the other clients of {self._clients} did not come within {self._patience} cycles")
