"""Which direction is closed: found out after a call got no answer, from what a node may know itself."""

from khhw.net.errors import NetError, NoAnswerError, NotAllowedError, WindowError
from khhw.net.segments import Kind
from khhw.net.transmitter import Transmitter
from khhw.node import Event, Node, timeout
from rtl.formats import Reason
from rtl.registers import REGISTERS, joined

__all__ = ["Diagnosis"]

_OWN_REASONS = (Reason.NO_TABLE, Reason.ROW)
_ECHO_PATIENCE = 50_000
_REFUSAL_CYCLES = 200
"""Cycles after which a packet has passed this node's guard or not."""


class Diagnosis:
    """Finds the reason of a silence.

    Parameters
    ----------
    node : Node
    transmitter : Transmitter
        What echoes leave by.
    """

    def __init__(self, node: Node, transmitter: Transmitter) -> None:
        self._node = node
        self._transmitter = transmitter
        self._refused = 0
        self._marks: dict[tuple[int, int], Event] = {}
        self._next_mark = 0

    async def open(self) -> None:
        """Take note of what has been refused before."""
        self._refused = await self._node.read("REFUSED", Reason.ROW)

    async def _refusals(self) -> int:
        return sum([await self._node.read("REFUSED", reason) for reason in _OWN_REASONS])

    async def check_refusals(self, peer: int, since: int) -> None:
        """Raise NotAllowedError if packets to `peer` were refused here since cycle `since`. One access if none were."""
        refused = await self._node.read("REFUSED", Reason.ROW)
        if refused != self._refused:
            self._refused = refused
            if await self.refused_here(peer, since):
                raise self.not_allowed(peer)

    async def refused_here(self, peer: int, since: int = 0) -> bool:
        """Whether this node's guard refuses packets to `peer`: its log tells, or when that is full, a trial."""
        node = self._node
        wanted = REGISTERS["LOG_NODES"].pack(source=node.node_id, destination=node.shape.node_id(peer))
        for index in range(await node.read("LOG_COUNT")):
            if await node.read("LOG_NODES", index) != wanted:
                continue
            high, low = await node.read("LOG_TIME_HIGH", index), await node.read("LOG_TIME_LOW", index)
            if joined(low, high) >= since and await node.read("LOG_REASON", index) in _OWN_REASONS:
                return True
        if not await node.read("LOG_LOST"):
            return False
        before = await self._refusals()
        await self._transmitter.control(peer, Kind.ECHO, 0, 0, 0)
        await node.sleep(_REFUSAL_CYCLES)
        return await self._refusals() != before

    async def reaches(self, peer: int) -> bool:
        """Whether the net of `peer` answers."""
        self._next_mark = (self._next_mark + 1) % (1 << 14)
        key = self._node.shape.node_id(peer), self._next_mark
        answered = self._marks[key] = Event(f"an echo of node {peer}")
        try:
            await self._transmitter.control(peer, Kind.ECHO, 0, self._next_mark, 0)
            async with timeout(_ECHO_PATIENCE):
                await answered.wait()
        except TimeoutError:
            return False
        finally:
            del self._marks[key]
        return True

    def echoed(self, source: int, mark: int) -> None:
        """An echo came back."""
        if (source, mark) in self._marks:
            self._marks[source, mark].set()

    def not_allowed(self, peer: int) -> NotAllowedError:
        """The error when this node may not send to `peer`."""
        rank = self._node.rank
        return NotAllowedError(f"node {rank} -> node {peer} is not allowed: the guard of node {rank} refuses packets")

    async def of_connect(self, peer: int, since: int, waited: int) -> NetError:
        """Why nobody answered a request for a connection."""
        if await self.refused_here(peer, since):
            return self.not_allowed(peer)
        return NoAnswerError(
            f"node {peer} did not answer within {waited} cycles: node {peer} -> node {self._node.rank} is not "
            f"allowed, or node {peer} is held or runs no net")

    async def of_get(self, peer: int, since: int, waited: int) -> NetError:
        """Why a get was not answered."""
        rank = self._node.rank
        if await self.refused_here(peer, since):
            return self.not_allowed(peer)
        if await self.reaches(peer):
            return WindowError(
                f"node {peer} did not answer a get within {waited} cycles, but it is there: the window is closed, not "
                f"open to node {rank}, or smaller")
        return NoAnswerError(
            f"node {peer} did not answer a get within {waited} cycles: node {peer} -> node {rank} is not allowed, or "
            f"node {peer} is held")

    async def of_put(self, peer: int, waited: int) -> NetError:
        """Why a put did not leave memory."""
        if await self.refused_here(peer):
            return self.not_allowed(peer)
        return NoAnswerError(f"a put to node {peer} did not leave memory within {waited} cycles")
