"""The four calls, with the talk's names and argument order."""

from collections.abc import Sequence

from khhw.net import rdma
from khhw.net.buffers import Buffer
from khhw.net.connection import Connection
from khhw.net.net import net_of_this_node
from khhw.net.rdma import Transfer
from khhw.net.windows import RemoteBuffer

__all__ = ["rdma_get", "rdma_put", "tcp_rcv", "tcp_send"]


async def tcp_send(to: Connection, sbuf: bytes | bytearray | memoryview | Buffer) -> None:
    """Send bytes on a stream; returns when the stream has taken all of them.

    A long :class:`Buffer` whose address is a multiple of 8 is sent from where it is, and the call returns when the
    peer has it.

    Parameters
    ----------
    to : Connection
    sbuf : bytes-like or Buffer

    Raises
    ------
    NoAnswerError
        If the peer acknowledges nothing any more.
    ResetError
        If the peer has reset the connection or does not know it.
    ClosedError
        If it is closed.
    """
    await to.send(sbuf)


async def tcp_rcv(from_: Connection, sbuf: Buffer) -> int:
    """Receive what is there, at least one byte.

    Parameters
    ----------
    from_ : Connection
    sbuf : Buffer
        Node memory to fill.

    Returns
    -------
    int
        Bytes received; 0 at the end of the stream.

    Raises
    ------
    NetError
        As :func:`tcp_send`.
    """
    return await from_.receive_into(sbuf)


async def rdma_put(to: RemoteBuffer, sbuf: Buffer) -> Transfer:
    """Write memory of this node into a peer's window.

    Parameters
    ----------
    to : RemoteBuffer
        Offset a multiple of 8.
    sbuf : Buffer
        Address a multiple of 8.

    Returns
    -------
    Transfer
        Its :meth:`Transfer.done` ends when the data has left memory. What the target's window does not take is
        dropped and counted there.

    Raises
    ------
    WindowError
        If the window is not open for writing or too small.
    """
    return await rdma.put(await net_of_this_node(), to, sbuf)


async def rdma_get(
    from_: int, dbuf: Buffer | Sequence[Buffer], sbuf: RemoteBuffer | Sequence[RemoteBuffer]
) -> Transfer:
    """Read windows of a peer, without an instruction there.

    Parameters
    ----------
    from_ : int
        Rank of the peer.
    dbuf : Buffer or sequence of Buffer
        Where to; one for each source, or one for all. Several follow one another in memory, in any order.
    sbuf : RemoteBuffer or sequence of RemoteBuffer
        1 to 7 sources, which are read one after the other, each from its beginning to its end.

    Returns
    -------
    Transfer
        Its :meth:`Transfer.done` ends when all bytes are here.

    Raises
    ------
    WindowError
        If a window is not open for reading.
    """
    return await rdma.get(await net_of_this_node(), from_, dbuf, sbuf)
