"""The console of the gateway node, which runs no loader."""

from collections.abc import Callable

from khhw.node import Command, ConsoleReader, Node, WrongLine
from khhw.node.commands import prompt, shortened

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
        self._reader = ConsoleReader(node.rank)

    async def say(self, text: str) -> None:
        """Print a line behind the node's prompt."""
        await self._node.console.print(f"{prompt(self._node.rank)}{text}")

    async def run(self) -> None:
        """Answer for ever."""
        while True:
            for packet in await self._node.console.receive():
                for reading in self._reader.feed(packet):
                    match reading:
                        case Command(name=name, rest=rest):
                            await self._answer(name, rest)
                        case WrongLine(message=message):
                            await self.say(f"error: {message}")

    async def _answer(self, command: str, rest: str) -> None:
        if command in ("help", "info") and rest:
            await self.say(f"error: {command} takes nothing behind it, not {shortened(rest)!r}")
        elif command == "help":
            await self.say("help                      this text")
            await self.say("info                      who is connected")
        elif command == "info":
            await self.say(f"info: rank {self._node.rank}, {self._info()}")
        else:
            await self.say(
                f"error: unknown command {shortened(command)!r}; this is the gateway and runs nothing else")
