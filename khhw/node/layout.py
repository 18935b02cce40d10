"""Where things are in the memory of a node, in one place."""

from dataclasses import dataclass

from rtl.formats import WORD_BYTES

__all__ = ["Area", "Layout", "LayoutError"]

_MINIMUM = 32 << 10
_FULL = 64 << 10
_LARGE = 1 << 20


class LayoutError(ValueError):
    """The memory of a node is too small for its software."""


@dataclass(frozen=True)
class Area:
    """A part of node memory.

    Parameters
    ----------
    base : int
        Byte address, a multiple of 32.
    length : int
        Bytes, a multiple of 32.
    """

    base: int
    length: int

    @property
    def end(self) -> int:
        """Byte address behind the area."""
        return self.base + self.length


@dataclass(frozen=True)
class Layout:
    """Memory map of a node. The driver's areas come first, then the image, then the heap.

    Areas grow with the memory up to 64 KiB, and once more at 1 MiB; what a larger memory has more is heap.

    Parameters
    ----------
    memory_bytes : int
        Size of the node memory, at least 32 KiB.

    Raises
    ------
    LayoutError
        If the memory is smaller.
    """

    memory_bytes: int

    def __post_init__(self) -> None:
        if self.memory_bytes < _MINIMUM:
            raise LayoutError(f"The loader needs at least {_MINIMUM} bytes of node memory, not {self.memory_bytes}")

    @property
    def _is_large(self) -> bool:
        return self.memory_bytes >= _LARGE

    def _share(self, full: int, large: int) -> int:
        """Length of an area: `full` bytes in a memory of 64 KiB or more, `large` in one of 1 MiB or more."""
        return large if self._is_large else full * min(self.memory_bytes, _FULL) // _FULL

    @property
    def injection(self) -> Area:
        """Ring of the driver's own descriptors."""
        return Area(0, (128 if self._is_large else 32) * WORD_BYTES)

    @property
    def answers(self) -> Area:
        """Injection ring into which remote gets put their descriptors."""
        return Area(self.injection.end, (512 if self._is_large else 32) * WORD_BYTES)

    @property
    def console(self) -> Area:
        """Console ring."""
        return Area(self.answers.end, self._share(6 << 10, 6 << 10))

    @property
    def console_out(self) -> Area:
        """Text on its way to the console."""
        return Area(self.console.end, 256)

    @property
    def reception(self) -> Area:
        """Reception ring 0."""
        return Area(self.console_out.end, self._share(4 << 10, 64 << 10))

    @property
    def staging(self) -> Area:
        """Data on its way into the torus."""
        return Area(self.reception.end, self._share(4 << 10, 16 << 10))

    @property
    def image(self) -> Area:
        """Where images are loaded by convention."""
        return Area(self.staging.end, self._share(24 << 10, 64 << 10))

    @property
    def heap(self) -> Area:
        """A kernel's own; its result table starts at the base."""
        return Area(self.image.end, self.memory_bytes - self.image.end)
