"""What a run leaves behind: ``results.json``, and the same as numpy arrays.

``docs/results.md`` and ``docs/schemas/results.json`` are generated from the models here.
"""

from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from khhw.build.provenance import Provenance
from khhw.errors import named
from khhw.files import read_text
from khhw.machine.meter_record import MeterLaw, MeterReading
from khhw.machine.record_model import RecordModel as _Model

__all__ = [
    "Attack", "Breakdown", "ConsoleLine", "LatencySample", "LatencySummary", "Load", "Matrix", "MemcachedPoint",
    "OwnRecord", "RefusalRecord", "Results", "RunRecord", "Spread", "State",
]

_Own = TypeVar("_Own", bound=BaseModel)

State = Literal["done", "failed", "interrupted", "out_of_cycles", "deadlocked"]


class ConsoleLine(_Model):
    """A line on the console, as the outside saw it."""

    cycle: int
    """When it passed the port above the root."""
    node: int | None
    """Rank of the node that sent it; null for what the outside wrote."""
    text: str
    """Without its newline."""


class Load(_Model):
    """One image loaded over the multicast console."""

    kernel: str
    """Name of the kernel."""
    nodes: list[int]
    """Ranks that took the image."""
    image_bytes: int
    """Size of the image."""
    packets: int
    """Console packets that left the outside for it, the question for the check sum among them."""
    cycles: int
    """From the first packet into the tree to the last node's answer that it has all of the image."""
    check_cycles: int = 0
    """From there until every node has told the check sum of its memory; files of khhw 0.1 have it in `cycles`."""


class Matrix(_Model):
    """isAllowed, as configured and as it was observed; rows are sources, by rank."""

    configured: list[list[int]]
    """What the owner was told: by a machine file, or by the service of a cloud."""
    observed: list[list[int]]
    """1 where a packet of the source arrived: its token was found in the destination's memory, or, in a cloud, the
    destination has said whom it heard."""

    def differences(self) -> list[tuple[int, int]]:
        """(source, destination) of cells that are not as configured."""
        unlike = np.array(self.configured, dtype=np.bool_) != np.array(self.observed, dtype=np.bool_)
        return [(int(source), int(destination)) for source, destination in np.argwhere(unlike)]

    def judge(self, phase: str) -> list[str]:
        """How many cells are not as configured."""
        wrong = len(self.differences())
        return [f"{f'{wrong} cells' if wrong > 1 else '1 cell'} of {phase} {'are' if wrong > 1 else 'is'} not as "
                "configured."] if wrong else []


class Attack(_Model):
    """One way hostile software tried."""

    name: str
    """What was tried, in words."""
    tried: int
    """How often."""
    delivered: int
    """How often it had an effect on a node it must not reach, read from that node's memory."""
    refused: int
    """How often hardware refused, by its own counters."""
    harmless: int = 0
    """How often hardware made something harmless of it, which then arrived; files of khhw 0.1 count these as `refused`.
    """
    where: str
    """What refused it or made it harmless, and why."""
    expected: str = ""
    """What should be seen, where that is not simply `delivered` 0."""
    passed: bool
    """Whether the hardware held."""

    def judge(self, phase: str) -> list[str]:
        """That it was not held."""
        return [] if self.passed else [f"Not held: {self.name}."]


class LatencySample(_Model):
    """One message."""

    source: int
    """Rank."""
    destination: int
    """Rank."""
    hops: int
    """Torus hops."""
    size_bytes: int
    """Payload."""
    cycles: int
    """From the doorbell's register write to the destination's interrupt."""


class LatencySummary(_Model):
    """Latencies of one kind of operation, in cycles."""

    p50: float
    """Median."""
    p99: float | None
    """99th percentile; null below 1,000 samples."""
    max: int
    """The longest."""


class Breakdown(_Model):
    """Where the mean operation's time went, in cycles; ``docs/memcached.md`` says how each part is found."""

    software: float
    """CPU time charged to client and server: what of it was on the way of the operation, at most."""
    ni: float
    """Register accesses, DMA and guards: what of them was on the way of the operation, at most."""
    hops: float
    """Routers and cables."""
    serialization: float
    """Flits following each other onto the cable."""
    wait: float
    """The rest, so at least this: queues, retries, other clients, neighbours on the same cables."""


