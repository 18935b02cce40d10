"""What a run keeps of the meters of its nodes."""

from khhw.machine.record_model import RecordModel

__all__ = ["MeterLaw", "MeterReading"]


class MeterReading(RecordModel):
    """The meter of a node at the end of the run, since the fabric reset."""

    node: int
    """Rank."""
    tag: int
    """Of the snapshot."""
    cycle: int
    """The first that it does not count."""
    counts: dict[str, int]
    """By `MeterLine`: packets, flits, flits times cables, and cycles."""


class MeterLaw(RecordModel):
    """Two numbers of all meters together that must agree."""

    name: str
    """Which, in words."""
    left: int
    """The first."""
    right: int
    """The second."""
    holds: bool
    """Whether they agree."""

    def judge(self, phase: str) -> list[str]:
        """That they do not."""
        return [] if self.holds else [f"Meters: {self.name} does not hold: {self.left:,} and {self.right:,}."]
