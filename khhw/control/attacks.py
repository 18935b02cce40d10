"""Judging attacks: what was tried, what hardware refused and where, and what victims hold of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from khhw.control.log import RefusalLog
from khhw.kernels import attack, victim
from khhw.kernels.results import Peek, ResultError
from khhw.node.arguments import parse_options
from khhw.node.layout import Layout
from khhw.node.shape import Shape
from rtl.formats import Reason
from rtl.registers import Fault

__all__ = [
    "AttackResult", "Record", "VictimEntry", "VictimTable", "judge", "judge_attacks",
    "read_records", "read_victims",
]


@dataclass(frozen=True)
class Record:
    """What the attacker noted of an attack; see :data:`khhw.kernels.attack.RECORD`."""

    number: int
    name: str
    tried: int
    bus_errors: int
    landed: int
    faults: int
    returned: int
    began: int
    ended: int
    reasons: dict[Reason, int]


@dataclass(frozen=True)
class VictimEntry:
    """Something that arrived at a victim; see :data:`khhw.kernels.victim.ENTRY`."""

    kind: int
    number: int
    source: int
    cycle: int


@dataclass(frozen=True)
class VictimTable:
    """What a victim holds.

    Parameters
    ----------
    rank : int
    entries : list of VictimEntry
        Messages, console text of other nodes, faults.
    slots : frozenset of int
        Attacks whose token, or a secret, is in the window for puts.
    """

    rank: int
    entries: list[VictimEntry]
    slots: frozenset[int]

    def count(self, kind: int, number: int) -> list[VictimEntry]:
        """Entries of a kind and a number."""
        return [entry for entry in self.entries if entry.kind == kind and entry.number == number]


@dataclass(frozen=True)
class AttackResult:
    """The end of an attack.

    Parameters
    ----------
    name : str
    tried : int
        Packets, deliveries or register accesses.
    delivered : int
        Those that had the effect they were meant to have, from the victims' memories.
    refused : int
        Those hardware counted as refused.
    harmless : int
        Those that hardware let pass as something harmless: a packet with its true source, an answer to whoever asked.
    where : str
        Which part refused or changed them, and why, with numbers.
    """

    name: str
    tried: int
    delivered: int
    refused: int
    harmless: int
    where: str


@dataclass
class _Setup:
    """Everything known, while an attack is judged."""

    shape: Shape
    attacker: int
    friend: int
    forged: int
    forbidden: frozenset[int]
    victims: dict[int, VictimTable]
    logs: Sequence[RefusalLog] = field(default_factory=list)


def read_records(memory: Peek, layout: Layout) -> list[Record]:
    """The attacker's records.

    Raises
    ------
    ResultError
        If the attacks have not ended.
    """
    base = layout.heap.base
    magic, count, _, ended = attack.HEADER.unpack(memory(base, attack.HEADER.size))
    if magic != attack.MAGIC or not ended:
        raise ResultError("The attacker holds no finished table")
    data = memory(base + attack.HEADER.size, count * attack.RECORD.size)
    records = []
    for number, values in enumerate(attack.RECORD.iter_unpack(data)):
        name, tried, bus_errors, landed, faults, returned, _, began, end, *reasons = values
        counts = {Reason(reason): hits for reason, hits in enumerate(reasons) if hits}
        records.append(Record(
            number, name.rstrip(b"\0").decode(), tried, bus_errors, landed, faults, returned, began, end, counts))
    return records


def read_victims(memories: Mapping[int, Peek], layout: Layout) -> dict[int, VictimTable]:
    """The tables of the victims, by rank.

    Raises
    ------
    ResultError
        If one has not ended, or had no room for all that came.
    """
    table = victim.Table(layout.heap.base)
    victims = {}
    for rank, peek in memories.items():
        magic, found, count, lost, _, ended = victim.HEADER.unpack(peek(table.base, victim.HEADER.size))
        if (magic, found, ended) != (victim.MAGIC, rank, 1):
            raise ResultError(f"Node {rank} holds no finished victim's table")
        if lost:
            raise ResultError(f"{lost} entries found no room in the victim's table of node {rank}")
        log = peek(table.log, count * victim.ENTRY.size)
        entries = [VictimEntry(kind, number, source, cycle)
                   for kind, number, source, _, cycle in victim.ENTRY.iter_unpack(log)]
        victims[rank] = VictimTable(rank, entries, _slots(peek(table.window, victim.WINDOW)))
    return victims


def _slots(window: bytes) -> frozenset[int]:
    """Attacks that left something in a window: every 8 bytes are looked at, wherever it landed."""
    found = set()
    for at in range(0, len(window), 8):
        if window[at:at + 4] == attack.TOKEN_MAGIC:
            found.add(attack.TOKEN.unpack_from(window, at)[1])
        elif window[at:at + 4] == victim.SECRET_MAGIC:
            found.add(at // 32 % len(attack.ATTACKS))
    return frozenset(found)


def judge(
    records: Sequence[Record], victims: Mapping[int, VictimTable], logs: Sequence[RefusalLog], shape: Shape, *,
    attacker: int, friend: int, forged: int, forbidden: Sequence[int],
) -> list[AttackResult]:
    """Put together what attacker, victims and guards say.

    Parameters
    ----------
    records : sequence of Record
    victims : mapping of int to VictimTable
    logs : sequence of RefusalLog
        Of all nodes, read after the attacks.
    shape : Shape
    attacker, friend, forged : int
        Ranks, as the attack kernel was told.
    forbidden : sequence of int
        Ranks the attacker may not reach.
    """
    setup = _Setup(shape, attacker, friend, forged, frozenset(forbidden), dict(victims), logs)
    return [_judged(record, setup) for record in records]


def judge_attacks(
    memories: Sequence[Peek], logs: Sequence[RefusalLog], layout: Layout, shape: Shape, *,
    attacker: int = 0, arguments: str = "",
) -> list[AttackResult]:
    """Read and judge the attacks of a machine: kernel `attack` ran on one node, `victim` on all others.

    Parameters
    ----------
    memories : sequence of callable
        Of every node, by rank.
    logs : sequence of RefusalLog
        Cleared before, read after the attacks.
    layout : Layout
    shape : Shape
    attacker : int
        Rank.
    arguments : str
        What the attack kernel was booted with.

    Raises
    ------
    ResultError
        If a kernel has not ended.
    """
    options = parse_options(arguments, **attack.DEFAULTS)
    victims = read_victims({rank: peek for rank, peek in enumerate(memories) if rank != attacker}, layout)
    return judge(
        read_records(memories[attacker], layout), victims, logs, shape, attacker=attacker,
        friend=options["friend"][0], forged=options["forged"][0], forbidden=options["forbidden"])


def _judged(record: Record, setup: _Setup) -> AttackResult:
    refusals, harmless = _refusals(record, setup), _made_harmless(record, setup)
    return AttackResult(
        record.name, record.tried, _delivered(record, setup), sum(refusals.values()), sum(harmless.values()),
        "; ".join(f"{where}: {count}" for where, count in (*refusals.items(), *harmless.items())))


def _arrived(record: Record, tables: Sequence[VictimTable]) -> int:
    """Messages and puts of an attack that are in memories."""
    return sum(
        len(table.count(victim.KIND_MESSAGE, record.number)) + (record.number in table.slots) for table in tables)


def _delivered(record: Record, setup: _Setup) -> int:
    everybody = list(setup.victims.values())
    match record.name:
        case "forged source":
            forged = setup.shape.node_id(setup.forged)
            return sum(
                entry.source == forged for table in everybody
                for entry in table.count(victim.KIND_MESSAGE, record.number))
        case "tree":
            return sum(
                len(table.count(victim.KIND_CONSOLE, record.number)) for table in everybody
                if table.rank in setup.forbidden)
        case _:
            return record.landed + _arrived(record, everybody)


def _refusals(record: Record, setup: _Setup) -> Counter[str]:
    """What refused an attack, and how often."""
    found: Counter[str] = Counter()
    for reason, count in record.reasons.items():
        found[f"egress guard of node {setup.attacker}, {reason.name}"] += count
    for name, count in (("host port", record.bus_errors), ("network interface", record.faults)):
        if count:
            found[f"{name} of node {setup.attacker}, {'bus error' if name == 'host port' else 'fault'}"] += count
    _elsewhere(record, setup, found)
    return +found


def _made_harmless(record: Record, setup: _Setup) -> Counter[str]:
    """What passed, but not as the attack meant it: who changed it, and how often."""
    found: Counter[str] = Counter()
    found[f"ingress guard of node {setup.friend}, answer sent to node {setup.attacker} instead"] += record.returned
    if record.name == "forged source":
        own = setup.shape.node_id(setup.attacker)
        seen = setup.victims[setup.friend].count(victim.KIND_MESSAGE, record.number)
        found[f"stamp of node {setup.attacker}, node {setup.friend} saw source {setup.attacker}"] += sum(
            entry.source == own for entry in seen)
    return +found


def _elsewhere(record: Record, setup: _Setup, found: Counter[str]) -> None:
    """Refusals of other nodes in the time of an attack, by their logs and the victims' faults."""
    own = setup.shape.node_id(setup.attacker)
    for log in setup.logs:
        for entry in log.entries:
            if log.node != setup.attacker and entry.source == own and record.began <= entry.cycle <= record.ended:
                part = "console endpoint" if entry.reason == Reason.TREE else "guard"
                found[f"{part} of node {log.node}, {entry.reason.name}"] += 1
    for table in setup.victims.values():
        for event in table.entries:
            if event.kind == victim.KIND_FAULT and record.began <= event.cycle <= record.ended:
                found[f"network interface of node {table.rank}, {Fault(event.number).name}"] += 1
