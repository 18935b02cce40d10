"""Large memories in Verilog, without a line of text for each of their words.

Amaranth gives every memory an initial value. Written out that is 33 million bits for a node with 4 MiB, minutes
of conversion, for zeros: so those of large memories are left out. What such a memory holds before it is
written depends on where it runs: zeros in a fast simulator build, anything in a debug build or on an FPGA.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back import rtlil

__all__ = ["LARGE_BITS", "large_memories_uninitialised"]

LARGE_BITS = 1 << 20
"""Bits above which zeros are not written out."""


@contextmanager
def large_memories_uninitialised() -> Iterator[None]:
    """While entered, what Amaranth converts has no initial zeros in memories of over :data:`LARGE_BITS`."""
    emitter: Any = rtlil.ModuleEmitter
    written = emitter.emit_memory

    def emit_memory(self: Any, index: int, cell: Any) -> None:
        if cell.depth * cell.width <= LARGE_BITS or any(cell.init):
            written(self, index, cell)

    emitter.emit_memory = emit_memory
    try:
        yield
    finally:
        emitter.emit_memory = written
