"""What a sweep specification can say: its tables and keys, as models that refuse anything else."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Grid", "HotSpot", "Measure", "Saturation", "SweepSpec", "schema"]

_Load = Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)]
_Chunks = Annotated[int, Field(ge=1, le=8)]
_Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Grid(_Section):
    """What is varied: every list with every other, so that the points are their product."""

    loads: list[_Load] = Field(min_length=1)
    """Offered load; 1.0 is what an ideal torus of this shape carries of uniform traffic."""
    shapes: list[tuple[int, int, int]] = Field(min_length=1)
    """Nodes in x, y and z."""
    patterns: list[str] = Field(default=["uniform"], min_length=1)
    """Where packets go."""
    lengths: list[Annotated[list[_Chunks], Field(min_length=1)]] = Field(default=[[8]], min_length=1)
    """Lengths of packets in chunks of 32 bytes, header included. Each entry is a list; all in it are as likely."""
    seeds: list[_Seed] = Field(default=[1], min_length=1)
    """Of everything random. From two on, intervals are over seeds."""
    node: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Parameters of the nodes by name, each with the list of its values."""


class HotSpot(_Section):
    """What the pattern `hot_spot` does."""

    node: int = Field(default=0, ge=0)
    """Rank of the hot spot."""
    share: float = Field(default=0.1, gt=0, le=1, allow_inf_nan=False)
    """Share of all packets that go there; the others go to all nodes alike."""


class Measure(_Section):
    """How long a point is measured."""

    warmup: int = Field(default=2_000, ge=0, le=10_000_000)
    """Cycles before the measurement."""
    cycles: int = Field(default=10_000, ge=100, le=100_000_000)
    """Cycles of the measurement."""
    drain: int = Field(default=20_000, ge=0, le=100_000_000)
    """Cycles after it, at most, until all packets have arrived."""
    batches: int = Field(default=10, ge=2, le=1000)
    """Parts of the measurement; with one seed, intervals are over their means."""
    extend: int = Field(default=16, ge=1, le=1024)
    """Where it does not tell whether a load is carried, it is made again with 4, 16, ... times the cycles, up to so
    many times; 1: never."""


class Saturation(_Section):
    """The search for the highest load a network carries, curve by curve."""

    search: bool = True
    """Whether it is made."""
    tolerance: float = Field(default=0.01, ge=0.0001, le=0.5, allow_inf_nan=False)
    """It ends when a carried and a saturated load are this close."""
    latency: float = Field(default=3.0, gt=1, allow_inf_nan=False)
    """A network is saturated where the mean latency is more than this many times that of no load."""
    zero_load: float = Field(default=0.02, gt=0, le=0.5, allow_inf_nan=False)
    """Load that counts as no load."""
    highest: float = Field(default=1.0, gt=0, le=2, allow_inf_nan=False)
    """Load that is tried where the whole grid is carried."""


class SweepSpec(_Section):
    """A sweep."""

    name: str = Field(default="sweep", min_length=1)
    """Title of the report."""
    grid: Grid
    """What is varied."""
    node: dict[str, Any] = {}
    """Parameters of the nodes that are the same in all points."""
    parts: dict[Literal["router", "guard", "ni", "memory"], str] = {}
    """Replacements by class, `"module:Class"`; modules are also looked for beside the specification."""
    hot_spot: HotSpot = HotSpot()
    """What the pattern `hot_spot` does."""
    measure: Measure = Measure()
    """How long a point is measured."""
    saturation: Saturation = Saturation()
    """The search for the highest load."""


def schema() -> dict[str, Any]:
    """JSON schema of a sweep specification."""
    return SweepSpec.model_json_schema()
