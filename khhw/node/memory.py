"""The memory of one node as its own processor sees it."""

from collections.abc import Callable

__all__ = ["Memory"]


class Memory:
    """Node memory through the back door, as a processor's loads and stores reach its own DRAM.

    ``memory[address:end]`` reads bytes, ``memory[address] = data`` writes them.

    Parameters
    ----------
    length : int
        Bytes.
    peek : callable (address, length) -> bytes
    poke : callable (address, bytes)
    """

    def __init__(self, length: int, peek: Callable[[int, int], bytes], poke: Callable[[int, bytes], None]) -> None:
        self._length = length
        self._peek = peek
        self._poke = poke

    def __len__(self) -> int:
        return self._length

    def _check(self, address: int, length: int) -> None:
        if address < 0 or length < 0 or address + length > self._length:
            raise IndexError(f"{length} bytes at {address:#x} leave the memory of {self._length} bytes")

    def __getitem__(self, span: slice) -> bytes:
        if span.step is not None or span.start is None or span.stop is None:
            raise IndexError("Memory is read as memory[start:stop]")
        return self.read(span.start, span.stop - span.start)

    def __setitem__(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        if data:
            self._poke(address, bytes(data))

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes at `address`.

        Raises
        ------
        IndexError
            If they are not all in the memory.
        """
        self._check(address, length)
        return self._peek(address, length) if length else b""

    def clear(self, address: int, length: int) -> None:
        """Store zeros."""
        self[address] = bytes(length)

    def ring(self, base: int, size: int, offset: int, length: int) -> bytes:
        """`length` bytes at `offset` of a ring, around its end."""
        first = min(length, size - offset)
        return self.read(base + offset, first) + self.read(base, length - first)
