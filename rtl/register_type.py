"""What a register is: its place in the map, who may do what with it, and the fields of its value."""

import enum
from dataclasses import dataclass, field
from functools import cached_property

from amaranth.lib import data

from rtl.codec import Codec
from rtl.formats import layout_of
from rtl.parameters import Parameters

__all__ = ["Access", "Register", "joined"]


class Access(enum.StrEnum):
    """What an initiator may do with a register."""

    RW = "rw"
    RO = "ro"
    WO = "wo"
    W1C = "w1c"
    """Reads; a write clears the bits that are written as 1."""
    NONE = "-"


@dataclass(frozen=True, kw_only=True)
class Register:
    """A 32-bit register, or an array of them.

    Parameters
    ----------
    name : str
        Upper-case name.
    address : int
        Byte address of element 0.
    doc : str
        What it holds and what an access does.
    host, owner : Access
        What each initiator may do.
    count : int or str
        Elements; a string names the :class:`~rtl.parameters.Parameters` attribute, or ``hit_words``.
    stride : int
        Bytes between elements.
    fields : dict of str to int
        Names and widths, most significant first; empty for one 32-bit value.
    """

    name: str
    address: int
    doc: str
    host: Access = Access.NONE
    owner: Access = Access.NONE
    count: int | str = 1
    stride: int = 4
    fields: dict[str, int] = field(default_factory=dict)

    def elements(self, parameters: Parameters) -> int:
        """Number of elements in a node built with `parameters`, if it has the register at all."""
        if self.count == "hit_words":
            return (parameters.counters + 31) // 32
        return self.count if isinstance(self.count, int) else int(getattr(parameters, self.count))

    def at(self, index: int = 0) -> int:
        """Byte address of element `index`."""
        return self.address + index * self.stride

    @cached_property
    def layout(self) -> data.StructLayout:
        """The fields as a layout of 32 bits; of a register that is one value, with the one field `value`."""
        return layout_of(self._fields)

    @cached_property
    def kept(self) -> data.StructLayout:
        """Those fields as hardware keeps them: without the reserved ones at the top."""
        return layout_of({name: width for position, (name, width) in enumerate(self._fields.items())
                          if position or name != "reserved"})

    @property
    def _fields(self) -> dict[str, int]:
        return self.fields or {"value": 32}

    @property
    def codec(self) -> Codec:
        """The codec of :attr:`layout`."""
        return Codec.of(self.layout)

    def pack(self, **values: int) -> int:
        """The register's value with these fields; all others are 0. Raises as :meth:`~rtl.codec.Codec.pack`."""
        return self.codec.pack(**values)

    def unpack(self, value: int) -> dict[str, int]:
        """The fields of a value that was read, by name."""
        return self.codec.unpack(value)


def joined(low: int, high: int) -> int:
    """The number of 64 bits that is in two registers."""
    return low + (high << 32)
