"""What the service asks of a machine: revisions carried out, nodes looked at, meters read, consoles.

A :class:`Machine` keeps nothing that must last. What its nodes shall hold is a numbered :class:`Revision` of absolute
values, which may be asked for again and again: after an answer that was lost, after a restart of the service, after a
power cut. :class:`khhw.cloud.client.SimulatedMachine` is the one there is.

All calls block, and may be made from any thread; several may be under way at a time. A sink of :meth:`Machine.listen`
is called in a thread of the machine's own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from khhw.control.domains import Domains
from rtl.formats import TreeClass

__all__ = [
    "NO_KEYS", "NO_LEASE", "RAW_LIMIT", "Applied", "Clock", "ConsoleKeys", "Heard", "Listening", "Machine",
    "MachineDiffersError", "MachineError", "MachineFaultError", "MachineGoneError", "MachineInfo", "NodeState",
    "Reading", "RequestRefusedError", "Revision", "Sink",
]

RAW_LIMIT = ((1 << 16) - 1) * 240
"""Bytes of raw data in one write: its packets are numbered with 16 bits."""


class ConsoleKeys(NamedTuple):
    """Console channels of a node.

    Parameters
    ----------
    send : int
        The channel it sends on, 32 bits.
    receive : tuple of int
        The channels it hears.
    tree_class : int
        Class of the tree by which its texts to more than one node go: see :attr:`Revision.classes`.
    """

    send: int
    receive: tuple[int, ...]
    tree_class: int = TreeClass.BROADCAST


NO_KEYS = ConsoleKeys(0, ())
"""Of a node that nobody has: what it sends is nobody's, and it hears nothing. It stays in hold, where it sends nothing;
so its class is the one that hardware has set when it was cleared."""

NO_LEASE = 0
"""What the hardware is told of the lease of such a node."""


class MachineError(RuntimeError):
    """A machine did not do what it was asked."""


class MachineGoneError(MachineError):
    """There is no connection to the machine, or it ended before the answer: whether it was done is not known.

    :meth:`Machine.connect` and ask again.
    """


class MachineFaultError(MachineError):
    """Hardware does not answer, or a phase of a change does not end. Names the nodes or cables; may be asked again.

    Whatever was reached, nothing is allowed that the revisions before and after do not both allow, or the nodes that
    change hands are still in hold.
    """


class RequestRefusedError(MachineError):
    """What was asked for makes no sense to this machine: no such node, an old revision. Nothing has been done."""


class MachineDiffersError(MachineError):
    """The machine that runs here is not the one that was described."""


@dataclass(frozen=True, order=True)
class Clock:
    """A moment of a machine's life.

    Parameters
    ----------
    boot : int
        How often it was switched on, this time included; from 1, and never the same again.
    cycle : int
        Of its hardware clock since then. While it is idle, cycles pass as fast as on the wall.
    """

    boot: int
    cycle: int


@dataclass(frozen=True)
class MachineInfo:
    """What does not change while a machine is there.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    clock_hz : int
        Cycles in a machine second.
    memory_bytes : int
        Of a node.
    image_address : int
        Where in it images are loaded.
    receive_ids : int
        Console channels a node can hear.
    digest : str
        Of what the machine is: two files that say the same of shape, nodes, parts, clock and CPU model have the same.
    """

    shape: tuple[int, int, int]
    clock_hz: int
    memory_bytes: int
    image_address: int
    receive_ids: int
    digest: str

    @property
    def nodes(self) -> int:
        """How many there are; their ranks are 0 to one less."""
        x, y, z = self.shape
        return x * y * z


@dataclass(frozen=True)
class Revision:
    """What the whole machine shall hold; all values are absolute.

    Parameters
    ----------
    number : int
        From 1 to 2^32 - 1, higher than those before it, and never used for another one.
    allowed : mapping of int to tuple of int
        By source, the ranks it may send to, itself only if it is among them; who is missing may send to nobody.
    keys : mapping of int to ConsoleKeys
        By rank, of every node that somebody has: the console channel it sends on and those it hears (32 bits each, and
        not 0). A node without any runs nothing and stays in hold.
    leases : mapping of int to int
        Of the same nodes, the lease that each is in by itself: a number from 1 to 2^32 - 1. Traffic between nodes of
        two leases is metered apart from traffic within one.
    hand_over : frozenset of int
        Nodes that come to another tenant, or to nobody: all that the tenant before has left is taken from them before
        `keys` become theirs. Of other nodes keys change while they run. A node that is not in hold and has no keys, or
        is in hold and has some, as after a power cut, is handed over whether it is named here or not.
    """

    number: int
    allowed: Mapping[int, tuple[int, ...]]
    keys: Mapping[int, ConsoleKeys]
    leases: Mapping[int, int]
    hand_over: frozenset[int] = frozenset()

    @property
    def classes(self) -> dict[int, int]:
        """Classes of the tree by rank. What a node says goes to whomever one of the nodes of its class may send to, and
        outside; but to all by class 15, and only outside by class 0."""
        return {rank: keys.tree_class for rank, keys in self.keys.items()}

    def domains(self, nodes: int) -> Domains:
        """Who may send to whom, and who is of one lease, for the hardware of a machine of `nodes`."""
        matrix = np.zeros((nodes, nodes), dtype=bool)
        for source, destinations in self.allowed.items():
            matrix[source, list(destinations)] = True
        return Domains(matrix, np.array([self.leases.get(rank, NO_LEASE) for rank in range(nodes)], np.int64))


@dataclass(frozen=True)
class Reading:
    """The meter of a node at a moment.

    Parameters
    ----------
    tag : int
        Of the question: whoever asks again with the tag that was used last gets the same reading, as long as the
        boot lasts. Of what a hand-over has read it is the revision, whatever tags of questions there are. Snapshots
        of the hardware have tags of their own.
    rank : int
        The node.
    clock : Clock
        The first cycle that it does not count.
    counters : mapping of str to int
        What the node has counted until then, since the machine was switched on: by the names of
        :data:`khhw.cloud.counters.NAMES`, 64 bits each.
    """

    tag: int
    rank: int
    clock: Clock
    counters: Mapping[str, int]


@dataclass(frozen=True)
class Applied:
    """A revision has been carried out.

    Parameters
    ----------
    number : int
        Of the revision.
    started, revoked, finished : Clock
        When it began; when all nodes had acknowledged that what it takes away is refused; when all of it was there. Of
        a revision that was asked for again these are the times of the first time in this boot.
    readings : tuple of Reading
        Of the nodes that were handed over, with the revision's number as their tag: read when nothing could be sent or
        delivered by the tenant before any more, and nothing by the next one yet.
    """

    number: int
    started: Clock
    revoked: Clock
    finished: Clock
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True)
class NodeState:
    """What a node holds, read from its registers.

    Parameters
    ----------
    rank : int
        The node.
    committed : bool
        Whether it has any tables; without them it may do nothing.
    revision : int
        Of its tables; 0 in the middle of a change.
    table_crc : int
        Of all that was written to them.
    held : bool
        Whether it is in hold.
    keys : ConsoleKeys
        Its console channels.
    routes : tuple of int
        CLASS_ROUTE of classes 1 to 14.
    """

    rank: int
    committed: bool
    revision: int
    table_crc: int
    held: bool
    keys: ConsoleKeys
    routes: tuple[int, ...]


@dataclass(frozen=True)
class Heard:
    """What a node has said: the payload of one packet.

    Parameters
    ----------
    clock : Clock
        When it left the machine.
    rank : int
        Who said it, by the stamp of hardware.
    channel : int
        The channel it was said on, by the stamp of hardware: of text that was under way while its node changed hands,
        still the one of the tenant before.
    data : bytes
        Up to 240, whatever they are; lines may be cut anywhere.
    missed : int
        Packets of this channel before this one that were lost because they were not taken fast enough.
    """

    clock: Clock
    rank: int
    channel: int
    data: bytes
    missed: int = 0


Sink = Callable[[Heard], None]
"""Called for each packet, in a thread of the machine's own; it must return at once, and call nothing of the machine."""


