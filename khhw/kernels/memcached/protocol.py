"""One client's side of the text protocol: bytes in, answers out. Knows no stream and waits for nothing.

A line is a command; a storage command is followed by a data block, which goes into the store's memory as it comes.
"""

from collections.abc import Iterator, Sequence

from khhw.kernels.memcached.answers import MAXIMUM_KEY, DataBlock, Value
from khhw.kernels.memcached.commands import Commands
from khhw.kernels.memcached.store import Item

__all__ = ["MAXIMUM_KEY", "Answer", "Session"]

Answer = bytes | Value
"""Text, or the value of a pinned item that :meth:`Session.sent` has to unpin."""

_LINE = 2048
"""Bytes without a newline that only a ``get`` of many keys may have; as in the original."""
_LONGEST = 65536
"""Bytes of the longest ``get``; the original stops at no length."""
_SPACES = 100
_END = b"\r\n"


class Session:
    """The protocol on one connection.

    Parameters
    ----------
    commands : Commands
        What all connections share.

    Attributes
    ----------
    closed : bool
        The connection is to be closed when all answers are sent.
    landing : Item or None
        A pinned item whose value comes by another way; until :meth:`landed` nothing more is answered.
    """

    def __init__(self, commands: Commands) -> None:
        self.closed = False
        self.landing: Item | None = None
        self._commands = commands
        self._buffer = bytearray()
        self._block: DataBlock | None = None
        self._filled = 0
        self._tail = b""

    def feed(self, data: bytes) -> list[Answer]:
        """Bytes from the client; what is to be sent for them, in order."""
        self._buffer += data
        return list(self._answers())

    def landed(self) -> list[Answer]:
        """What :attr:`landing` waited for has come, or will not, and was seen to; goes on with what came meanwhile."""
        self.landing = None
        return list(self._answers())

    def sent(self, answers: Sequence[Answer]) -> None:
        """Answers are on their way, or never will be; their values may change again."""
        for answer in answers:
            if isinstance(answer, Value):
                self._commands.store.unpin(answer.item)

    def lost(self) -> None:
        """The client is gone; what it began is forgotten."""
        if self._block is not None and self._block.item is not None:
            self._commands.store.unpin(self._block.item)
        self._block = None
        self.closed = True

    def _answers(self) -> Iterator[Answer]:
        while not self.closed and self.landing is None:
            if (block := self._block) is not None:
                if not self._fill(block):
                    return
                self._block = None
                reply = self._commands.storage.end(block, self._tail == _END)
            elif (line := self._line()) is not None:
                reply = self._commands.run(line)
            else:
                return
            self.closed, self.landing = reply.close, reply.landing
            self._block, self._filled, self._tail = reply.block, 0, b""
            yield from reply.answers

    def _line(self) -> bytes | None:
        """The next line without its end; None if it has not all come."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LINE and not self._may_be_long():
                self.closed = True
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[:end + 1]
        if end > 1 and line.endswith(b"\r"):
            line = line[:-1]
        return line.partition(b"\0")[0]

    def _may_be_long(self) -> bool:
        start = bytes(self._buffer[:_SPACES + 8])
        command = start.lstrip(b" ")
        return (len(start) - len(command) <= _SPACES and command.startswith((b"get ", b"gets "))
                and len(self._buffer) <= _LONGEST)

    def _fill(self, block: DataBlock) -> bool:
        """Move what has come of a data block to its place; False if more is to come."""
        count = block.length + len(_END) - self._filled
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        value = data[:max(0, block.length - self._filled)]
        if block.item is not None and value:
            self._commands.store.write(block.item, self._filled, value)
        self._tail += data[len(value):]
        self._filled += len(data)
        return self._filled == block.length + len(_END)
