"""Fields of registers in hardware, by the same definition as software's: :attr:`rtl.registers.Register.layout`."""

from amaranth.hdl import Cat, Const, Value, ValueLike
from amaranth.lib import data

from rtl.registers import REGISTERS

__all__ = ["register_value", "register_view"]


def register_value(name: str, **fields: ValueLike) -> Value:
    """The value of a register of :data:`~rtl.registers.REGISTERS` with these fields, cut to their widths; all others
    are 0.

    Raises
    ------
    ValueError
        For a field that the register does not have.
    """
    layout = REGISTERS[name].kept
    if unknown := fields.keys() - dict(layout).keys():
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    return Cat(_cut(Value.cast(fields.get(field, 0)), part.width) for field, part in layout)


def _cut(value: Value, width: int) -> Value:
    return value[:width] if len(value) >= width else Cat(value, Const(0, width - len(value)))


def register_view(name: str, value: ValueLike) -> data.View:
    """The fields of 32 bits that are the value of a register, as attributes."""
    return data.View(REGISTERS[name].layout, value)
