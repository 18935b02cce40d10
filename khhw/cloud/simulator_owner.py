"""Carrying out revisions, in the simulator: between what the service asks and the owner's hands in the hardware."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from khhw.cloud.machine import (
    NO_KEYS,
    Applied,
    Clock,
    ConsoleKeys,
    MachineFaultError,
    NodeState,
    Reading,
    RequestRefusedError,
    Revision,
)
from khhw.cloud.snapshots import Snapshots, Tags
from khhw.control.changes import Moment
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.owner import ConsoleKeys as OwnerKeys
from khhw.control.owner import Owner, OwnerError
from khhw.control.tables import table_crc, table_writes
from khhw.control.tree_classes import ROUTED_CLASSES
from khhw.host.sync import Queue
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, TreeClass
from rtl.registers import REGISTERS

__all__ = ["Carrier"]

_HIGHEST = (1 << 32) - 1
_STATE = ("REVISION", "TABLE_CRC", "GUARD_STATUS", "HOLD", "CONSOLE_SEND_ID", "CONSOLE_LISTEN",
          "CONSOLE_CLASS")


class Carrier:
    """Makes the nodes of a machine hold revisions, one after the other, and reads them.

    Calls may come at any time, from any task of the owner; each waits for those before it.

    Parameters
    ----------
    owner : Owner
        Whose hands nobody else uses.
    boot : int
        Of this life of the machine.
    receive_ids : int
        Console channels a node can hear.
    on_moment : callable
        Called at each moment of each phase of a change.
    """

    def __init__(self, owner: Owner, boot: int, receive_ids: int, *, on_moment: Callable[[], None]) -> None:
        self._owner = owner
        self._epochs = EpochControl(owner)
        self._boot = boot
        self._nodes = owner.shape.nodes
        self._receive_ids = receive_ids
        self._on_moment = on_moment
        self._turn: Queue[None] = Queue(1, "the turn to ask nodes")
        self._turn.put_nowait(None)
        self._latest: Revision | None = None
        self._applied: Applied | None = None
        self._keys: list[Mapping[int, ConsoleKeys]] = []
        tags = Tags(owner)
        self._asked, self._handed_over = (Snapshots(owner, tags, boot) for _ in range(2))

    @property
    def clock(self) -> Clock:
        """What time it is."""
        return Clock(self._boot, self._owner.outside.now)

    def hearers(self, channel: int) -> set[int]:
        """Nodes that may hear a channel: by the revision before, too, while one is carried out."""
        return {rank for keys in self._keys for rank, own in keys.items() if channel in own.receive}

    async def apply(self, revision: Revision) -> Applied:
        """See :meth:`khhw.cloud.machine.Machine.apply`."""
        self._check(revision)
        async with self._asking():
            if self._latest is not None and revision.number < self._latest.number:
                raise RequestRefusedError(
                    f"revision {revision.number} is older than {self._latest.number}, which the machine has")
            if self._latest is not None and revision.number == self._latest.number and revision != self._latest:
                raise RequestRefusedError(f"the machine has another revision {revision.number}")
            if self._applied is None or self._applied.number != revision.number:
                self._latest = revision
                self._keys.append(revision.keys)
                self._applied = await self._carry_out(revision)
                self._keys = [revision.keys]
            return self._applied

    async def nodes(self) -> list[NodeState]:
        """See :meth:`khhw.cloud.machine.Machine.nodes`."""
        async with self._asking():
            routes = await self._epochs.read_routes()
            return [replace(state, routes=found) for state, found in zip(await self._states(), routes, strict=True)]

    async def read(self, tag: int, ranks: Iterable[int] | None) -> list[Reading]:
        """See :meth:`khhw.cloud.machine.Machine.read`."""
        wanted = range(self._nodes) if ranks is None else sorted(set(ranks))
        self._check_ranks("read", wanted)
        async with self._asking():
            await self._asked.take(tag, wanted)
            return await self._asked.read(tag, wanted)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        await self._turn.get()
        try:
            yield
        except OwnerError as error:
            raise MachineFaultError(str(error)) from error
        finally:
            self._turn.put_nowait(None)

    def _check(self, revision: Revision) -> None:
        if not 0 < revision.number <= _HIGHEST:
            raise RequestRefusedError(f"a revision is a number from 1 to {_HIGHEST}, not {revision.number}")
        self._check_ranks("allowed", (*revision.allowed, *(r for row in revision.allowed.values() for r in row)))
        self._check_ranks("keys", revision.keys)
        self._check_ranks("hand_over", revision.hand_over)
        for rank in sorted({*revision.leases} ^ {*revision.keys}):
            raise RequestRefusedError(f"node {rank} has " + ("keys, and is in no lease" if rank in revision.keys else
                                                             "no keys, and is in a lease"))
        for rank, lease in revision.leases.items():
            if not 0 < lease <= _HIGHEST:
                raise RequestRefusedError(f"leases: of node {rank} a number from 1 to {_HIGHEST}, not {lease}")
        for rank, keys in revision.keys.items():
            if len(keys.receive) > self._receive_ids:
                raise RequestRefusedError(f"keys of node {rank}: {len(keys.receive)} channels; it hears "
                                          f"{self._receive_ids} at most")
            for channel in (keys.send, *keys.receive):
                if not 0 < channel <= _HIGHEST:
                    raise RequestRefusedError(
                        f"keys of node {rank}: a console channel is a number from 1 to {_HIGHEST}, not {channel}")
            if keys.tree_class not in (*TreeClass, *ROUTED_CLASSES):
                raise RequestRefusedError(f"keys of node {rank}: a class of the tree is a number from 0 to "
                                          f"{int(TreeClass.BROADCAST)}, not {keys.tree_class}")

    def _check_ranks(self, what: str, ranks: Iterable[int]) -> None:
        for rank in ranks:
            if not 0 <= rank < self._nodes:
                raise RequestRefusedError(f"{what}: there is no node {rank}; nodes are 0 to {self._nodes - 1}")

    async def _carry_out(self, revision: Revision) -> Applied:
        """Whatever the nodes hold now."""
        states = await self._states()
        stay = {state.rank for state in states if state.held != (state.rank in revision.keys)}
        taken = sorted(revision.hand_over | set(range(self._nodes)) - stay)
        new = revision.domains(self._nodes)
        readings: list[Reading] = []
        balanced = 0

        async def watch(moment: Moment, _domains: Domains) -> None:
            nonlocal balanced
            self._on_moment()
            if not taken or moment is not Moment.BALANCED:
                return
            balanced += 1
            if balanced == 1:
                # Nothing of the tenant before is under way any more, and nothing else has begun.
                await self._handed_over.take(revision.number, taken)
            elif balanced == 2:
                # The nodes are still in hold; and nobody has waited for their snapshots.
                readings.extend(await self._handed_over.read(revision.number, taken))

        if taken:
            keys = {rank: OwnerKeys(*revision.keys[rank]) for rank in taken if rank in revision.keys}
            vacant = [rank for rank in taken if rank not in keys]
            change = await self._epochs.hand_over(taken, new, keys, revision.number, vacant=vacant, watch=watch,
                                                  classes=revision.classes)
        else:
            change = await self._epochs.change(new, revision=revision.number, watch=watch, classes=revision.classes)
        await self._owner.write_each({
            state.rank: OwnerKeys(*revision.keys[state.rank]).writes for state in states
            if state.rank not in taken and state.keys != revision.keys.get(state.rank, NO_KEYS)})
        started, revoked = Clock(self._boot, change.started), Clock(self._boot, change.refused)
        return Applied(revision.number, started, revoked, self.clock, tuple(readings))

    async def _states(self) -> list[NodeState]:
        words = [Control(ControlOp.READ, REGISTERS[name].at()) for name in _STATE]
        words += [Control(ControlOp.READ, REGISTERS["CONSOLE_RECEIVE_ID"].at(i)) for i in range(self._receive_ids)]
        answers = await self._owner.execute(None, words)
        return [self._state(rank, [word.data for word in answers[rank]]) for rank in range(self._nodes)]

    def _state(self, rank: int, answer: list[int]) -> NodeState:
        revision, crc, status, hold, send, listen, tree_class, *receive = answer
        # Of tables that are what the owner has made of them, in however many loads, the sum as of one load.
        current, sums = self._epochs.current, self._epochs.sums
        if current is not None and sums is not None and crc == sums[rank]:
            crc = table_crc(table_writes(current, self._owner.shape, rank, self._epochs.revision))
        return NodeState(
            rank=rank, committed=bool(REGISTERS["GUARD_STATUS"].unpack(status)["valid"]), revision=revision,
            table_crc=crc, held=bool(REGISTERS["HOLD"].unpack(hold)["hold"]),
            keys=ConsoleKeys(send, tuple(key for index, key in enumerate(receive) if listen >> index & 1), tree_class),
            routes=())
