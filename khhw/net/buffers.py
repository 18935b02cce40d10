"""Buffers in node memory: what the four calls read and write."""

from dataclasses import dataclass

__all__ = ["ALIGN", "Buffer"]

ALIGN = 8
"""Messages begin at a multiple of this in memory."""


@dataclass(frozen=True)
class Buffer:
    """Bytes in the memory of the caller's own node.

    Parameters
    ----------
    address : int
        Byte address.
    length : int
        Bytes.

    Raises
    ------
    ValueError
        If one is negative.
    """

    address: int
    length: int

    def __post_init__(self) -> None:
        if self.address < 0 or self.length < 0:
            raise ValueError(f"A buffer cannot be {self.length} bytes at {self.address:#x}")

    def slice(self, offset: int, length: int) -> "Buffer":
        """`length` bytes from `offset` on.

        Raises
        ------
        ValueError
            If they leave the buffer.
        """
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"{length} bytes at offset {offset} leave a buffer of {self.length} bytes")
        return Buffer(self.address + offset, length)
