"""One point of a curve: everything that determines what is measured, and nothing else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from khhw.build.cache import digest
from rtl.parameters import Parameters

__all__ = ["Build", "Point"]


@dataclass(frozen=True, kw_only=True)
class Build:
    """What the engine is built from.

    Parameters
    ----------
    node : Parameters
        Of every node.
    parts : tuple of (str, str)
        Replacements by part, each ``"module:Class"``.
    path : tuple of str
        Folders in which modules of parts are looked for. Where they lie does not matter, what they say does.
    """

    node: Parameters
    parts: tuple[tuple[str, str], ...] = ()
    path: tuple[str, ...] = field(default=(), compare=False)

    @property
    def folders(self) -> list[Path]:
        """`path`, behind khhw's own: a user's folders must not hide its modules. Empty where nothing is looked for."""
        return [Path(__file__).parents[2], *map(Path, self.path)] if self.path else []

    @property
    def name(self) -> str:
        """Names it: the digest of its parameters and parts."""
        return digest([self.node.as_dict(), self.parts])


@dataclass(frozen=True, kw_only=True)
class Point:
    """Synthetic traffic of one kind at one load on one machine.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    build : Build
        The nodes.
    pattern : str
        Where packets go, see :mod:`khhw.traffic.patterns`.
    lengths : tuple of int
        Lengths of packets in chunks of 32 bytes, header included; all as likely.
    load : float
        Offered flits a node and cycle, over :func:`khhw.traffic.capacity.capacity`.
    seed : int
        Of everything random.
    hot_node : int
        Rank of the hot spot. Only the pattern ``hot_spot`` has one; others have 0 here.
    hot_share : float
        Share of all packets that go to the hot spot; the others are uniform. 0 in other patterns.
    warmup, cycles, drain : int
        Cycles before what is measured, of the measurement, and at most after it until its packets have arrived.
    batches : int
        Parts of the measurement, equally long, whose means are compared.
    """

    shape: tuple[int, int, int]
    build: Build
    pattern: str
    lengths: tuple[int, ...]
    load: float
    seed: int
    hot_node: int = 0
    hot_share: float = 0.0
    warmup: int
    cycles: int
    drain: int
    batches: int

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return math.prod(self.shape)

    def at(self, load: float) -> "Point":
        """The same at another load."""
        return replace(self, load=load)

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return {
            "shape": list(self.shape), "node": self.build.node.as_dict(), "parts": dict(self.build.parts),
            "pattern": self.pattern, "lengths": list(self.lengths), "load": self.load, "seed": self.seed,
            "hot_node": self.hot_node, "hot_share": self.hot_share, "warmup": self.warmup, "cycles": self.cycles,
            "drain": self.drain, "batches": self.batches}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], path: tuple[str, ...] = ()) -> "Point":
        """What :meth:`as_dict` gave."""
        rest = {key: value for key, value in values.items() if key not in ("node", "parts", "shape", "lengths")}
        x, y, z = values["shape"]
        build = Build(node=Parameters(**values["node"]), parts=tuple(sorted(values["parts"].items())), path=path)
        return cls(shape=(x, y, z), lengths=tuple(values["lengths"]), build=build, **rest)

    def identity(self, build: str, version: str) -> str:
        """16 hexadecimal digits that name the point as measured on a build by a version of khhw."""
        return digest([self.as_dict(), build, version])
