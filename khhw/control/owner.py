"""The physical owner: register accesses over the tree that no node can make itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from khhw.control.outside import Outside
from khhw.control.silence import suspects
from khhw.node.shape import Shape
from khhw.node.tree_packets import CONTROL_WORDS, Control, control_packet
from rtl.formats import ControlOp, TreeChannel, TreeClass
from rtl.registers import LARGEST, REGISTERS, registers_of
from rtl.tree.combiner import PATIENCE

__all__ = [
    "ANSWER_LIMIT", "ConsoleKeys", "Group", "Owner", "OwnerError", "RefusedError", "Write", "named", "register_name",
]

ANSWER_LIMIT = 100_000
"""Cycles within which every node must have answered."""
_KEY = (1 << 32) - 1
ROOT = 0
"""Rank of the tree's root, where answers of several nodes have become one."""


class OwnerError(RuntimeError):
    """A node did not do what its owner asked."""


class RefusedError(OwnerError):
    """A node has no such register, or not for this.

    Parameters
    ----------
    message : str
    rank : int or None
        The node; None if it is not known which one of all.
    """

    def __init__(self, message: str, rank: int | None = None) -> None:
        super().__init__(message)
        self.rank = rank


@dataclass(frozen=True)
class Write:
    """A value for a register of a node.

    Parameters
    ----------
    register : str
        Name in :data:`rtl.registers.REGISTERS`.
    value : int
        32 bits.
    index : int
        Element of an array.
    """

    register: str
    value: int
    index: int = 0

    @classmethod
    def fields(cls, register: str, index: int = 0, **fields: int) -> "Write":
        """A write of these fields, and of 0 to all others."""
        return cls(register, REGISTERS[register].pack(**fields), index)

    @property
    def word(self) -> Control:
        """The control word that does it."""
        return Control(ControlOp.WRITE, REGISTERS[self.register].at(self.index), self.value)


class ConsoleKeys(NamedTuple):
    """Console channels of a node.

    Parameters
    ----------
    send : int
        Channel id of what it sends, 32 bits.
    receive : sequence of int
        Channel ids it hears.
    tree_class : int, optional
        Class of the tree of what it says to more than one; None leaves that as it is.
    """

    send: int
    receive: Sequence[int]
    tree_class: int | None = None

    @property
    def writes(self) -> list[Write]:
        """What gives a node these keys."""
        ids = [Write("CONSOLE_RECEIVE_ID", key, index) for index, key in enumerate(self.receive)]
        keys = [Write("CONSOLE_SEND_ID", self.send), *ids, Write("CONSOLE_LISTEN", (1 << len(self.receive)) - 1)]
        return keys if self.tree_class is None else [*keys, Write.fields("CONSOLE_CLASS", tree_class=self.tree_class)]


class Group(NamedTuple):
    """Nodes that are told the same, and the class by whose routes they are: BROADCAST if they are all.

    Parameters
    ----------
    tree_class : int
    ranks : sequence of int
    writes : sequence of Write
    """

    tree_class: int
    ranks: Sequence[int]
    writes: Sequence[Write]


class _Question(NamedTuple):
    """A control packet to be sent.

    Parameters
    ----------
    rank : int or None
        To one node, or to the members of `tree_class`.
    words : sequence of Control
    combine : bool
        They answer as one.
    tree_class : int
    """

    rank: int | None
    words: Sequence[Control]
    combine: bool = False
    tree_class: int = TreeClass.BROADCAST


_NAMES = {
    address: register.name if register.count == 1 else f"{register.name}[{index}]"
    for register, index, address in registers_of(LARGEST)
}


def register_name(address: int) -> str:
    """Name and index of the register at an address, for messages."""
    return _NAMES.get(address, f"{address:#06x}")


