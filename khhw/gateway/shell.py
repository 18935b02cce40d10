"""The console of the gateway node, which runs no loader."""

from collections.abc import Callable

from khhw.kernels.session import Line, Session, raw_length
from khhw.node import Node, selected
from rtl.formats import Protocol

__all__ = ["Shell"]


class Shell:
    """Answers lines of the console, and lets pass what is others'.

    Parameters
    ----------
    node : Node
    info : callable
        What ``info`` says besides the rank.
    """

    def __init__(self, node: Node, info: Callable[[], str]) -> None:
        self._node = node
        self._info = info
        self._session = Session()

    async def say(self, text: str) -> None:
        """Print a line behind the node's prompt."""
        await self._node.console.print(f"node {self._node.rank}> {text}")

    async def run(self) -> None:
        """Answer for ever."""
        while True:
            for packet in await self._node.console.receive():
                if not packet.external or packet.protocol != Protocol.CONSOLE:
                    continue
                for event in self._session.feed(packet):
                    if isinstance(event, Line):
                        await self._obey(event)

    async def _obey(self, line: Line) -> None:
        try:
            mine, command = selected(line.text, self._node.rank)
        except ValueError as error:
            await self.say(f"error: {error}")
            return
        words = command.split()
        if words[:1] == ["mrw"] and len(words) == 3 and (length := raw_length(words[2])):
            # An image for other nodes; its bytes pass here too, and are no text.
            self._session.skip(length, line.sequence)
        if mine and words:
            await self._answer(words[0])

    async def _answer(self, command: str) -> None:
        if command == "help":
            await self.say("help                      this text")
            await self.say("info                      who is connected")
        elif command == "info":
            await self.say(f"info: rank {self._node.rank}, {self._info()}")
        else:
            await self.say(f"error: unknown command {command!r}; this is the gateway and runs nothing else")
