"""The no-foreign-byte scoreboard: every byte that came into a memory is traced to who may have written it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.fuzz.attacker import Attacker
from khhw.fuzz.honest import Honest, Parcel
from khhw.fuzz.memory_map import HONEST, NODE
from khhw.fuzz.monitor import Record, console_records, torus_records
from khhw.fuzz.packing import take_field
from khhw.fuzz.reference_model import ReferenceModel
from khhw.fuzz.scenario import Scenario
from khhw.fuzz.taint import Bytes, words_of
from khhw.fuzz.tracing import stolen
from khhw.node.layout import Area
from khhw.node.tree_packets import TreePacket
from khhw.sim.engine import Engine
from rtl.formats import DESCRIPTOR_BYTES, EXTERNAL, FifoHeader, Header, Protocol, pack

__all__ = ["Scoreboard", "Violation"]

_RINGS = (HONEST.gets, HONEST.console, *HONEST.reception)
_SHOWN = 6
"""Violations of one round that are kept; one is enough."""


@dataclass(frozen=True)
class Violation:
    """Something that must not be.

    Parameters
    ----------
    check : str
        What found it.
    detail : str
        Where, and what.
    """

    check: str
    detail: str


def _mask(*areas: Area) -> npt.NDArray[np.bool_]:
    chosen = np.zeros(NODE.memory_bytes, np.bool_)
    for area in areas:
        chosen[area.base:area.end] = True
    return chosen


_OPEN = _mask(*HONEST.windows)
_OWNED = _mask(*HONEST.windows[1:])
"""Windows with one writer, which is honest."""
_FIXED = ~_mask(*HONEST.windows, *_RINGS)


class Scoreboard:
    """Looks at all memories, and says what is there that must not be.

    Parameters
    ----------
    engine : Engine
    model : ReferenceModel
    scenario : Scenario
    honest : sequence of Honest
    hostile : sequence of Attacker
    channel : int
        Console channel all nodes send on.

    Attributes
    ----------
    violations : list of Violation
        So far.
    arrived : Counter
        Packets of hostile nodes that honest ones were given, by kind of ring.
    """

    def __init__(
        self, engine: Engine, model: ReferenceModel, scenario: Scenario, honest: Sequence[Honest],
        hostile: Sequence[Attacker], channel: int,
    ) -> None:
        self.violations: list[Violation] = []
        self.arrived: Counter[str] = Counter()
        self._engine = engine
        self._model = model
        self._scenario = scenario
        self._honest = honest
        self._hostile = hostile
        self._channel = channel
        self._parcels: Sequence[Parcel] = ()
        self._memories: npt.NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._base: npt.NDArray[np.uint8] = self._memories
        self._judged: dict[tuple[int, str, int], int] = {}

    def wrong(self, check: str, detail: str) -> None:
        """Note a violation."""
        if len(self.violations) < _SHOWN:
            self.violations.append(Violation(check, detail))

    def begin_round(self, parcels: Sequence[Parcel]) -> None:
        """From here on only hostile nodes and these `parcels` are expected."""
        self._parcels = parcels
        self._base = self._peek()
        self._judged = {(node.rank, name, ring): head for node in self._honest
                        for name, heads in node.heads.items() for ring, head in enumerate(heads)}

    def isolated(self, rank: int) -> bool:
        """Whether no hostile node was allowed to send to an honest one in this round."""
        return not self._model.ever[list(self._scenario.hostile), rank].any()

    def look(self, tails: Mapping[int, Mapping[str, Sequence[int]]] | None = None) -> None:
        """Look at everything, in no time.

        Parameters
        ----------
        tails : mapping, optional
            At the end of a round, when nothing moves any more: where the rings of each honest node end.
        """
        self._memories = self._peek()
        for node in self._honest:
            memory = self._memories[node.rank]
            self._fixed(node, memory)
            self._windows(node, memory)
            self._gets(node, memory)
            self._reception(node, memory, tails[node.rank] if tails else None)
            self._console(node, memory, tails[node.rank] if tails else None)
            if tails:
                self._complete(node, memory)
                self._unused(node, memory, tails[node.rank])
        for attacker in self._hostile:
            self.leaks(attacker, self._memories[attacker.rank])
        self._base = self._memories
        self._model.looked()

    def _peek(self) -> npt.NDArray[np.uint8]:
        return self._engine.peek_all(np.arange(self._scenario.shape.nodes), 0, NODE.memory_bytes)

    def _shown_to_hostile(self) -> list[int]:
        """Honest ranks that some hostile node may have asked, and got answers of."""
        ever = self._model.ever & self._model.ever.T
        return [rank for rank in self._scenario.honest if ever[list(self._scenario.hostile), rank].any()]

    def _fixed(self, node: Honest, memory: Bytes) -> None:
        """What only its own software writes."""
        wrong = np.flatnonzero((memory != node.image) & _FIXED)
        if len(wrong):
            self.wrong("memory", f"node {node.rank}: {len(wrong)} bytes from {wrong[0]:#x} on changed, in no window")

    def _windows(self, node: Honest, memory: Bytes) -> None:
        """What the network may write: bytes of each window's writer, if it may send here, and no others."""
        changed = (memory != self._base[node.rank]) & _OPEN
        if not changed.any():
            return
        for parcel in self._parcels:
            if parcel.kind in ("put", "get") and parcel.receiver == node.rank:
                sender = parcel.source if parcel.kind == "put" else parcel.target
                if self._model.possible[sender, node.rank]:
                    written = slice(parcel.address, parcel.address + len(parcel.data))
                    changed[written] &= memory[written] != np.frombuffer(parcel.data, np.uint8)
        if (changed & _OWNED).any():
            where = np.flatnonzero(changed & _OWNED)
            self.wrong("writer", f"node {node.rank}: {len(where)} bytes from {where[0]:#x} on that are not what the "
                       f"window's only writer put there: {memory[where[:8]].tobytes().hex()}")
        if not changed.any():
            return
        if not self._model.possible[list(self._scenario.hostile), node.rank].any():
            where = np.flatnonzero(changed)
            self.wrong("window", f"node {node.rank}: {len(where)} bytes from {where[0]:#x} on that nobody may have "
                       f"written: {memory[where[:8]].tobytes().hex()}")
            return
        self._untainted(f"windows of node {node.rank}", memory, np.where(changed, self._base[node.rank], memory))

    def _gets(self, node: Honest, memory: Bytes) -> None:
        """Descriptors of remote gets: each must answer whoever asked, and who asked must be allowed."""
        area = HONEST.gets
        new = memory[area.base:area.end].reshape(-1, DESCRIPTOR_BYTES)
        old = self._base[node.rank][area.base:area.end].reshape(-1, DESCRIPTOR_BYTES)
        came = new[(new != old).any(axis=1) & new.any(axis=1)]
        if not len(came):
            return
        headers = words_of(came.reshape(-1)).reshape(-1, 4)[:, 2].copy()
        names = ("source", "x", "y", "z", "hint", "deposit")
        fields = [take_field(headers, Header, name).tolist() for name in names]
        for source, *coordinate, hint, deposit in zip(*fields, strict=True):
            rank = self._sender(source, node.rank, "remote get")
            if rank is None:
                continue
            if tuple(coordinate) != self._scenario.shape.coordinate(rank) or hint or deposit:
                self.wrong("remote get", f"node {node.rank}: a descriptor that node {rank} asked for goes to "
                           f"{coordinate}, hints {hint:#x}, deposit {deposit}")

    def _sender(self, source: int, rank: int, what: str) -> int | None:
        """The rank behind a stamped id, if it may have sent to `rank`."""
        try:
            sender = self._scenario.shape.rank_of_id(source)
        except ValueError:
            self.wrong(what, f"node {rank}: a packet is stamped with {source:#x}, which is no node")
            return None
        if not (self._model.possible | self._model.heard if what == "console" else self._model.possible)[sender, rank]:
            self.wrong(what, f"node {rank}: a packet of node {sender}, which may not send to it")
            return None
        return sender

    def _reception(self, node: Honest, memory: Bytes, tails: Mapping[str, Sequence[int]] | None) -> None:
        for ring, area in enumerate(HONEST.reception):
            held = memory[area.base:area.end]
            end = tails["RECEPTION"][ring] if tails else None
            key = (node.rank, "RECEPTION", ring)
            for record, behind in torus_records(held, self._judged[key], end):
                sender = self._sender(record.source, node.rank, "message")
                self._judged[key] = behind
                if sender in self._scenario.hostile:
                    self.arrived["message"] += 1
            if end is not None:
                records = [record for record, _ in torus_records(held, node.heads["RECEPTION"][ring], end)]
                self._messages(node, ring, records)

    def _messages(self, node: Honest, ring: int, records: Sequence[Record]) -> None:
        """Contents: of the honest exactly what they sent, each once."""
        expected = Counter({
            (parcel.source, parcel.data): 1 for parcel in self._parcels
            if (parcel.kind, parcel.target, parcel.address) == ("message", node.rank, ring)})
        for record in records:
            sender = self._rank(record.source)
            if sender in self._scenario.hostile:
                self._traced(node, record.payload)
                continue
            fitting = [key for key in expected if key[0] == sender and _fits(record, *key)]
            if not fitting:
                self.wrong("message", f"node {node.rank}: a message from node {sender} that it did not send: "
                           f"{record.payload[:16].hex()}")
            for key in fitting[:1]:
                del expected[key]
        for sender, data in expected:
            self._lost(node, sender, "message", data)

    def _rank(self, source: int) -> int | None:
        try:
            return self._scenario.shape.rank_of_id(source)
        except ValueError:
            return None

    def _lost(self, node: Honest, sender: int, what: str, data: bytes) -> None:
        """What both matrices allow is never lost, unless hostile nodes may fill this one's rings."""
        if self._model.always[sender, node.rank] and self.isolated(node.rank):
            self.wrong("loss", f"node {node.rank}: a {what} of {len(data)} bytes from node {sender} never came")

    def _traced(self, node: Honest, payload: bytes) -> None:
        data = np.frombuffer(payload, np.uint8)
        self._untainted(f"a hostile packet at node {node.rank}", data, np.zeros_like(data))

    def _console(self, node: Honest, memory: Bytes, tails: Mapping[str, Sequence[int]] | None) -> None:
        area, key = HONEST.console, (node.rank, "CONSOLE", 0)
        held, end = memory[area.base:area.end], tails["CONSOLE"][0] if tails else None
        for record, behind in console_records(held, self._judged[key], end):
            self._judged[key] = behind
            sender = self._sender(record.fields["source"], node.rank, "console")
            if sender in self._scenario.hostile:
                self.arrived["console"] += 1
            if end is not None and (record.packet is None or record.packet.external or record.packet.owner):
                self.wrong("console", f"node {node.rank}: a record that is no tenant's packet: {record.fields}")
        if end is not None:
            packets = [record.packet for record, _ in console_records(held, node.heads["CONSOLE"][0], end)]
            self._texts(node, [packet for packet in packets if packet is not None])

    def _texts(self, node: Honest, packets: Sequence[TreePacket]) -> None:
        expected = {(parcel.source, parcel.data) for parcel in self._parcels
                    if (parcel.kind, parcel.target) == ("console", node.rank)}
        for packet in packets:
            sender = self._rank(packet.source)
            for fault in self._stamps(packet, sender, node.rank):
                self.wrong("console", f"node {node.rank}: {fault}")
            if sender in self._scenario.hostile:
                self._traced(node, packet.payload.ljust(-(-len(packet.payload) // 8) * 8, b"\0"))
            elif (sender, packet.payload) not in expected:
                self.wrong("console", f"node {node.rank}: text from node {sender} that it did not send")
            expected.discard((sender if sender is not None else -1, packet.payload))
        for source, data in expected if not self._model.opened else ():
            self._lost(node, source, "console packet", data)

    def _stamps(self, packet: TreePacket, sender: int | None, rank: int | None) -> Iterator[str]:
        if packet.vector not in (None, rank):
            yield f"a packet for {packet.vector} came here"
        if packet.src_key != sender or packet.dst_key != self._channel or packet.protocol != Protocol.CONSOLE:
            yield (f"a packet of node {sender} says it is of {packet.src_key}, on channel {packet.dst_key}, protocol "
                   f"{packet.protocol:#x}")

    def outside(self, packet: TreePacket) -> None:
        """A tenant's packet came out of the root."""
        if packet.external or packet.owner:
            self.wrong("outside", "a packet with the stamps of the outside came out of the machine")
        for fault in self._stamps(packet, self._rank(packet.source), EXTERNAL):
            self.wrong("outside", fault)

    def _complete(self, node: Honest, memory: Bytes) -> None:
        """Puts and answers between honest nodes have arrived."""
        for parcel in self._parcels:
            if parcel.kind in ("put", "get") and parcel.receiver == node.rank:
                both = parcel.kind == "put" or self._model.always[node.rank, parcel.target]
                sender = parcel.source if parcel.kind == "put" else parcel.target
                whole = memory[parcel.address:parcel.address + len(parcel.data)].tobytes() == parcel.data
                if both and not whole and self.isolated(sender):
                    self._lost(node, sender, parcel.kind, parcel.data)

    def _unused(self, node: Honest, memory: Bytes, tails: Mapping[str, Sequence[int]]) -> None:
        """Rings hold nothing but their packets: only what hostile nodes may send can have been cut short there."""
        rings = [("RECEPTION", ring, area) for ring, area in enumerate(HONEST.reception)]
        for name, ring, area in (*rings, ("CONSOLE", 0, HONEST.console)):
            offsets = np.arange(area.length)
            head, tail = node.heads[name][ring], tails[name][ring]
            used = (offsets - head) % area.length < (tail - head) % area.length
            left = np.where(used, np.uint8(0), memory[area.base:area.end])
            if self.isolated(node.rank) and left.any():
                where = int(np.flatnonzero(left)[0])
                self.wrong("ring", f"node {node.rank}: bytes at {area.base + where:#x} belong to no packet")
            else:
                self._untainted(f"a ring of node {node.rank}", left, np.zeros_like(left))

    def leaks(self, attacker: Attacker, memory: Bytes) -> None:
        """Look for bytes of honest nodes in a hostile memory."""
        self._untainted(f"node {attacker.rank}", memory, attacker.image)

    def _untainted(self, where: str, memory: Bytes, before: Bytes) -> None:
        """What hostile nodes have, or send, is nothing an honest node keeps to itself."""
        asked = self._shown_to_hostile()
        for node in self._honest:
            for shown in (False, True):
                if shown and node.rank in asked:
                    continue
                found = stolen(memory, before, node.image, node.rank, shown=shown)
                if len(found):
                    self.wrong("secret", f"{where}: {len(found)} words of node {node.rank}, the first at "
                               f"{8 * found[0]:#x}")


def _fits(record: Record, sender: int, data: bytes) -> bool:
    """Whether a packet is the message a sender sent, down to the last bit."""
    software = pack(FifoHeader, argument=len(data), function=sender)
    return record.software == software and record.payload == data.ljust(len(record.payload), b"\0")