class Owner:
    """Control packets to nodes, and their answers.

    What nodes still answer to an owner before, who was stopped in the middle of something, is not taken for an answer
    to this one: every question bears the cycle of the owner's first one.

    Parameters
    ----------
    outside : Outside
        Already started.
    shape : Shape
        Of the machine.
    answer_limit : int
        Cycles within which an answer must come, counted from the question or from the answer before.
    """

    def __init__(self, outside: Outside, shape: Shape, *, answer_limit: int = ANSWER_LIMIT) -> None:
        self.outside = outside
        self.shape = shape
        self._answer_limit = answer_limit
        self._sequence = 0
        self._joint = 0
        self._key: int | None = None

    async def execute(self, rank: int | None, words: Sequence[Control]) -> dict[int, list[Control]]:
        """Have control words executed, in order.

        Parameters
        ----------
        rank : int or None
            One node, or all of them, of which each answers.
        words : sequence of Control

        Returns
        -------
        dict of int to list of Control
            The answered words, by rank.

        Raises
        ------
        OwnerError
            If a node refuses a word, answers something else or does not answer; names node, register and value.
        """
        answers: dict[int, list[Control]] = {r: [] for r in self._ranks(rank)}
        for at in range(0, len(words), CONTROL_WORDS):
            for (_, node), answer in (await self._exchange([_Question(rank, words[at:at + CONTROL_WORDS])])).items():
                answers[node] += answer
        return answers

    async def combined(self, words: Sequence[Control]) -> list[Control]:
        """Have control words executed by all nodes, in order, with one answer that the tree makes of theirs.

        So it takes no longer the more nodes there are, but for the depth of the tree.

        Parameters
        ----------
        words : sequence of Control
            What was read comes back as the bitwise OR over all nodes; as the bitwise AND by `ControlOp.ALL`, as the
            sum modulo 2^32 by `ControlOp.SUM`.

        Raises
        ------
        OwnerError
            As :meth:`execute`; it is not known then which node it was that refused a word.
        """
        answers: list[Control] = []
        for at in range(0, len(words), CONTROL_WORDS):
            question = _Question(None, words[at:at + CONTROL_WORDS], combine=True)
            answers += next(iter((await self._exchange([question])).values()))
        return answers

    async def write_each(
        self, writes: Mapping[int, Sequence[Write]], first: Sequence[Write] = (), groups: Sequence[Group] = (),
    ) -> None:
        """Write registers of many nodes, to each its own, in order at every node but without waiting from node to node.

        Parameters
        ----------
        writes : mapping of int to sequence of Write
            By rank.
        first : sequence of Write
            Of all nodes, before those.
        groups : sequence of Group
            Of the members of classes whose routes are known to be right, between these.

        Raises
        ------
        OwnerError
            As :meth:`execute`; other nodes may have done what they were asked.
        """
        words = {rank: [write.word for write in given] for rank, given in writes.items()}
        common = [(int(TreeClass.BROADCAST), first), *((group.tree_class, group.writes) for group in groups)]
        questions: list[_Question] = []
        for tree_class, given in common:
            # See rtl.tree.combiner: the answers for one class must be here before another one is asked.
            if {question.tree_class for question in questions} - {tree_class, TreeClass.BROADCAST}:
                await self._exchange(questions)
                questions = []
            questions += [_Question(None, [write.word for write in given[at:at + CONTROL_WORDS]], True, tree_class)
                          for at in range(0, len(given), CONTROL_WORDS)]
        for at in range(0, max([bool(questions), *map(len, words.values())]), CONTROL_WORDS):
            questions += [_Question(rank, given[at:at + CONTROL_WORDS]) for rank, given in words.items() if given[at:]]
            await self._exchange(questions)
            questions = []

    async def read_each(self, words: Mapping[int, Sequence[Control]]) -> dict[int, list[int]]:
        """What many nodes answer, each to its own words, without waiting from node to node.

        Parameters
        ----------
        words : mapping of int to sequence of Control
            By rank.

        Raises
        ------
        OwnerError
            As :meth:`execute`.
        """
        found: dict[int, list[int]] = {rank: [] for rank in words}
        longest = max(map(len, words.values()), default=0)
        answers = await self._exchange([_Question(rank, asked[at:at + CONTROL_WORDS])
                                        for at in range(0, longest, CONTROL_WORDS)
                                        for rank, asked in words.items() if asked[at:]])
        for (_, rank), answer in answers.items():
            found[rank] += [word.data for word in answer]
        return found

    def _ranks(self, rank: int | None) -> Iterable[int]:
        return range(self.shape.nodes) if rank is None else (rank,)

    async def _exchange(
        self, questions: Sequence[_Question], patience: int = 0,
    ) -> dict[tuple[int, int], list[Control]]:
        """Send packets and collect the answers, by number of the packet and rank of who answers: one a node and packet.

        They are in the order of the questions. For all nodes as one the root answers. `patience` is how many cycles
        longer than else answers may take.
        """
        known = {await self._ask(question): question for question in questions}
        missing = {(sequence, node): question for sequence, question in known.items()
                   for node in ((ROOT, ) if question.combine else self._ranks(question.rank))}
        asked = list(missing)
        answers: dict[tuple[int, int], list[Control]] = {}
        while missing:
            try:
                answer = await self.outside.answer(self._answer_limit + patience)
            except TimeoutError:
                raise await self._silence(missing, answers) from None
            if answer.dst_key != self._key or answer.conn_id not in known:
                continue
            combined = known[answer.conn_id].combine
            if combined and not answer.combine:
                raise await self._silence(missing, answers)
            node = ROOT if combined else self.shape.rank_of_id(answer.source)
            if (answer.conn_id, node) not in missing:
                raise OwnerError(f"Node {node} answered without being asked")
            words = missing.pop((answer.conn_id, node)).words
            answers[answer.conn_id, node] = _checked(
                None if combined else node, words, Control.parse_all(answer.payload))
        return {key: answers[key] for key in asked}

    async def _ask(self, question: _Question) -> int:
        """Send a packet; its number."""
        if self._key is None:
            # Another owner's numbers begin elsewhere, as a rule.
            self._key = self._joint = self.outside.now & _KEY
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._joint += question.combine
        await self.outside.send(control_packet(
            question.words, vector=question.rank, conn_id=self._sequence, key=self._key,
            combine=self._joint if question.combine else None, tree_class=question.tree_class), TreeChannel.OWNER)
        return self._sequence

    async def _silence(
        self, missing: Mapping[tuple[int, int], _Question], answers: Iterable[tuple[int, int]],
    ) -> OwnerError:
        """Which nodes do not answer. If the answer of all as one is missing, each is asked for itself first."""
        if any(question.combine for question in missing.values()):
            # What waits for a silent node is before the answers to this.
            await self._exchange([_Question(None, [Control(ControlOp.NOP, 0)])], PATIENCE)
            return OwnerError("Answers have not come together as one, though each node answers when it is asked")
        late = {node for _, node in missing}
        everybody = len({node for _, node in answers} | late) == self.shape.nodes
        where = suspects(late, self.shape.nodes) if everybody else ""
        return OwnerError(f"{named(late)} did not answer within {self._answer_limit} cycles{where}")

    async def write(self, rank: int | None, *writes: Write) -> None:
        """Write registers of one node (see :meth:`execute`), or of all of them (see :meth:`combined`)."""
        words = [write.word for write in writes]
        await (self.combined(words) if rank is None else self.execute(rank, words))

    async def read(self, rank: int, register: str, indices: Iterable[int] = (0,)) -> list[int]:
        """Read elements of a register of a node."""
        words = [Control(ControlOp.READ, REGISTERS[register].at(index)) for index in indices]
        return [word.data for word in (await self.execute(rank, words))[rank]]

    async def read_all(self, register: str, index: int = 0) -> list[int]:
        """Read a register of all nodes; by rank."""
        answers = await self.execute(None, [Control(ControlOp.READ, REGISTERS[register].at(index))])
        return [answers[rank][0].data for rank in range(self.shape.nodes)]

    async def read_all_fields(self, register: str, index: int = 0) -> list[dict[str, int]]:
        """Read a register of all nodes; its fields by name, by rank."""
        return [REGISTERS[register].unpack(value) for value in await self.read_all(register, index)]

    async def hold(self, rank: int | None = None, *, clear: bool = False) -> None:
        """Put a node, or all, into tenant reset.

        Parameters
        ----------
        rank : int or None
        clear : bool
            Also have the hardware take from the node all that a next tenant could read or inherit: memory, refusal log
            and REFUSED, the grant of the priority channel, console keys. A release takes effect after that.
        """
        await self.write(rank, Write.fields("HOLD", hold=1, clear=int(clear)))

    async def release(self, rank: int | None = None) -> None:
        """Let a node, or all, out of tenant reset, which ends when what it cut is over: HOLD reads 0 then."""
        await self.write(rank, Write("HOLD", 0))

    async def grant_priority(self, rank: int, *, granted: bool = True) -> None:
        """Allow or forbid a node the priority channel."""
        await self.write(rank, Write.fields("GRANTS", priority=int(granted)))

    async def set_console(
        self, rank: int | None, send: int, receive: Sequence[int], tree_class: int | None = None,
    ) -> None:
        """Give a node, or all, what makes up :class:`ConsoleKeys`."""
        await self.write(rank, *ConsoleKeys(send, receive, tree_class).writes)


def _checked(node: int | None, words: Sequence[Control], answer: list[Control]) -> list[Control]:
    """The words that a node has answered, or all nodes as one if it is None."""
    who = "A node" if node is None else f"Node {node}"
    if len(answer) < len(words):
        raise OwnerError(f"{who} answered {len(answer)} of {len(words)} control words")
    for asked, got in zip(words, answer, strict=False):
        if got.failed:
            what = f"write of {asked.data:#x} to" if asked.op == ControlOp.WRITE else "read of"
            raise RefusedError(f"{who} refused the {what} {register_name(asked.address)}", node)
        if got.address != asked.address or got.op != asked.op:
            raise OwnerError(f"{who} answered for {got.address:#x}, not for {register_name(asked.address)}")
    return answer[:len(words)]


def named(ranks: Iterable[int]) -> str:
    """``Node 3``, or ``Nodes 3, 5``."""
    names = [str(rank) for rank in sorted(ranks)]
    return f"Node {names[0]}" if len(names) == 1 else f"Nodes {', '.join(names)}"
