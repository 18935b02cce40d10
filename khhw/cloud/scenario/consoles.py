"""Consoles of a cloud whose machine waits: lines that its principals type, and what nodes say."""

import zlib
from collections.abc import Callable, Sequence

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import Heard
from khhw.cloud.models import Console, Lease
from khhw.cloud.scenario.waiting import WaitingMachine
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
    machine : WaitingMachine
    pass_until : callable
        Lets the machine run to a cycle, and leases end meanwhile.

    Attributes
    ----------
    said : list of Said
        In the order in which it left the machine.
    missed : int
        Packets that were lost because nobody read them fast enough.
    """

    def __init__(self, core: Core, machine: WaitingMachine, pass_until: Callable[[int], None]) -> None:
        self._core, self._machine, self._pass_until = core, machine, pass_until
        self._told = set[int]()
        """Places in `said` of what was waited for, or ended a wait."""
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

    def errors(self) -> list[ConsoleLine]:
        """Errors that loaders and kernels have reported, and that nobody waited for."""
        return [line for index, line in enumerate(self.lines())
                if index not in self._told and ERROR.within(self.said[index])]

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

    def boot(self, console: Console, arguments: str, nodes: Sequence[int] | None, answer: Answer | None = None) -> None:
        """Run what :meth:`load` has loaded."""
        self.type(console, boot_command(self._machine.info.image_address, arguments), nodes, answer)

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
        if others := [said for said in answers if not told.within(said)]:
            where = nodes_in_words(sorted(said.rank for said in others))
            raise SilentError(f"something is in the memory of {where}: {others[0].text!r}, and of zeros it would be "
                              f"{str(told)!r}; it is this tenant's own, if something was loaded since it came")

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
        before = len(self._machine.applied)
        while True:
            for index, said in enumerate(self.said[begin:], begin):
                if said.rank not in ranks or said.rank in found:
                    continue
                if answer.within(said):
                    found[said.rank] = index
                elif ERROR.within(said):
                    self._told.add(index)
                    raise SilentError(f"node {said.rank} said {said.text!r}, not {str(answer)!r}")
            self._told.update(found.values())
            if len(found) == len(ranks):
                return found
            self._check_patience(sorted(set(ranks) - set(found)), answer, begin, before, end)
            self._pass_until(self._machine.clock().cycle + _STEP_CYCLES)

    def _check_patience(self, ranks: Sequence[int], answer: Answer, begin: int, before: int, end: int) -> None:
        """SilentError if these have been taken away by a change from `before` on, or had until a cycle."""
        gone = {rank for revision, _ in self._machine.applied[before:] for rank in revision.hand_over} & {*ranks}
        if gone:
            where = nodes_in_words(sorted(gone))
            raise SilentError(f"the lease was over before {where} said {str(answer)!r}")
        if self._machine.clock().cycle >= end:
            lines = {said.rank: said.text for said in self.said[begin:]}
            spoke = [rank for rank in ranks if rank in lines]
            last = f"; node {spoke[0]} said {lines[spoke[0]]!r} last" if spoke else ", nor anything else"
            raise SilentError(
                f"{nodes_in_words(ranks)} did not say {str(answer)!r} within {_ANSWER_CYCLES:,} cycles{last}")
