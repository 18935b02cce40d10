"""A traced run: its machine, and every packet that moved in it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from khhw.errors import RequestError
from khhw.files import UnreadableError, read_json
from khhw.machine.file import MachineFile
from khhw.node import Shape
from khhw.trace.accesses import host_writes, owner_writes
from khhw.trace.policy import Policy, PolicyHistory
from khhw.trace.reception import NodeReception
from khhw.trace.rings import Message, fetches, messages
from khhw.trace.torus import Lanes, TorusPacket, follow_all
from khhw.trace.tree import TreePacket, TreeSighting, follow_tree
from khhw.trace.waves import Waves, find_waves
from rtl.formats import DESCRIPTOR_BYTES, Header, PutHeader, unpack
from rtl.parameters import Parameters

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """A run that left waves.

    Parameters
    ----------
    machine : MachineFile
        What ran.
    waves : Waves
    """

    machine: MachineFile
    waves: Waves

    @classmethod
    def load(cls, folder: Path) -> "Run":
        """The run in a folder.

        Raises
        ------
        RequestError
            If it has no waves, or they cannot be read.
        """
        path, results = find_waves(folder), folder / "results.json"
        try:
            machine = MachineFile.model_validate(read_json(results)["parameters"])
        except UnreadableError:
            raise
        except (ValueError, LookupError, TypeError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise RequestError(f"{results} does not say which machine ran: {reason}; run the machine again") from error
        return cls(machine, Waves(path))

    @property
    def shape(self) -> Shape:
        """Of the torus."""
        return Shape(*self.machine.torus.shape)

    @property
    def parameters(self) -> Parameters:
        """Of its nodes."""
        return self.machine.node

    @cached_property
    def lanes(self) -> list[Lanes]:
        """What passed the guards, by rank."""
        return [Lanes(self.waves, rank, self.parameters) for rank in range(self.shape.nodes)]

    @cached_property
    def policies(self) -> list[PolicyHistory]:
        """What the guards were told, by rank."""
        return [self._policy(rank) for rank in range(self.shape.nodes)]

    def _policy(self, rank: int) -> PolicyHistory:
        if rank not in self.waves.ranks:
            return PolicyHistory(self.shape, rank, self.parameters, [], Policy(known=False))
        node = f"node_{rank}"
        writes = owner_writes(self.waves, node, self.parameters)
        first = None if self.waves.from_start else Policy(
            known=False, hold=bool(self.waves.signal(f"{node}.hold", 1).at(0)))
        return PolicyHistory(self.shape, rank, self.parameters, writes, first)

    @cached_property
    def packets(self) -> list[TorusPacket]:
        """All packets of the torus, in the order they were first seen; mostly, as they left the network interfaces."""
        sent: list[dict[tuple[int, int], Message]] = []
        for rank in range(self.shape.nodes):
            if rank not in self.waves.ranks:
                sent.append({})
                continue
            node = f"node_{rank}"
            writes = host_writes(self.waves, node, self.parameters)
            sent.append(messages(fetches(self.waves, node, self.parameters, writes), self.lanes[rank].from_ni))
        return follow_all(self.waves, self.shape, self.lanes, self.policies, sent)

    @cached_property
    def tree(self) -> list[TreePacket]:
        """All packets of the tree, in the order they entered it."""
        return follow_tree(self.waves, self.shape)

    def refuses(self, seen: TreeSighting) -> bool:
        """Whether the column of a node refused the tree packet its endpoint saw there."""
        if seen.what != "here" or seen.sighting.end + 1 >= self.waves.steps:
            return False
        # The endpoint decides with the last flit and tells the guard in the next cycle.
        return bool(self.waves.signal(f"node_{seen.rank}.tree_refused", 1).at(seen.sighting.end + 1))

    def reception(self, rank: int) -> NodeReception:
        """Reception of a node; made when it is first asked for."""
        if rank not in self._receptions:
            node = f"node_{rank}"
            writes = host_writes(self.waves, node, self.parameters)
            self._receptions[rank] = NodeReception(
                self.waves, node, self.parameters, writes, self.lanes[rank].to_ni)
        return self._receptions[rank]

    def asked_by(self, packet: TorusPacket) -> TorusPacket | None:
        """The remote get that a packet answers; None if software of its node sent it."""
        message = packet.message
        if message is None or message.fetch.doorbell is not None:
            return None
        asked = self._gets.get((packet.source, message.fetch.address // DESCRIPTOR_BYTES), [])
        return next((get for step, get in reversed(asked) if step < message.fetch.step), None)

    @cached_property
    def _gets(self) -> dict[tuple[int, int], list[tuple[int, TorusPacket]]]:
        """Remote gets by node and word of memory their descriptors were written to, in order."""
        found: dict[tuple[int, int], list[tuple[int, TorusPacket]]] = {}
        for packet in self.packets:
            flits = packet.offered.flits
            if len(flits) < 2 or not unpack(Header, flits[0])["dma"] or not unpack(PutHeader, flits[1])["remote_get"]:
                continue
            for delivery in packet.deliveries:
                if delivery.passed is not None:
                    received = self.reception(delivery.rank).received(delivery.lane, delivery.index, delivery.passed)
                    for step, word in received.writes:
                        found.setdefault((delivery.rank, word), []).append((step, packet))
        for asked in found.values():
            asked.sort(key=lambda item: item[0])
        return found

    @cached_property
    def _receptions(self) -> dict[int, NodeReception]:
        return {}
