"""Fields of the layouts of :mod:`rtl.formats`, looked up once: a trace takes hundreds of thousands of words apart."""

from amaranth.lib import data

__all__ = ["unpack"]

_known: dict[int, tuple[data.StructLayout, list[tuple[str, int, int]]]] = {}
"""By identity, with the layout itself, so that no other takes its place: name, offset and mask of every field."""


def unpack(layout: data.StructLayout, packed: int) -> dict[str, int]:
    """As :func:`rtl.formats.unpack`: the fields of an integer by name, most significant first."""
    found = _known.get(id(layout))
    if found is None:
        fields = [(name, field.offset, (1 << field.width) - 1) for name, field in layout]
        found = _known[id(layout)] = layout, fields[::-1]
    return {name: packed >> offset & mask for name, offset, mask in found[1]}
