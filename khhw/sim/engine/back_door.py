"""Memories of nodes, and registers by name, behind the nodes' backs."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from khhw.build.engine import EngineBuild
from khhw.sim.engine.library import Ranks, pointer

__all__ = ["BackDoor"]

_LARGEST_VALUE = 128
"""Bytes of the widest register."""


class BackDoor:
    """The part of :class:`~khhw.sim.engine.engine.Engine` that no hardware takes part in.

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

    def peek(self, rank: int, address: int, length: int) -> bytes:
        """Bytes of a node's memory, as they are now."""
        return bytes(self.peek_all([rank], [address], length)[0])

    def poke(self, rank: int, address: int, data: bytes) -> None:
        """Change a node's memory now."""
        self.poke_all([rank], [address], np.frombuffer(data, np.uint8).reshape(1, -1))

    def peek_all(self, ranks: Ranks, addresses: Ranks, length: int) -> npt.NDArray[np.uint8]:
        """`length` bytes of many nodes' memories.

        Returns
        -------
        numpy array of uint8, shape (ranks, length)
        """
        which, where = self._checked(ranks, addresses, length)
        data = np.empty((len(which), length), np.uint8)
        self._library.khhw_peek(self._handle, len(which), pointer(which), pointer(where), length, pointer(data))
        return data

    def poke_all(self, ranks: Ranks, addresses: Ranks, data: npt.NDArray[np.uint8]) -> None:
        """Change many nodes' memories; `data` has shape (ranks, bytes)."""
        given = np.ascontiguousarray(data)
        if given.ndim != 2 or given.dtype != np.uint8:
            raise ValueError("data has shape (ranks, bytes) and type uint8")
        which, where = self._checked(ranks, addresses, given.shape[1])
        if len(given) != len(which):
            raise ValueError(f"{len(which)} ranks, but data for {len(given)}")
        self._library.khhw_poke(
            self._handle, len(which), pointer(which), pointer(where), given.shape[1], pointer(given))

    def _checked(
        self, ranks: Ranks, addresses: Ranks, length: int,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
        which = np.ascontiguousarray(np.atleast_1d(ranks), np.int32)
        self._check_ranks(which)
        where = np.broadcast_to(np.atleast_1d(addresses), which.shape)
        if len(where) and not 0 <= where.min() <= where.max() <= self.build.memory_bytes - length:
            raise IndexError(
                f"{length} bytes at {where.max():#x} are not in a memory of {self.build.memory_bytes} bytes")
        return which, np.ascontiguousarray(where, np.uint64)

    def _check_ranks(self, ranks: npt.NDArray[np.int32]) -> None:
        if len(ranks) and not 0 <= ranks.min() <= ranks.max() < self.nodes:
            raise ValueError(f"ranks are from 0 to {self.nodes - 1}")

    def read_name(self, rank: int, name: str, row: int = 0) -> int:
        """A register of a node by its path in the RTL, e.g. ``router.output_xp.allocator.busy``.

        Raises
        ------
        LookupError
            If there is no such register to be seen; see :meth:`rtl.node.Node.observables`.
        """
        self._check_ranks(np.array([rank], np.int32))
        value = np.zeros(_LARGEST_VALUE, np.uint8)
        bits = self._library.khhw_read_name(
            self._handle, rank, name.encode(), row, pointer(value), _LARGEST_VALUE)
        if bits < 0:
            raise LookupError(f"no register {name}[{row}] to be seen in node {rank}")
        return int.from_bytes(value[:-(-bits // 8)].tobytes(), "big")