class Spread(_Model):
    """How much the numbers of a point may be off, from stretches of its measurement; `docs/report.md` makes intervals
    of it."""

    batches: int
    """Stretches: 5 to 20, with at least 10 operations each."""
    p50_share: float
    """Standard error of the share of operations that end within the median, from stretches of as many operations."""
    p99_share: float | None
    """Of those within the 99th percentile; null where that is."""
    ops_per_second: float | None
    """Standard error, from stretches of the same time; null where not every latency was kept."""


class MemcachedPoint(_Model):
    """One measurement of memcached: a way, an operation, a size, a number of clients."""

    phase: str
    """Phase it was measured in."""
    path: Literal["tcp", "rdma"]
    """The calls that carried it."""
    op: Literal["get", "set"]
    """The operation."""
    value_bytes: float
    """Size of the values; their mean if they differ."""
    values: Literal["fixed", "etc"] = "fixed"
    """All of one size, or as in Facebook's ETC pool."""
    distribution: Literal["uniform", "zipf"] = "uniform"
    """How keys are chosen."""
    loop: Literal["closed", "open"] = "closed"
    """Whether a client waits for an answer before it asks again."""
    offered_per_second: float | None = None
    """Operations of all kinds that open-loop clients begin in a second, together."""
    clients: int
    """Nodes that ran clients."""
    connections: int = 1
    """Of each client, with one operation at a time on each."""
    gets_per_cent: int | None = None
    """GETs among 100 operations of the measurement; null where that is not known."""
    hops: float
    """Mean torus distance between client and server."""
    cpu_model: str
    """What charged software time."""
    cpu_scale: float
    """What all its costs were multiplied by."""
    ops: int
    """Operations of this kind that ended in the measurement."""
    samples: int
    """Of them, how many latencies were kept."""
    latency_cycles: LatencySummary
    """From the call to the verified answer."""
    quantiles: list[int]
    """Latencies in cycles at 0, 1, ... 100 per cent."""
    ops_per_second: float
    """Of this kind, all clients together."""
    server_cpu_ns_per_op: float
    """Software time of the server over all operations of the measurement."""
    wire_bound_cycles: float
    """The least an operation of this size can take on this wire: its packets one after the other, and the hops."""
    breakdown: Breakdown | None = None
    """Of the mean operation; null where clients overlap operations."""
    misses: int = 0
    """GETs of keys that were not there."""
    retries: int = 0
    """GETs read again because what came was stale or torn."""
    errors: int = 0
    """Operations that ended in an error."""
    spread: Spread | None = None
    """How much the numbers may be off; null for fewer than 50 samples, and in files of khhw before there was it."""


class RefusalRecord(_Model):
    """One entry of a guard's log."""

    phase: str
    """Phase it was read after."""
    node: int
    """Rank of the guard."""
    source: int
    """Rank of the stamped source."""
    destination: int
    """Rank of the destination, or -1 where the id names no node."""
    reason: str
    """A `Reason`."""
    cycle: int
    """When."""


class OwnRecord(_Model):
    """What a measurement of a module of one's own found in a phase."""

    measurement: str
    """`"module:NAME"`, as the machine file names it."""
    phase: str
    """Phase it was measured in."""
    found: dict[str, Any]
    """What it found, in a form of its own."""
    shortcomings: list[str] = []
    """What was not as it must be, a sentence each; a run with any has failed."""

    def judge(self, phase: str) -> list[str]:
        """What the measurement recorded."""
        return self.shortcomings


