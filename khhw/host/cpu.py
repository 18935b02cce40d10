"""What software costs: host code charges work or nanoseconds, a model turns them into cycles.

``docs/cpu-model.md`` says what each constant rests on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

__all__ = ["CLOCK_HZ", "IDEAL", "MODELS", "PPC450", "CpuModel", "Processor", "Work"]

CLOCK_HZ = 53_125_000
"""Default clock: 64-bit flits at this rate are Blue Gene/P's 425 MB/s a link."""

_NANOSECONDS = 10**9


class Work(StrEnum):
    """Kinds of work that software is charged for, each with its unit."""

    CALL = "call"
    """Entering a call of ``khhw.net``: arguments, connection, a switch of tasks."""
    COPY = "copy"
    """A byte the processor copies from memory to memory."""
    SEGMENT = "segment"
    """Protocol work for a stream segment, sent or received."""
    PACKET = "packet"
    """Taking a packet from a reception ring."""
    DESCRIPTOR = "descriptor"
    """Building an injection descriptor."""
    PARSE = "parse"
    """A byte of memcached text that is looked at."""
    HASH = "hash"
    """A byte of a key that is hashed."""
    LOOKUP = "lookup"
    """A probe of the hash table."""
    ITEM = "item"
    """Allocating, linking or unlinking an item, or moving it in the LRU list."""
    FORMAT = "format"
    """A byte of an answer's header."""


@dataclass(frozen=True, kw_only=True)
class CpuModel:
    """Cost constants of the processor of a node.

    Parameters
    ----------
    name : str
        What reports call it.
    scale : Fraction or int
        What every cost is multiplied by: 0 makes software free; sweeps vary it.
    interrupt_ns : int
        From the interrupt's level to the first instruction of the task that waits for it.
    read_ns, write_ns : int
        Around a register access, besides the cycles the access takes on the bus.
    work_ns : mapping of Work to int or Fraction
        Cost of one unit; work that is not named is free.
    """

    name: str
    scale: Fraction | int = 1
    interrupt_ns: int = 0
    read_ns: int = 0
    write_ns: int = 0
    work_ns: Mapping[Work, Fraction | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        costs = {name: getattr(self, name) for name in ("scale", "interrupt_ns", "read_ns", "write_ns")}
        for name, value in {**costs, **{f"work_ns[{kind}]": ns for kind, ns in self.work_ns.items()}}.items():
            if value < 0:
                raise ValueError(f"{name} must not be negative, not {value!r}")

    def cost(self, work: Mapping[Work, int]) -> Fraction | int:
        """Nanoseconds, before the scale, that a mixture of work takes: units by kind.

        Raises
        ------
        ValueError
            If there are less than no units of something.
        """
        if negative := [str(kind) for kind, units in work.items() if units < 0]:
            raise ValueError(f"Work cannot be negative: {', '.join(negative)}")
        return sum((units * self.work_ns.get(kind, 0) for kind, units in work.items()), start=0)

    def scaled(self, factor: Fraction | float | str) -> "CpuModel":
        """The same model with all costs `factor` times as high."""
        return replace(self, scale=Fraction(self.scale) * Fraction(factor))


IDEAL = CpuModel(name="ideal", scale=0)
"""Software takes no time."""

PPC450 = CpuModel(
    name="ppc450",
    interrupt_ns=1000,
    read_ns=60,
    write_ns=20,
    work_ns={
        Work.CALL: 250,
        Work.COPY: 1,
        Work.SEGMENT: 650,
        Work.PACKET: 200,
        Work.DESCRIPTOR: 130,
        Work.PARSE: 6,
        Work.HASH: Fraction(5, 2),
        Work.LOOKUP: 280,
        Work.ITEM: 600,
        Work.FORMAT: 4,
    },
)
"""One 850 MHz PowerPC 450 core of Blue Gene/P under a bare-metal kernel with interrupts."""

MODELS: dict[str, CpuModel] = {model.name: model for model in (IDEAL, PPC450)}


class Processor:
    """The one processor of a node. Costs of tasks that run at the same time add up, one after the other.

    Fractions of a cycle are kept, so many small costs sum up exactly, and in the same way everywhere.

    Parameters
    ----------
    model : CpuModel
        Cost constants.
    clock_hz : int
        Frequency of the simulated clock.
    """

    def __init__(self, model: CpuModel, clock_hz: int = CLOCK_HZ) -> None:
        if clock_hz <= 0:
            raise ValueError(f"The clock frequency must be positive, not {clock_hz!r}")
        self.model = model
        self.clock_hz = clock_hz
        self._scale = Fraction(model.scale)
        self._cycles_per_ns = Fraction(clock_hz, _NANOSECONDS)
        self._busy_until = Fraction(0)
        self._busy_ns = Fraction(0)

    def halt(self, now: int) -> None:
        """Drop what is not done yet: the processor is reset in cycle `now`."""
        if self._busy_until > now:
            self._busy_ns -= (self._busy_until - now) / self._cycles_per_ns
            self._busy_until = Fraction(now)

    def use(self, model: CpuModel) -> None:
        """Charge by another model from now on."""
        self.model = model
        self._scale = Fraction(model.scale)

    @property
    def busy_ns(self) -> float:
        """Nanoseconds charged so far, after the model's scale."""
        return float(self._busy_ns)

    def charge(self, now: int, ns: float | Fraction) -> int:
        """Take up the processor for `ns` nanoseconds of work.

        Parameters
        ----------
        now : int
            The cycle the work is ready to begin.
        ns : number
            Its cost, before the model's scale.

        Returns
        -------
        int
            The first cycle that begins when the work is done.

        Raises
        ------
        ValueError
            If `ns` is negative.
        """
        if ns < 0:
            raise ValueError(f"Software cannot take {ns!r} ns")
        if not ns or not self._scale:
            return now
        scaled = Fraction(ns) * self._scale
        self._busy_ns += scaled
        self._busy_until = max(self._busy_until, Fraction(now)) + scaled * self._cycles_per_ns
        return -(-self._busy_until.numerator // self._busy_until.denominator)
