"""One client and one stream: bytes both ways, until either end is done."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from khhw.gateway.client import Client
from khhw.gateway.wire import ClientLostError
from khhw.host.sync import gather
from khhw.net import NetError

__all__ = ["Stream", "forward"]

_CHUNK = 16 << 10


class Stream(Protocol):
    """What a client is connected to."""

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""

    async def receive(self, limit: int) -> bytes:
        """At least one byte, `limit` at most; ``b""`` behind the last."""

    async def finish(self) -> None:
        """Nothing more will be sent; what the other end still sends can be received."""

    async def close(self) -> None:
        """Send what was taken, and the end; nothing is received any more."""

    async def reset(self) -> None:
        """Break the stream off, at both ends."""


class _StreamEndedError(Exception):
    """The other end of the stream has sent its last byte."""


async def forward(
    client: Client, stream: Stream, *, upward: Callable[[bytes], None], downward: Callable[[bytes], None],
) -> str:
    """Carry bytes between a client and a stream.

    A client that stops sending still gets its answers. When the server ends the stream the client is closed, as a
    server of its own would close it. A stream whose client is lost is reset.

    Parameters
    ----------
    client : Client
    stream : Stream
        Connected.
    upward, downward : callable (bytes)
        Told what the client sent, and what it was sent.

    Returns
    -------
    str
        Why it is over; empty if it was closed in order. The client is the caller's to reset.
    """

    async def up() -> None:
        while data := await client.receive(_CHUNK):
            upward(data)
            await stream.send(data)
        await stream.finish()

    async def down() -> None:
        while data := await stream.receive(_CHUNK):
            downward(data)
            await client.send(data)
        raise _StreamEndedError

    try:
        await gather(up(), down())
    except _StreamEndedError:
        client.finish()
        # What the server did not want any more it refuses; the client has had its answers.
        with suppress(NetError):
            await stream.close()
    except ClientLostError as error:
        await stream.reset()
        return str(error)
    except NetError as error:
        return str(error)
    except Exception:
        # Whatever is wrong with one client's bytes, the server shall not keep its stream.
        await stream.reset()
        raise
    return ""
