"""Consoles of a cloud whose machine waits: lines that its principals type, and what nodes say."""

import zlib
from collections.abc import Sequence

from khhw.cloud.callers import Caller
from khhw.cloud.client import SimulatedMachine
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import Heard
from khhw.cloud.models import Console, Lease
from khhw.cloud.words import nodes_in_words
from khhw.control.console import ERROR, Answer, Said
from khhw.machine.results import ConsoleLine
from khhw.node.commands import LINE_LIMIT, boot_command, written
from khhw.node.lines import LineCutter

__all__ = ["Consoles", "SilentError"]

_STEP_CYCLES = 500
"""Between two looks for an answer."""
_ANSWER_CYCLES = 1_000_000
"""After which a node that has said nothing will not."""


class SilentError(RuntimeError):
    """A node did not say what it should have."""


class Consoles:
    """All consoles.

    What nodes say comes in a thread of the machine's, but only while a call of the machine is under way.

    Parameters
    ----------
    core : Core
    machine : SimulatedMachine
        It waits.

    Attributes
    ----------
    said : list of Said
        In the order in which it left the machine.
    missed : int
        Packets that were lost because nobody read them fast enough.
    """

    def __init__(self, core: Core, machine: SimulatedMachine) -> None:
        self._core, self._machine = core, machine
        self._heard: set[int] = set()
        self._cutters: dict[tuple[int, int], LineCutter] = {}
        self.said: list[Said] = []
        self.missed = 0

    def attend(self, who: Caller) -> None:
        """Hear all that nodes of somebody say from now on."""
        for console in self._core.channels.all(who):
            if console.send_id not in self._heard:
                self._heard.add(console.send_id)
                self._machine.listen(console.send_id, self._take)

    def lines(self) -> list[ConsoleLine]:
        """All that was said, as results have it."""
        return [ConsoleLine(cycle=said.cycle, node=said.rank, text=said.text) for said in self.said]

    def _take(self, heard: Heard) -> None:
        self.missed += heard.missed
        cutter = self._cutters.setdefault((heard.channel, heard.rank), LineCutter(LINE_LIMIT))
        self.said += [Said(heard.clock.cycle, heard.rank, piece.data.decode("utf-8", "replace"))
                      for piece in cutter.feed(heard.data)]

    def of(self, who: Caller, lease: Lease) -> Console:
        """The console of a lease, for who may write there.

        Raises
        ------
        CloudError
            If he may not, or there is nobody at its other end.
        """
        if lease.console is None:
            raise CloudError.conflict(f"lease {lease.name} is an offer, and has no console")
        console = self._core.channels.get(who, lease.console)
        if "write" not in console.rights:
            raise CloudError.forbidden(f"con{console.id} may not be written to by {who.name}, or no longer")
        return console

    def type(self, console: Console, line: str, nodes: Sequence[int] | None, answer: Answer | None,
             raw: bytes = b"") -> None:
        """Type a line, and wait until each of its nodes has answered, if an answer is expected.

        Raises
        ------
        SilentError
            If it says an error instead, or nothing.
        CloudError
            If a node is none of the console's.
        """
        if others := sorted(set(nodes or ()) - set(console.nodes)):
            raise CloudError.bad(f"con{console.id} has no {nodes_in_words(others)}; its nodes are "
                                 f"{', '.join(map(str, console.nodes))}")
        begin = len(self.said)
        self._machine.say(console.id, written(line, nodes), raw)
        if answer is not None:
            self.wait(console.nodes if nodes is None else nodes, answer, begin)

    def load(self, console: Console, image: bytes, nodes: Sequence[int] | None) -> None:
        """Load an image where kernels are loaded, and have each node check it."""
        address, length = self._machine.info.image_address, len(image)
        self.type(console, f"mrw {address:#x} {length}", nodes, Answer(f"mrw: {length} bytes", whole=True), image)
        self.type(console, f"crc {address:#x} {length}", nodes, Answer(f"crc: {zlib.crc32(image):08x}", whole=True))

    def boot(self, console: Console, arguments: str, nodes: Sequence[int] | None) -> None:
        """Run what :meth:`load` has loaded."""
        self.type(console, boot_command(self._machine.info.image_address, arguments), nodes, None)

    def check_cleared(self, console: Console) -> None:
        """Have the nodes tell that the memory that kernels use, from where images are loaded to its end, is 0."""
        first, end = self._machine.info.image_address, self._machine.info.memory_bytes
        told = Answer(f"crc: {zlib.crc32(bytes(end - first)):08x}", whole=True)
        # Answers to lines before it are behind us then, and each node is at its loader's prompt.
        mark = f"after line {len(self.said)} in cycle {self._machine.clock().cycle}"
        self.type(console, f"echo {mark}", None, Answer(mark, whole=True))
        begin = len(self.said)
        self.type(console, f"crc {first:#x} {end - first}", None, Answer("crc: "))
        answers = [said for said in self.said[begin:] if Answer("crc: ").within(said)]
        if others := [said.text for said in answers if not told.within(said)]:
            raise SilentError(f"something is left in memory: {others[0]!r}, and of zeros it would be {str(told)!r}")

    def wait(self, ranks: Sequence[int], answer: Answer, begin: int) -> dict[int, int]:
        """Let time pass until each of some nodes has answered.

        Parameters
        ----------
        ranks : sequence of int
        answer : Answer
        begin : int
            Place in :attr:`said` from which on it counts.

        Returns
        -------
        dict of int to int
            By rank, the place in :attr:`said` of its answer.
        """
        end, found = self._machine.clock().cycle + _ANSWER_CYCLES, dict[int, int]()
        while True:
            for place, said in enumerate(self.said[begin:], begin):
                if said.rank not in ranks or said.rank in found:
                    continue
                if answer.within(said):
                    found[said.rank] = place
                elif ERROR.within(said):
                    raise SilentError(f"node {said.rank} said {said.text!r}, not {str(answer)!r}")
            if len(found) == len(ranks):
                return found
            now = self._machine.clock().cycle
            if now >= end:
                missing = sorted(set(ranks) - set(found))
                raise SilentError(f"{nodes_in_words(missing)} did not say {str(answer)!r} within "
                                  f"{_ANSWER_CYCLES:,} cycles")
            self._machine.pass_until(now + _STEP_CYCLES)
