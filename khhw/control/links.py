"""Which torus cable has lost something: what its two ends say of it, compared.

A cable carries whole packets, and gives room back for each. So of every epoch its receiver has seen as many headers as
its transmitter has sent, and the room that one end knows of and the other holds is all there is. Where that is not so
although nothing crosses the cable, the cable has lost the difference. The ends of a cable behind which packets only
wait, as they do in a torus that is full, agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from khhw.control.owner import Owner
from khhw.node import Shape
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, Direction, VirtualChannel
from rtl.registers import REGISTERS

__all__ = ["Cable", "CableState", "CableWatch", "read_cables"]

_CHANNELS = (VirtualChannel.ESCAPE, VirtualChannel.PRIORITY)
_REGISTERS = ("LINK_SENT", "LINK_RECEIVED", "LINK_DAMAGED", "LINK_ROOM")
_MODULUS = 1 << 16
_ENTERING = 2
"""Packet slots one that enters a ring must find."""
_PAUSE = 1000
"""Cycles between two looks: many times what a packet needs from one end of a cable to the other."""


@dataclass(frozen=True)
class Cable:
    """One way of a torus cable.

    Parameters
    ----------
    source, target : int
        Ranks of the nodes it leads from and to.
    direction : Direction
        It leaves `source` by; it comes in at the opposite port of `target`.
    """

    source: int
    direction: Direction
    target: int

    def __str__(self) -> str:
        sign = "+-"[self.direction % 2]
        return f"the cable from node {self.source} in direction {self.direction.name[0]}{sign} to node {self.target}"


@dataclass(frozen=True)
class CableState:
    """What a cable has lost since the fabric reset.

    Parameters
    ----------
    cable : Cable
    lost : tuple of (int or None)
        Packets of which no good header came out of it, by epoch parity; None while packets of this parity cross it.
    damaged : int
        Those of them of which something came: a header with a wrong CRC, or flits without one. Modulo 2^16.
    slots : int
        Packets a channel has room for at its end (chunks, in a node that counts those).
    gone : dict of VirtualChannel to int
        Room that neither end knows of any more; empty while packets cross the cable.
    endless : bool
        Its receiver waits for the end of a packet that its transmitter has sent.
    still : bool
        No packet has crossed it between the looks.
    """

    cable: Cable
    lost: tuple[int | None, int | None]
    damaged: int
    slots: int
    gone: dict[VirtualChannel, int]
    endless: bool
    still: bool

    @property
    def faulty(self) -> bool:
        """It has lost something."""
        return any(self.lost) or bool(self.damaged) or any(self.gone.values()) or self.endless

    @property
    def stalled(self) -> bool:
        """Packets wait at it for ever: there is no room for one that enters a ring, or one does not end."""
        return self.endless or any(gone and self.slots - gone < _ENTERING for gone in self.gone.values())

    def __str__(self) -> str:
        packets = sum(lost or 0 for lost in self.lost)
        words = [f"{_counted(packets, 'packet')} lost"] if packets else []
        if self.damaged:
            words.append(f"{_counted(self.damaged, 'header')} damaged")
        words += [f"{gone} of {_counted(self.slots, 'slot')} of {channel.name.lower()} gone"
                  for channel, gone in self.gone.items() if gone]
        if self.endless:
            words.append("the end of a packet lost")
        return f"{self.cable}: {', '.join(words) or 'nothing lost'}"


@dataclass(frozen=True)
class _Ends:
    """Both ends of a cable, as read at one time or another."""

    sent: tuple[int, int]
    received: tuple[int, int]
    damaged: int
    sending: bool
    receiving: bool
    room: tuple[tuple[int, int], ...]
    """Free and held, by channel."""


class CableWatch:
    """Compares two looks at all cables from time to time, while something does not end.

    Parameters
    ----------
    owner : Owner
    pause : int
        Cycles between looks.
    """

    def __init__(self, owner: Owner, pause: int) -> None:
        self._owner = owner
        self._due = owner.outside.now + pause
        self._before: dict[Cable, _Ends] | None = None
        self._slots = 0
        self.pause = pause
        self.states: list[CableState] = []
        """What the last two looks say; empty before there are two."""

    async def look(self) -> bool:
        """Look again if it is time. Returns whether `states` are new."""
        if self._owner.outside.now < self._due:
            return False
        slots, seen = await _look(self._owner)
        before, self._before = self._before, seen
        self._due = self._owner.outside.now + self.pause
        if before is None:
            return False
        self.states = [_compared(cable, slots, before[cable], after) for cable, after in seen.items()]
        return True

    def still(self, parity: int) -> bool:
        """No packet of this epoch parity has crossed a cable between the looks."""
        return all(state.lost[parity] is not None for state in self.states)

    def lost(self, parity: int) -> int:
        """Packets of this epoch parity that cables have lost since the fabric reset."""
        return sum(state.lost[parity] or 0 for state in self.states)

    @property
    def faulty(self) -> list[CableState]:
        """Cables that have lost something."""
        return [state for state in self.states if state.faulty]

    @property
    def words(self) -> str:
        """The same for people."""
        if not self.states:
            return "torus cables have not been compared yet"
        if self.faulty:
            return "; ".join(map(str, self.faulty))
        busy = sum(not state.still for state in self.states)
        return "no torus cable has lost anything" if not busy else \
            f"no torus cable is seen to have lost anything, but packets cross {busy} of {len(self.states)} all the time"


async def read_cables(owner: Owner, *, pause: int = _PAUSE) -> list[CableState]:
    """What every torus cable has lost, by node and direction.

    Parameters
    ----------
    owner : Owner
    pause : int
        Cycles between the two looks that are compared. Of a cable that packets cross meanwhile only `damaged` is known,
        and `lost` of the epoch parity whose packets do not.

    Raises
    ------
    OwnerError
        If a node does not answer.
    """
    slots, before = await _look(owner)
    await owner.outside.sleep(pause)
    _, after = await _look(owner)
    return [_compared(cable, slots, before[cable], after[cable]) for cable in after]


def _cables(shape: Shape) -> Iterator[Cable]:
    """All there are: a dimension of size 1 has none."""
    for rank in range(shape.nodes):
        for direction in Direction:
            for neighbour in islice(shape.line(rank, direction), 1):
                yield Cable(rank, direction, neighbour)


async def _look(owner: Owner) -> tuple[int, dict[Cable, _Ends]]:
    """The room of a channel, and both ends of all cables; one question to all nodes."""
    words = [Control(ControlOp.READ, REGISTERS["LINK_UNITS"].at())]
    words += [Control(ControlOp.READ, REGISTERS[name].at(d)) for d in Direction for name in _REGISTERS]
    answers = {rank: [word.data for word in answer] for rank, answer in (await owner.execute(None, words)).items()}
    slots = answers[0][0]

    def port(rank: int, direction: int) -> dict[str, int]:
        first = 1 + len(_REGISTERS) * direction
        return dict(zip(_REGISTERS, answers[rank][first:first + len(_REGISTERS)], strict=True))

    return slots, {
        cable: _ends(port(cable.source, cable.direction), port(cable.target, cable.direction ^ 1))
        for cable in _cables(owner.shape)
    }


def _ends(transmitter: dict[str, int], receiver: dict[str, int]) -> _Ends:
    """What the registers of two ports say of the cable between them."""
    tx, rx = (REGISTERS["LINK_ROOM"].unpack(port["LINK_ROOM"]) for port in (transmitter, receiver))
    sent = REGISTERS["LINK_SENT"].unpack(transmitter["LINK_SENT"])
    received = REGISTERS["LINK_RECEIVED"].unpack(receiver["LINK_RECEIVED"])
    return _Ends(
        sent=(sent["even"], sent["odd"]), received=(received["even"], received["odd"]),
        damaged=REGISTERS["LINK_DAMAGED"].unpack(receiver["LINK_DAMAGED"])["damaged"],
        sending=bool(tx["sending"]), receiving=bool(rx["receiving"]),
        room=tuple((tx[f"free_{c.name.lower()}"], rx[f"held_{c.name.lower()}"]) for c in _CHANNELS),
    )


def _compared(cable: Cable, slots: int, before: _Ends, after: _Ends) -> CableState:
    """What two looks say, of which each took a while: only what did not change was so at one time at both ends."""
    quiet = [before.sent[p] == after.sent[p] and before.received[p] == after.received[p] for p in range(2)]
    lost = [_difference(after.sent[p], after.received[p]) if quiet[p] else None for p in range(2)]
    still = all(quiet)
    # Room is only lost by a cable that was used; a router of another make may say nothing of its cables.
    used = still and (any(after.sent) or any(after.received))
    gone = {channel: slots - sum(room) for channel, room in zip(_CHANNELS, after.room, strict=True)} \
        if used and before.room == after.room else {}
    endless = used and after.receiving and not after.sending
    return CableState(cable, (lost[0], lost[1]), after.damaged, slots, gone, endless, still)


def _difference(sent: int, received: int) -> int:
    """Of two counters modulo 2^16; a header whose error the CRC missed may count in the other epoch."""
    return (sent - received + _MODULUS // 2) % _MODULUS - _MODULUS // 2


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
