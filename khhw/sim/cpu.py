"""What software costs: host code charges nanoseconds, a model turns them into cycles."""

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["CLOCK_HZ", "IDEAL", "MODELS", "CpuModel", "Processor"]

CLOCK_HZ = 53_125_000
"""Default clock: 64-bit flits at this rate are Blue Gene/P's 425 MB/s a link."""

_NANOSECONDS = 10**9


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
    """

    name: str
    scale: Fraction | int = 1
    interrupt_ns: int = 0
    read_ns: int = 0
    write_ns: int = 0

    def __post_init__(self) -> None:
        for field in ("scale", "interrupt_ns", "read_ns", "write_ns"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} must not be negative, not {getattr(self, field)!r}")


IDEAL = CpuModel(name="ideal", scale=0)
"""Software takes no time."""

MODELS: dict[str, CpuModel] = {model.name: model for model in (IDEAL,)}


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
        self._cycles_per_ns = Fraction(model.scale) * clock_hz / _NANOSECONDS
        self._busy_until = Fraction(0)

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
        if not ns or not self._cycles_per_ns:
            return now
        self._busy_until = max(self._busy_until, Fraction(now)) + Fraction(ns) * self._cycles_per_ns
        return -(-self._busy_until.numerator // self._busy_until.denominator)
