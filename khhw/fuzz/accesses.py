"""Register accesses as hostile software makes them, and which of them a node must refuse."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from khhw.fuzz.hostile import Aim
from khhw.fuzz.memory_map import HOSTILE, NODE
from rtl.formats import CHUNK_BYTES, EXTERNAL, ControlOp, ControlWord, Protocol, pack
from rtl.registers import GUARD_END, GUARD_PAGE, MEMORY_WINDOW, REGISTERS, TRAFFIC_PAGE, Access, registers_of

__all__ = ["Poke", "console_text", "forbidden", "kinds", "page", "pokes"]

_ELEMENTS = {address: register for register, _, address in registers_of(NODE)}
_READS, _WRITES = {Access.RW, Access.RO, Access.W1C}, {Access.RW, Access.WO, Access.W1C}
_RINGS = [address for address, register in _ELEMENTS.items()
          if register.name.startswith(("INJECTION_", "RECEPTION_", "CONSOLE_")) and address < 0x1D4]
_GUARD = [address for address in _ELEMENTS if GUARD_PAGE <= address < GUARD_END]
_TRAFFIC = [address for address in _ELEMENTS if address >= TRAFFIC_PAGE]
_ALL = list(_ELEMENTS)
_TEXT = 240
_OWNERS = (("HOLD", 0), ("COMMIT", 1), ("ROW", 0xFFFFFFFF), ("COLUMN", 0xFFFFFFFF))
"""What hostile software would like its owner to write."""
_EVERY_LENGTH = REGISTERS["TRAFFIC_LENGTHS"].pack(threshold=1 << 16)
"""With this threshold all packets are as short as can be."""


@dataclass(frozen=True)
class Poke:
    """A register access: an address, and a value to write or None to read."""

    address: int
    value: int | None
    kind: str


def forbidden(address: int, *, write: bool) -> bool:
    """Whether a node must answer with an error, whatever its state.

    Parameters
    ----------
    address : int
        Of 24 bits.
    write : bool
    """
    if address % 4:
        return True
    if address >= MEMORY_WINDOW:
        return address - MEMORY_WINDOW >= NODE.memory_bytes
    register = _ELEMENTS.get(address)
    return register is None or register.host not in (_WRITES if write else _READS)


def page(address: int) -> str:
    """What an address belongs to, for people."""
    if address >= MEMORY_WINDOW:
        return "memory"
    if address not in _ELEMENTS:
        return "nothing"
    return "guard" if GUARD_PAGE <= address < GUARD_END else "traffic" if address >= TRAFFIC_PAGE else "interface"


def _value(aim: Aim) -> int:
    """A value somebody might find worth trying."""
    rng = aim.rng
    match int(rng.integers(5)):
        case 0:
            return int(rng.choice([0, 1, 2, 3, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF]))
        case 1:
            return int(rng.integers(NODE.memory_bytes // 32)) * 32
        case 2:
            return int(rng.integers(64)) * 32 + int(rng.integers(2))
        case 3:
            return 1 << int(rng.integers(32))
        case _:
            return int(rng.integers(1 << 32))


def _address(aim: Aim) -> int:
    rng = aim.rng
    way = aim.stimulus.way
    if way == "ring" and aim.some(1, 0.9)[0]:
        return int(rng.choice(_RINGS))
    if way == "guard" and aim.some(1, 0.8)[0]:
        return int(rng.choice(_GUARD))
    match int(rng.integers(6)):
        case 0:
            return int(rng.integers(1 << 24))
        case 1:
            return int(rng.integers(GUARD_PAGE, GUARD_END))
        case 2:
            return int(rng.choice(_TRAFFIC))
        case 3:
            return MEMORY_WINDOW + 4 * int(rng.integers(NODE.memory_bytes // 2))
        case _:
            return int(rng.choice(_ALL))


def pokes(aim: Aim, count: int) -> list[Poke]:
    """`count` accesses of the round's way, and the console packets or the generator's packets it is about."""
    if aim.stimulus.noise and aim.stimulus.way != "traffic":
        return _traffic(aim) + _of_way(aim, count)
    return _of_way(aim, count)


def _of_way(aim: Aim, count: int) -> list[Poke]:
    match aim.stimulus.way:
        case "console":
            return [poke for _ in range(8 + count // 4) for poke in _console(aim)]
        case "traffic":
            return [poke for _ in range(2 + count // 8) for poke in _traffic(aim)]
        case "crossing":
            return [_room(aim) for _ in range(24 + 2 * count)]
        case "ring" | "register" | "guard" as way:
            return _any(aim, 24 + 2 * count, way)
        case "mixed":
            some = [poke for _ in range(1 + count // 8) for poke in (*_console(aim), *_traffic(aim))]
            return some + _any(aim, count, "register")
        case _:
            return _any(aim, count, "register")


def _room(aim: Aim) -> Poke:
    """Room in a reception ring, without a look at what is there."""
    head = CHUNK_BYTES * int(aim.rng.integers(HOSTILE.reception[0].length // CHUNK_BYTES))
    return Poke(REGISTERS["RECEPTION_HEAD"].at(), head, "ring")


def _any(aim: Aim, count: int, kind: str) -> list[Poke]:
    chosen = []
    for _ in range(count):
        address = _address(aim)
        what = "guard" if page(address) == "guard" else "ring" if address in _RINGS else kind
        chosen.append(Poke(address, _value(aim) if aim.some(1, 0.75)[0] else None, what))
    return chosen


def _console(aim: Aim) -> list[Poke]:
    """A console packet: to everybody, to each rank, to the outside, or to nobody there is."""
    rng = aim.rng
    ranks = aim.scenario.shape.nodes
    some = [int(rng.integers(ranks)) for _ in range(2)]
    vector = int(rng.choice([*some, EXTERNAL, int(rng.integers(1 << 24))]))
    destination = REGISTERS["CONSOLE_TX_DEST"].pack(
        vector=vector, broadcast=int(rng.integers(2)), reserved=int(rng.integers(128)))
    room = HOSTILE.text.length - _TEXT
    address = HOSTILE.text.base + 8 * int(rng.integers(room // 8))
    length = int(rng.choice([1, 8, 16, int(rng.integers(1, _TEXT + 1)), int(rng.integers(0, 300))]))
    return [
        Poke(REGISTERS["CONSOLE_TX_ADDRESS"].at(), address, "console"),
        Poke(REGISTERS["CONSOLE_TX_DEST"].at(), destination, "console"),
        Poke(REGISTERS["CONSOLE_TX_LENGTH"].at(), length, "console"),
    ]


def _traffic(aim: Aim) -> list[Poke]:
    """The generator of the node, at one target or at all."""
    rng = aim.rng
    x, y, z = (int(part) for part in aim.scenario.shape.coordinate(int(rng.integers(aim.scenario.shape.nodes))))
    right = aim.some(1, 0.8)[0]
    target = REGISTERS["TRAFFIC_TARGET"].pack(x=x, y=y, z=z) if right else int(rng.integers(1 << 24))
    control = REGISTERS["TRAFFIC_CONTROL"].pack(
        enable=1, record=int(rng.integers(2)), pattern=int(rng.integers(7)), channel=int(rng.integers(4)))
    return [
        Poke(REGISTERS["TRAFFIC_TARGET"].at(), target, "traffic"),
        Poke(REGISTERS["TRAFFIC_HOTSPOT"].at(), target, "traffic"),
        *(Poke(REGISTERS["TRAFFIC_LENGTHS"].at(chunks), _EVERY_LENGTH, "traffic") for chunks in range(7)),
        Poke(REGISTERS["TRAFFIC_COUNT"].at(), int(rng.integers(500, 2500)), "traffic"),
        Poke(REGISTERS["TRAFFIC_PROBABILITY"].at(), 0xFFFFFFFF, "traffic"),
        Poke(REGISTERS["TRAFFIC_CONTROL"].at(), control, "traffic"),
    ]


def console_text(rng: np.random.Generator, text: bytes) -> bytes:
    """Text for the console, some of it made to look like headers and control words of the owner."""
    forged = bytearray(text)
    for at in range(0, len(forged) - 24, 64):
        choice = int(rng.integers(4))
        if choice == 0:
            # A control word of the owner.
            name, value = _OWNERS[rng.integers(4)]
            word = pack(ControlWord, op=ControlOp.WRITE, address=REGISTERS[name].at(), data=value)
            forged[at:at + 8] = word.to_bytes(8, "big")
        elif choice == 1:
            # A tree header with all stamps set, and the protocol of control packets two flits later.
            forged[at:at + 8] = ((1 << 64) - 1 - int(rng.integers(1 << 16))).to_bytes(8, "big")
            forged[at + 16:at + 24] = Protocol.CONTROL.to_bytes(8, "big")
    return bytes(forged)


def kinds(chosen: list[Poke]) -> Counter[str]:
    """How many accesses there are of each kind."""
    return Counter(f"{poke.kind} access" for poke in chosen)
