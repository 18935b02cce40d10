"""What a sweep leaves behind: ``sweep.json``, a row a point and a saturation a curve."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from khhw.build.provenance import Provenance
from khhw.files import read_text

__all__ = ["FILE", "CurveSaturation", "Row", "SweepResults"]

FILE = "sweep.json"
"""Its name in the folder of a sweep."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class _Curve(_Model):
    """What the points of a curve have in common."""

    shape: tuple[int, int, int]
    """Nodes in x, y and z."""
    pattern: str
    """Where packets go."""
    lengths: list[int]
    """Lengths of packets in chunks of 32 bytes, all as likely."""
    seed: int
    """Of everything random."""
    hot_node: int
    """Rank of the hot spot; 0 in patterns without."""
    hot_share: float
    """Share of packets that go there; 0 in patterns without."""
    node: dict[str, Any]
    """Parameters of the nodes."""
    parts: dict[str, str]
    """Replaced parts of the nodes."""
    capacity: float
    """Flits a node and cycle at load 1.0."""


class Row(_Curve):
    """A point."""

    id: str
    """Names its file in `points`."""
    state: Literal["done", "failed"]
    """Whether it was measured."""
    reason: str
    """Why not."""
    role: Literal["grid", "search"]
    """Whether the grid or the search for saturation asked for it."""
    load: float
    """Offered load, in capacities."""
    warmup: int
    """Cycles before the measurement."""
    cycles: int
    """Cycles of the measurement; more than the specification's where these did not tell whether the load is carried."""
    drain: int
    """Cycles after it, at most."""
    batches: int
    """Parts of the measurement."""
    offered: float | None
    """Flits a node and cycle that were created in the measurement, over the capacity."""
    accepted: float | None
    """Flits a node and cycle that arrived, over the capacity."""
    accepted_ci95: float | None
    """Half the 95 % interval of `accepted`, from the batches."""
    latency_mean: float | None
    """Cycles from a packet's creation to the arrival of its end."""
    latency_mean_ci95: float | None
    """Half its 95 % interval, from the batches; none where the load is saturated, as latencies then tell of no steady
    state."""
    latency_p50: float | None
    """Median."""
    latency_p99: float | None
    """99th percentile; none below 1,000 packets."""
    latency_max: int | None
    """The longest."""
    packets: int | None
    """Packets whose latency was measured."""
    errors: int | None
    """Packets that arrived wrong."""
    drained: bool | None
    """All packets of the measurement arrived within `drain`."""
    saturated: bool | None
    """The load is not carried, see `[saturation]`; null where the measurement does not tell."""
    simulated_cycles: int | None
    """Cycles of all phases together."""
    wall_seconds: float | None
    """The simulation took."""
    worker: str
    """Where it was measured."""
    lost_workers: int
    """Workers that were lost while they measured it."""
    version: str
    """Of khhw."""
    build: str
    """Identity of hardware and simulator."""


class CurveSaturation(_Curve):
    """The highest load of a curve; all loads are in capacities."""

    state: Literal["found", "unclear", "above", "below", "failed", "unfinished"]
    """`unclear`: measurements between `carried` and `saturated`, or of no load, do not tell. `above`: the highest load
    is carried. `below`: no load is already saturated. `failed`: a point that the search needs failed."""
    zero_load_latency: float | None
    """Mean latency of no load, in cycles."""
    carried: float | None
    """The highest load known to be carried."""
    saturated: float | None
    """The lowest load known not to be."""
    accepted: float | None
    """What was accepted at `carried`."""


class SweepResults(_Model):
    """A sweep; what ``khhw sweep --json`` prints."""

    version: str
    """Of khhw."""
    provenance: Provenance | None = None
    """Sources, computer and tools of this run of the sweep; points stored before it are of the same hardware."""
    seed: None = None
    """Points have their own."""
    parameters: dict[str, Any]
    """The specification with all defaults."""
    build: str = "engine"
    """What measured: the scale engine."""
    cpu_model: None = None
    """No software runs."""
    source: str
    """The specification's file, as it was given."""
    state: Literal["done", "failed", "interrupted"]
    """`failed`: at least one point has no measurement."""
    message: str
    """What went wrong, if anything did."""
    reused: int
    """Points that were in the folder already."""
    wall_seconds: float
    """This run of the sweep took."""
    results: list[Row]
    """The points, curve by curve, loads rising."""
    saturation: list[CurveSaturation]
    """A search a curve; empty without."""

    @property
    def failed(self) -> list[Row]:
        """Points without a measurement."""
        return [row for row in self.results if row.state == "failed"]

    @property
    def unclear(self) -> list[Row]:
        """Points whose measurements do not tell whether their loads are carried."""
        return [row for row in self.results if row.state == "done" and row.saturated is None]

    @property
    def remedy(self) -> str:
        """What to raise if points are unclear, a sentence; empty if none are."""
        if not self.unclear:
            return ""
        rows, measure = self.unclear, self.parameters["measure"]
        few = min(row.packets or 0 for row in rows)
        loads = ", ".join(f"{load:g}" for load in sorted({row.load for row in rows}))
        return (f"Whether load {loads} is carried cannot be told from what was measured ({few:,} packets at the "
                f"least); raise measure.cycles ({measure['cycles']}) or measure.extend ({measure.get('extend', 1)})")

    @classmethod
    def read(cls, path: Path | str) -> "SweepResults":
        """Read a ``sweep.json``."""
        return cls.model_validate_json(read_text(path))

    def text(self) -> str:
        """As JSON."""
        return self.model_dump_json(indent=1) + "\n"