class Listening(Protocol):
    """Somebody hears a channel."""

    def stop(self) -> None:
        """Hear nothing more."""


class Machine(Protocol):
    """A machine, seen from the service."""

    @property
    def info(self) -> MachineInfo:
        """What it is; known without a connection."""

    @property
    def alive(self) -> bool:
        """Whether there is a connection."""

    def connect(self) -> Clock:
        """Find the machine that runs, or switch it on. One that was switched on holds nothing: all nodes are in hold.

        What was listened to before is listened to again. With a connection this does nothing but tell the time.

        Raises
        ------
        MachineDiffersError
            If another machine runs here.
        MachineError
            If it cannot be switched on.
        """

    def close(self) -> None:
        """Leave the machine alone; it runs on."""

    def switch_off(self) -> None:
        """End the machine, and the connection."""

    def clock(self) -> Clock:
        """What time it is on the machine.

        Raises
        ------
        MachineGoneError
            As all that follow.
        """

    def apply(self, revision: Revision) -> Applied:
        """Make the machine hold a revision; may take minutes.

        One that it holds already is answered at once. One that is being carried out, whoever has asked for it, is
        waited for.

        Raises
        ------
        RequestRefusedError
            If the machine has a later revision, or another one of this number, or has no such nodes.
        MachineFaultError
            If hardware does not do it.
        """

    def nodes(self) -> list[NodeState]:
        """What every node holds, by rank; waits for a revision that is being carried out.

        Raises
        ------
        MachineFaultError
            If a node does not answer.
        """

    def read(self, tag: int, ranks: Iterable[int] | None = None) -> list[Reading]:
        """Meters of some nodes, or of all.

        Each is of one cycle, but not all of the same. Only nodes that are asked for are asked.

        Raises
        ------
        MachineFaultError
            If a node does not answer, or does not take a snapshot.
        """

    def approve(self, images: Iterable[str]) -> None:
        """Let nodes boot images with these SHA-256 sums (hex), and no others from now on; what runs goes on.

        A machine that was switched on boots none.
        """

    def listen(self, channel: int, sink: Sink) -> Listening:
        """Hear what nodes say on a channel from now on, until it is stopped; also over later connections."""

    def say(self, channel: int, text: str, raw: bytes = b"") -> Clock:
        """Send a line to all nodes that hear a channel, and raw data that belongs to it right behind.

        Nothing that others say to one of these nodes comes between, on this channel or another that it hears.
        ``on NODES`` in front of the line is obeyed by nodes.

        Parameters
        ----------
        channel : int
        text : str
            The line without its newline.
        raw : bytes
            Up to :data:`RAW_LIMIT`: what ``mrw ADDRESS LENGTH`` announces.

        Returns
        -------
        Clock
            When the tree had taken all of it.

        Raises
        ------
        RequestRefusedError
            If nodes could not read the line, or there is too much data. Nothing has been sent.
        """
