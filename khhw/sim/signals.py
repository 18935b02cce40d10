"""Signals of a simulated machine, read and written without the cost of cocotb's value types."""

from collections.abc import Callable
from typing import Any

from cocotb.handle import HierarchyObject

__all__ = ["Backdoor", "Vector", "reader"]

_DEPOSIT = 0
_NO_DELAY = 3
_WORD_BYTES = 32


class Vector:
    """A two-state signal, as one unsigned integer.

    Parameters
    ----------
    dut : HierarchyObject
        The top level.
    name : str
        Of the signal.
    """

    def __init__(self, dut: HierarchyObject, name: str) -> None:
        handle: Any = dut[name]
        self.change: Any = handle.value_change
        self._gpi = handle._handle
        self._format = f"0{len(handle)}b"
        self._driven: int | None = None

    def get(self) -> int:
        """Its value now."""
        return int(self._gpi.get_signal_val_binstr(), 2)

    def set(self, value: int) -> None:
        """Drive it: from after the clock edge in progress, if there is one."""
        if value != self._driven:
            self._gpi.set_signal_val_binstr(_DEPOSIT, format(value, self._format))
            self._driven = value


def _descend(dut: HierarchyObject, path: str) -> Any:
    handle: Any = dut
    for part in path.split("."):
        name, _, index = part.partition("[")
        handle = handle[name]
        if index:
            handle = handle[int(index.rstrip("]"))]
    return handle


def reader(dut: HierarchyObject) -> Callable[[str], int]:
    """A function that reads any visible signal by its path below the top, as an unsigned integer.

    Parameters
    ----------
    dut : HierarchyObject
        The top level.
    """
    return lambda path: int(_descend(dut, path)._handle.get_signal_val_binstr(), 2)


class Backdoor:
    """Node memories, word by word through handles that are looked up once.

    Parameters
    ----------
    dut : HierarchyObject
        The top level.
    nodes : int
        How many.
    path : str
        The array of 256-bit words below the top, with ``{rank}``.
    """

    def __init__(self, dut: HierarchyObject, nodes: int, path: str = "node_{rank}.memory.ram") -> None:
        self._dut = dut
        self._paths = [path.format(rank=rank) for rank in range(nodes)]
        self._arrays: dict[int, Any] = {}
        self._words: dict[tuple[int, int], Any] = {}

    def _word(self, rank: int, index: int) -> Any:
        word = self._words.get((rank, index))
        if word is None:
            if rank not in self._arrays:
                self._arrays[rank] = _descend(self._dut, self._paths[rank])._handle
            word = self._arrays[rank].get_handle_by_index(index)
            if word is None:
                raise IndexError(f"{self._paths[rank]}[{index}] cannot be reached")
            self._words[rank, index] = word
        return word

    def peek(self, rank: int, address: int, length: int) -> bytes:
        """Bytes of a node's memory, as they are now."""
        first, last = address // _WORD_BYTES, -(-(address + length) // _WORD_BYTES)
        bits = "".join([self._word(rank, index).get_signal_val_binstr() for index in range(first, last)])
        data = int(bits or "0", 2).to_bytes((last - first) * _WORD_BYTES, "big")
        start = address - first * _WORD_BYTES
        return data[start : start + length]

    def poke(self, rank: int, address: int, data: bytes) -> None:
        """Change a node's memory now. The rest of a word that is changed in part stays as it is."""
        if not data:
            return
        first, last = address // _WORD_BYTES, -(-(address + len(data)) // _WORD_BYTES)
        start, end = address - first * _WORD_BYTES, last * _WORD_BYTES - address - len(data)
        head = self.peek(rank, address - start, start) if start else b""
        tail = self.peek(rank, address + len(data), end) if end else b""
        whole = head + data + tail
        for index in range(first, last):
            offset = (index - first) * _WORD_BYTES
            value = int.from_bytes(whole[offset : offset + _WORD_BYTES], "big")
            self._word(rank, index).set_signal_val_binstr(_NO_DELAY, format(value, "0256b"))
