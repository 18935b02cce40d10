"""From an address to a register, generated from the register map."""

from collections.abc import Iterable

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.parameters import Parameters
from rtl.registers import GUARD_PAGE, REGISTERS, Access, Register

__all__ = ["NI_REGISTERS", "RegisterDecoder", "is_misaligned", "register_port"]

NI_REGISTERS: tuple[Register, ...] = tuple(r for r in REGISTERS.values() if r.address < GUARD_PAGE)
"""What the network interface implements: all registers below the guard's page."""

READABLE = (Access.RW, Access.RO, Access.W1C)
WRITABLE = (Access.RW, Access.WO, Access.W1C)


def is_misaligned(address: Value, unit: int) -> Value:
    """Whether a byte address is no multiple of `unit`, a power of two."""
    return address[:unit.bit_length() - 1].any()


def register_port(names: Iterable[str]) -> wiring.Signature:
    """One access at a time to some registers, seen from who makes it.

    Members
    -------
    select : Out(struct of one bit a register)
        Which one; lasts until `done`. Only what the register map allows is ever selected.
    write : Out(1)
    index : Out(8)
        Element of an array of registers.
    data : Out(32)
    done : In(1)
        One cycle, the same one at the earliest.
    error : In(1)
        With `done`: refused, nothing was changed.
    value : In(32)
        With `done` of a read; 0 when nothing is selected.
    """
    return wiring.Signature({
        "select": Out(data.StructLayout(dict.fromkeys(names, 1))),
        "write": Out(1),
        "index": Out(8),
        "data": Out(32),
        "done": In(1),
        "error": In(1),
        "value": In(32),
    })


def _pattern(register: Register, elements: int) -> str:
    """Address bits of all elements: don't-care where the index is."""
    index_bits = (elements - 1).bit_length()
    low = (register.stride - 1).bit_length()
    if register.address >> low & (1 << index_bits) - 1:
        raise ValueError(f"{register.name} at {register.address:#x} is not aligned to its {elements} elements")
    bits = f"{register.address:016b}"
    return bits[:16 - low - index_bits] + "-" * index_bits + bits[16 - low:]


class RegisterDecoder(wiring.Component):
    """Says which register of the network interface an address means. No latency.

    Parameters
    ----------
    parameters : Parameters
        Of the node; sets the length of arrays.

    Members
    -------
    address : In(16)
        In bytes, below the guard's page.
    write : In(1)
    select : Out(struct of one bit a register)
        Nothing if there is no such register, or the host may not do this with it.
    index : Out(8)
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__({
            "address": In(16),
            "write": In(1),
            "select": Out(data.StructLayout({register.name: 1 for register in NI_REGISTERS})),
            "index": Out(8),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        with m.Switch(self.address):
            for register in NI_REGISTERS:
                elements = register.elements(self._parameters)
                low = (register.stride - 1).bit_length()
                index = self.address[low:low + (elements - 1).bit_length()]
                allowed = Signal(name=f"allowed_{register.name}")
                reads, writes = register.host in READABLE, register.host in WRITABLE
                m.d.comb += allowed.eq((self.write & writes) | (~self.write & reads))
                with m.Case(_pattern(register, elements)):
                    m.d.comb += [
                        self.index.eq(index),
                        self.select[register.name].eq(allowed & (index < elements)),
                    ]
        return m
