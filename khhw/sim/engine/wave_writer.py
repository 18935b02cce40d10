"""Waves of a machine on the native engine: of some of its nodes, in some of its cycles."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from khhw.build.engine import EngineBuild
from khhw.errors import RequestError
from khhw.sim.bridge import PERIOD, RESET_CYCLES
from khhw.sim.engine.library import pointer
from rtl.fabric import Fabric

__all__ = ["NEVER", "WaveWriter"]

NEVER = (1 << 64) - 1
"""A cycle that no run reaches."""


class WaveWriter:
    """The part of :class:`~khhw.sim.engine.engine.Engine` that writes waves.

    Attributes
    ----------
    nodes : int
        Of the machine.
    build : EngineBuild
        What it runs on.
    """

    nodes: int
    build: EngineBuild
    _library: ctypes.CDLL
    _handle: Any

    @contextmanager
    def waves(self, file: Path, ranks: Sequence[int], first: int = 0, end: int = NEVER) -> Iterator[None]:
        """While entered, what nodes show is written cycle by cycle, as waves of a fabric.

        Scopes, names and times are those of the same machine under cocotb, where cycle 0 follows the reset. Time that
        is skipped has no place in the file.

        Parameters
        ----------
        file : Path
            FST or VCD, as the build writes it: :attr:`~khhw.build.engine.EngineBuild.waves` names it.
        ranks : sequence of int
            Nodes, each at most once.
        first, end : int
            The first cycle, and the one behind the last. What is present when this is left is the last in any case.

        Raises
        ------
        RequestError
            If the build cannot write waves, or the file cannot be written.
        ValueError
            If there is no such node, or the machine is past its first cycle.
        """
        which = np.array(ranks, np.int32)
        if len(np.unique(which)) != len(which) or (len(which) and not 0 <= which.min() <= which.max() < self.nodes):
            raise ValueError(f"ranks are from 0 to {self.nodes - 1}, each at most once")
        if not self.build.waves:
            raise RequestError(f"the engine {self.build.folder} was not built for waves")
        if self._library.khhw_now(self._handle):
            raise ValueError("waves are begun in cycle 0")
        try:
            file.touch()
        except OSError as error:
            raise RequestError(f"waves cannot be written to {file}: {error.strerror}") from error
        if not self._library.khhw_write_waves(
                self._handle, str(file).encode(), Fabric.module_name.encode(), len(which), pointer(which), first, end,
                RESET_CYCLES * PERIOD):
            raise RequestError(f"waves cannot be written to {file}")
        try:
            yield
        finally:
            self._library.khhw_close_waves(self._handle)
