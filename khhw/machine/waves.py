"""Which waves of a run are wanted: nodes, and a window of cycles."""

import re
from dataclasses import dataclass
from typing import Self

from khhw.errors import RequestError
from khhw.node.commands import EVERYBODY, Nodes, WrongLine, parse_nodes, shortened
from khhw.sim.engine.process import WavesWanted
from khhw.sim.engine.wave_writer import NEVER

__all__ = ["MOST_NODES", "WAVES_NAMES", "WavesChoice"]

MOST_NODES = 16
"""Nodes of a machine whose waves are written without naming nodes. All of a larger one fill a disk in seconds."""
WAVES_NAMES = ("dump.fst", "dump.vcd")
"""Files that a run may write waves to; the better one first."""
_WINDOW = re.compile(r"(\d{0,18}):(\d{0,18})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class WavesChoice:
    """What waves show; by default all nodes of a small machine, from the first cycle to the last.

    Parameters
    ----------
    nodes : Nodes or None
        Which; None for all of a machine of up to :data:`MOST_NODES` nodes.
    first : int
        First cycle.
    end : int or None
        The cycle behind the last; None for the end of the run.

    Raises
    ------
    RequestError
        If the window holds no cycle.
    """

    nodes: Nodes | None = None
    first: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        if self.first < 0 or (self.end is not None and self.end <= self.first):
            raise RequestError(f"--window {self.window} holds no cycle: the first comes first, then the one behind the "
                               "last, for example 1000:3000")

    @classmethod
    def parse(cls, nodes: str | None, window: str | None) -> Self:
        """What the command line says.

        Parameters
        ----------
        nodes : str or None
            A list of ranks such as ``0,2,4-7``, or ``all``.
        window : str or None
            ``A:B``, cycles from A to the one before B. Without A from the first, without B to the last.

        Raises
        ------
        RequestError
            If it is no such text.
        """
        listed = None if nodes is None else parse_nodes(nodes)
        if isinstance(listed, WrongLine):
            raise RequestError(f"--waves-nodes: {listed.message}")
        if window is None:
            return cls(nodes=listed)
        if (found := _WINDOW.fullmatch(window)) is None:
            raise RequestError(f"--window takes two cycles, for example 1000:3000; not {shortened(window)!r}")
        return cls(nodes=listed, first=int(found[1] or 0), end=int(found[2]) if found[2] else None)

    @property
    def is_plain(self) -> bool:
        """Whether it is all that a back end without a choice does."""
        return self == WavesChoice()

    @property
    def window(self) -> str:
        """The window as the command line has it."""
        return f"{self.first}:{'' if self.end is None else self.end}"

    def wanted(self, nodes: int, max_cycles: int | None) -> WavesWanted:
        """What a run of a machine of so many nodes is to write.

        Raises
        ------
        RequestError
            If there is no such node, the machine needs nodes to be named, or cannot run into the window.
        """
        if max_cycles is not None and self.first >= max_cycles:
            raise RequestError(f"--window {self.window} begins after the end of the run: its [host] max_cycles is "
                               f"{max_cycles}")
        return WavesWanted(self._ranks(nodes), self.first, NEVER if self.end is None else self.end)

    def _ranks(self, nodes: int) -> tuple[int, ...]:
        if self.nodes is None:
            if nodes > MOST_NODES:
                raise RequestError(f"waves of all {nodes} nodes are too much: name the nodes with --waves-nodes, for "
                                   f"example --waves-nodes 0,3 (up to {MOST_NODES} nodes are all written; "
                                   "--waves-nodes all writes any number)")
            return tuple(range(nodes))
        if self.nodes == EVERYBODY:
            return tuple(range(nodes))
        if (last := max(high for _, high in self.nodes.stretches)) >= nodes:
            there = "node 0 only" if nodes == 1 else f"nodes 0 to {nodes - 1}"
            raise RequestError(f"--waves-nodes: there is no node {last}, the machine has {there}")
        return tuple(rank for rank in range(nodes) if rank in self.nodes)
