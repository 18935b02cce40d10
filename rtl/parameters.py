"""What can be chosen when a node is generated.

One :class:`Parameters` object is shared by every block of a node; a node is converted once per
distinct object. Coordinates and the torus size are *not* here: they are straps, inputs of the node.
"""

import enum
from dataclasses import asdict, dataclass, fields

from rtl.formats import CHUNK_FLITS, PACKET_FLITS

__all__ = ["Bubble", "Parameters", "ParameterError"]


class ParameterError(ValueError):
    """A parameter has a value no node can be built with."""


class Bubble(enum.StrEnum):
    """How the escape and priority rings keep their bubble; everything but `SLOTS` can deadlock.

    The other two exist so that a test can show the deadlock they cause.
    """

    SLOTS = "slots"
    """Buffers are allocated in whole 256-byte slots: continue with one free, enter with two."""
    CHUNKS = "chunks"
    """Buffers are allocated in 32-byte chunks: continue with the packet's length, enter with twice it."""
    OFF = "off"
    """Whole slots, but entering a ring needs no more than continuing in it."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of a node.

    Parameters
    ----------
    lanes : int
        Injection lanes, and as many ejection lanes, between network interface and router. 1 to 6.
    slots : int
        Buffer of one virtual channel of one input port, in packets of 256 bytes. 3 to 8.
    table_nodes : int
        Node ids one permission table covers: a power of two, 8 to 65,536. Every id at or above it
        is refused.
    memory_bytes : int
        Size of the node memory: a power of two, 256 bytes to 4 MiB.
    injection_rings, reception_rings : int
        Memory rings of the network interface. 1 to 8, and 1 to 4 (one for each value of `pid`).
    counters : int
        Injection counters, and as many reception counters. A power of two, 2 to 256.
    log_entries : int
        Refusals the guard keeps for its owner to read. A power of two, 4 to 256.
    receive_ids : int
        Console channels a node can listen to at once. 1 to 8.
    bubble : Bubble
        Rule of the deadlock-free rings; anything but ``Bubble.SLOTS`` is for experiments.
    traffic : bool
        The node has a traffic generator and checker (``rtl/traffic``). Packets with `pid` 3 and `dma` 0 are
        then the generator's: reception ring 3 gets none.

    Raises
    ------
    ParameterError
        If a value is out of range; the message names the parameter, the value and the range.
    """

    lanes: int = 2
    slots: int = 3
    table_nodes: int = 64
    memory_bytes: int = 65536
    injection_rings: int = 4
    reception_rings: int = 2
    counters: int = 8
    log_entries: int = 16
    receive_ids: int = 4
    bubble: Bubble = Bubble.SLOTS
    traffic: bool = False

    def __post_init__(self) -> None:
        for name, low, high, power_of_two in (
            ("lanes", 1, 6, False),
            ("slots", 3, 8, False),
            ("table_nodes", 8, 65536, True),
            ("memory_bytes", 256, 4 << 20, True),
            ("injection_rings", 1, 8, False),
            ("reception_rings", 1, 4, False),
            ("counters", 2, 256, True),
            ("log_entries", 4, 256, True),
            ("receive_ids", 1, 8, False),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ParameterError(f"{name} must be an integer from {low} to {high}, not {value!r}")
            if power_of_two and value & (value - 1):
                raise ParameterError(f"{name} must be a power of two, not {value!r}")
        try:
            object.__setattr__(self, "bubble", Bubble(self.bubble))
        except ValueError:
            known = ", ".join(repr(str(rule)) for rule in Bubble)
            raise ParameterError(f"bubble must be one of {known}, not {self.bubble!r}") from None
        if not isinstance(self.traffic, bool):
            raise ParameterError(f"traffic must be true or false, not {self.traffic!r}")

    @property
    def memory_words(self) -> int:
        """Words of 32 bytes in the node memory."""
        return self.memory_bytes // 32

    @property
    def link_units(self) -> int:
        """Allocation units of the buffer of one virtual channel at the end of a torus cable: slots, or chunks."""
        return self.slots * (PACKET_FLITS // CHUNK_FLITS if self.bubble is Bubble.CHUNKS else 1)

    @property
    def table_words(self) -> int:
        """Words of 32 bits in a permission table."""
        return max(1, self.table_nodes // 32)

    def as_dict(self) -> dict[str, int | str]:
        """Plain values by name, for JSON."""
        return {name: str(v) if isinstance(v, Bubble) else v for name, v in asdict(self).items()}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all parameters, in order."""
        return tuple(field.name for field in fields(cls))
