"""Packing and unpacking of layouts, quickly: software does it for every packet."""

from amaranth.lib import data

__all__ = ["Packer"]


class Packer:
    """What :func:`rtl.formats.pack` and :func:`rtl.formats.unpack` do for one layout.

    Parameters
    ----------
    layout : data.StructLayout
        One of :data:`rtl.formats.FORMATS`.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        fields = [(name, field.offset, field.width) for name, field in layout]
        self._fields = {name: (offset, width) for name, offset, width in reversed(fields)}

    def __call__(self, **values: int) -> int:
        """The integer with these fields; all others are 0.

        Raises
        ------
        ValueError
            For an unknown field or a value that does not fit, naming both.
        """
        packed = 0
        for name, value in values.items():
            if name not in self._fields:
                raise ValueError(f"no field {name!r}; fields are {', '.join(self._fields)}")
            offset, width = self._fields[name]
            if not 0 <= value < 1 << width:
                raise ValueError(f"{name} = {value} does not fit in {width} bits")
            packed |= int(value) << offset
        return packed

    def unpack(self, packed: int) -> dict[str, int]:
        """All fields by name, most significant first."""
        return {name: packed >> offset & (1 << width) - 1 for name, (offset, width) in self._fields.items()}