class RunRecord(_Model):
    """What was seen; parts no phase measured are empty."""

    console: list[ConsoleLine] = []
    """The transcript."""
    load: list[Load] = []
    """Images loaded, in order; several listener counts when a phase measures it."""
    matrix: dict[str, Matrix] = {}
    """By phase."""
    attacks: list[Attack] = []
    """In the order tried."""
    latency: list[LatencySample] = []
    """In the order measured."""
    memcached: list[MemcachedPoint] = []
    """memcached, a record a point."""
    refusals: list[RefusalRecord] = []
    """Logs of all guards."""
    own: list[OwnRecord] = []
    """What measurements of one's own found, in the order measured; absent from files of khhw before they could be."""
    meters: list[MeterReading] = []
    """Of all nodes, by rank; only `khhw meter` reads them."""
    laws: list[MeterLaw] = []
    """What was checked of the meters."""

    def judge(self, phase: str = "") -> list[str]:
        """What every record says of itself, in the order of the keys."""
        found = []
        for name in type(self).model_fields:
            kept = getattr(self, name)
            for key, record in kept.items() if isinstance(kept, dict) else (("", record) for record in kept):
                found += record.judge(key)
        return found


class Results(_Model):
    """A run."""

    version: str
    """Of khhw."""
    provenance: Provenance | None = None
    """Sources, computer and tools; null in files of khhw from before it was kept."""
    name: str
    """Of the machine."""
    state: State
    """How the run ended; everything but `done` is a failure."""
    message: str = ""
    """Why, when it is not `done`."""
    command: Literal["run", "memcached", "meter"] = "run"
    """Subcommand of khhw that made it."""
    seed: int
    """Of everything random."""
    parameters: dict[str, Any]
    """The machine file with all defaults filled in."""
    build: Literal["fast", "debug"]
    """Simulator build."""
    engine: Literal["cocotb", "native"] = "cocotb"
    """What simulated it."""
    cpu_model: str
    """What charged software time."""
    clock_hz: int
    """Hardware clock."""
    cycles: int
    """Cycles when it ended."""
    wall_seconds: float
    """Time the simulator ran."""
    signature: str = ""
    """Of all that nodes sent, and of their interrupts, by cycle: 16 hex digits a node (``rtl/misr.py``)."""
    results: RunRecord = RunRecord()
    """What was seen."""

    @classmethod
    def read(cls, path: Path | str) -> "Results":
        """Results of an earlier run from its ``results.json``."""
        return cls.model_validate_json(read_text(path))

    def write(self, path: Path) -> None:
        """Write ``results.json``; a reader never sees half of it."""
        scratch = path.with_suffix(".part")
        scratch.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)

    @property
    def passed(self) -> bool:
        """Whether the run ended well, and no record of it has anything that is not as it must be."""
        return self.state == "done" and not self.results.judge()

    def matrix(self, phase: str, kind: Literal["configured", "observed"] = "observed") -> npt.NDArray[np.bool_]:
        """isAllowed of a phase: shape (nodes, nodes), source first.

        Parameters
        ----------
        phase : str
            Its name.
        kind : str, optional
            ``observed``, what the probes saw, or ``configured``, what was asked for.

        Raises
        ------
        LookupError
            If no matrix was measured in a phase of this name, or there is no such kind; says which there are.
        """
        kinds = list(Matrix.model_fields)
        if kind not in kinds:
            raise LookupError(f"no matrix {kind!r}; there are {' and '.join(kinds)}")
        found = named(self.results.matrix, phase, "matrix of a phase")
        return np.array(getattr(found, kind), dtype=np.bool_)

    def own(self, measurement: str, model: type[_Own]) -> dict[str, _Own]:
        """What a measurement of one's own found, by phase.

        Parameters
        ----------
        measurement : str
            ``"module:NAME"``.
        model : type
            What it found is read as.

        Raises
        ------
        LookupError
            If nothing was measured by this name; says what was.
        """
        by_name: dict[str, list[OwnRecord]] = {}
        for each in self.results.own:
            by_name.setdefault(each.measurement, []).append(each)
        return {each.phase: model.model_validate(each.found)
                for each in named(by_name, measurement, "measurement of one's own")}

    def latency(self) -> npt.NDArray[np.int64]:
        """Latency samples: shape (samples, 5): source, destination, hops, bytes, cycles."""
        rows = [[s.source, s.destination, s.hops, s.size_bytes, s.cycles] for s in self.results.latency]
        return np.array(rows, dtype=np.int64).reshape(-1, 5)
