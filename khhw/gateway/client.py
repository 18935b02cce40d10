"""The simulation's end of a wire: what a task awaits."""

from khhw.gateway.wire import ClientLostError, Wire
from khhw.host.inbox import Inbox
from khhw.host.sync import Event

__all__ = ["Client"]

_CHUNK = 16 << 10


class Client:
    """A client of the outside, for tasks of one node or of the owner.

    Parameters
    ----------
    wire : Wire
    inbox : Inbox
        Of the host; news of the wire come by it.
    rank : int
        Whose tasks these are.
    """

    def __init__(self, wire: Wire, inbox: Inbox, rank: int) -> None:
        self._wire = wire
        self._inbox = inbox
        self._rank = rank
        self._posted = False
        self._news = Event(f"{wire.name}")
        wire.tell_simulation = self._post

    @property
    def name(self) -> str:
        """Its address, for messages."""
        return self._wire.name

    def _post(self) -> None:
        """In the sockets' thread: one post says as much as many."""
        if not self._posted:
            self._posted = True
            self._inbox.post(self._rank, self._wake, self.name)

    def _wake(self) -> None:
        self._posted = False
        self._news.set()

    async def receive(self, limit: int = _CHUNK) -> bytes:
        """The next bytes it sends, `limit` at most, as soon as there are any; ``b""`` behind the last.

        Raises
        ------
        ClientLostError
            If it is gone.
        """
        while True:
            self._news.clear()
            data = self._wire.take(limit)
            if data is not None:
                return data
            await self._news.wait()

    async def send(self, data: bytes) -> None:
        """Give it `data`; returns when all of it is on its way, which takes as long as the client likes.

        Raises
        ------
        ClientLostError
            If it is gone.
        """
        view = memoryview(data)
        while view:
            self._news.clear()
            view = view[self._wire.give(view):]
            if view:
                await self._news.wait()

    async def send_whole(self, data: bytes, *, urgent: bool = False) -> None:
        """Give it `data` in one piece, when there is room for all of it; others may give it pieces meanwhile.

        Parameters
        ----------
        data : bytes
            No more than the wire holds.
        urgent : bool
            As urgent data that ends with the last byte.

        Raises
        ------
        ClientLostError
            If it is gone.
        """
        while True:
            self._news.clear()
            if self._wire.give_whole(data, urgent=urgent):
                return
            await self._news.wait()

    def urgent(self) -> bool:
        """Whether it has sent urgent data since this was asked last. Its end is still to be received."""
        return self._wire.urgent()

    def offer(self, data: bytes) -> bool:
        """Give it `data` if there is room for all of it now; returns whether there was."""
        try:
            return self._wire.give_whole(data)
        except ClientLostError:
            return False

    def finish(self) -> None:
        """Close the connection when all has been sent."""
        self._wire.finish()

    def abort(self) -> None:
        """Reset the connection."""
        self._wire.abort()
