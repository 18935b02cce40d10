"""Layouts of integers, packed and unpacked: the one way for headers, descriptors and registers, in all Python.

Software does it for every packet and a trace for hundreds of thousands of words, so the places of a layout's fields
are looked up once.
"""

from typing import NamedTuple, TypeVar

from amaranth.lib import data

__all__ = ["Codec", "FieldPosition", "pack", "unpack"]

Packed = TypeVar("Packed")
"""One value of a layout, or a NumPy array of them for layouts that fit in one of its words."""


class FieldPosition(NamedTuple):
    """Where a field is in its layout.

    Parameters
    ----------
    offset : int
        Its lowest bit.
    mask : int
        Its largest value: as many ones as it has bits.
    """

    offset: int
    mask: int


class Codec:
    """Packs fields of one layout, and takes them out again. :meth:`of` keeps one for each layout.

    Parameters
    ----------
    layout : data.StructLayout
        Nested structs stay integers.

    Attributes
    ----------
    layout : data.StructLayout
    positions : dict of str to FieldPosition
        Where the fields are, most significant first.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        fields = [(str(name), FieldPosition(field.offset, (1 << field.width) - 1)) for name, field in layout]
        self.layout = layout
        self.positions: dict[str, FieldPosition] = dict(reversed(fields))
        self._rows = [(name, *position) for name, position in self.positions.items()]

    @staticmethod
    def of(layout: data.StructLayout) -> "Codec":
        """The codec of a layout, made when it is asked for first."""
        found = _known.get(id(layout))
        if found is None:
            found = _known[id(layout)] = Codec(layout)
        return found

    def pack(self, **values: int) -> int:
        """The integer with the given fields; all others are 0.

        Raises
        ------
        ValueError
            For an unknown field or a value that does not fit, naming both.
        """
        packed, positions = 0, self.positions
        try:
            for name, value in values.items():
                offset, mask = positions[name]
                if not 0 <= value <= mask:
                    raise ValueError(f"{name} = {value} does not fit in {mask.bit_length()} bits")
                packed |= int(value) << offset
        except KeyError:
            raise ValueError(f"no field {name!r}; fields are {', '.join(positions)}") from None
        return packed

    def unpack(self, packed: int) -> dict[str, int]:
        """All fields by name, most significant first."""
        return {name: packed >> offset & mask for name, offset, mask in self._rows}

    def take(self, packed: Packed, name: str) -> Packed:
        """One field; of an array, of all its values."""
        offset, mask = self.positions[name]
        return packed >> offset & mask

    def mask(self, *names: str) -> int:
        """The bits of some fields, in place."""
        return sum(mask << offset for offset, mask in (self.positions[name] for name in names))


_known: dict[int, Codec] = {}
"""By identity of the layout, which is quicker than equality. A codec keeps its layout, so that no other takes its
identity."""


def pack(layout: data.StructLayout, **values: int) -> int:
    """:meth:`Codec.pack` of a layout."""
    return Codec.of(layout).pack(**values)


def unpack(layout: data.StructLayout, packed: int) -> dict[str, int]:
    """:meth:`Codec.unpack` of a layout."""
    return (_known.get(id(layout)) or Codec.of(layout)).unpack(packed)
