"""One client's side of the text protocol: bytes in, answers out. Knows no stream and waits for nothing.

A line is a command; a storage command is followed by a data block, which goes into the store's memory as it comes.
"""

from collections.abc import Iterator, Sequence

from khhw.kernels.memcached.answers import MAXIMUM_KEY, DataBlock, Reply, Value
from khhw.kernels.memcached.commands import LONG_LINES, Commands
from khhw.kernels.memcached.store import Item

__all__ = ["MAXIMUM_KEY", "Answer", "Session"]

Answer = bytes | Value
"""Text, or the value of a pinned item that :meth:`Session.sent` has to unpin."""

_PROMPT = 2048
"""Bytes without a newline that the original takes of any command; of more it wants the rest at once."""
LINE_BYTES = 16384
"""Bytes of a line, its end included, that the original takes of any command if it comes at once: its read buffer."""
_SPACES = 100
"""Spaces before a longer line, which is a ``get`` of many keys or the end of the connection."""
_NO_MEMORY = b"SERVER_ERROR out of memory reading request\r\n"
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

    # Lines are judged whole: what is answered does not depend on the pieces they come in. The original closes the
    # connection if it meets the first 2,049 bytes of a line without the rest, and takes the line if it meets them
    # together; so every line is taken here that the original can take, and `hurried` says that it wants the rest now.

    def __init__(self, commands: Commands) -> None:
        self.closed = False
        self.landing: Item | None = None
        self._commands = commands
        self._buffer = bytearray()
        self._searched = 0
        self._borrowed = 0
        self._block: DataBlock | None = None
        self._filled = 0
        self._tail = b""

    def feed(self, data: bytes) -> list[Answer]:
        """Bytes from the client; what is to be sent for them, in order."""
        self._buffer += data
        return list(self._answers())

    @property
    def hurried(self) -> bool:
        """Whether the original, which has met a line that long without its end, would close the connection now."""
        return self._searched > _PROMPT and not self._many_keys()

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
        self._borrow(0)
        self.closed = True

    def _answers(self) -> Iterator[Answer]:
        while not self.closed and self.landing is None:
            reply: Reply | None
            if (block := self._block) is not None:
                if not self._fill(block):
                    return
                self._block = None
                reply = self._commands.storage.end(block, self._tail == _END)
            elif (reply := self._line()) is None:
                return
            self.closed, self.landing = reply.close, reply.landing
            self._block, self._filled, self._tail = reply.block, 0, b""
            yield from reply.answers

    def _line(self) -> Reply | None:
        """What the next line leads to; None if it has not all come."""
        end = self._buffer.find(b"\n", self._searched)
        length = end + 1 if end >= 0 else len(self._buffer) + 1
        if length > LINE_BYTES and not self._many_keys():
            return Reply(close=True)
        if end < 0:
            self._searched = len(self._buffer)
            return None if self._borrow(self._searched - LINE_BYTES) else Reply([_NO_MEMORY], close=True)
        line = bytes(self._buffer[:end])
        del self._buffer[:end + 1]
        self._searched = 0
        self._borrow(0)
        if end > 1 and line.endswith(b"\r"):
            line = line[:-1]
        return self._commands.run(line.partition(b"\0")[0])

    def _many_keys(self) -> bool:
        """Whether the line being sent may have any length."""
        start = bytes(self._buffer[:_SPACES + len(b"gets ")])
        command = start.lstrip(b" ")
        return len(start) - len(command) <= _SPACES and command.startswith((b"get ", b"gets "))

    def _borrow(self, count: int) -> bool:
        """Keep `count` bytes of a long line that has not ended; False if all connections together keep too many."""
        count = max(0, count)
        kept = self._commands.long_lines + count - self._borrowed
        if kept > LONG_LINES:
            return False
        self._commands.long_lines, self._borrowed = kept, count
        return True

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
