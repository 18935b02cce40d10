"""Packing and unpacking of layouts: of packets and of registers, in software and in hardware."""

import random

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data
from amaranth.sim import Simulator

from rtl.codec import Codec, pack, unpack
from rtl.formats import FORMATS, Header
from rtl.register_bits import register_value, register_view
from rtl.registers import REGISTERS, joined

WITH_FIELDS = {name: register for name, register in REGISTERS.items() if register.fields}


def bits_of(widths: dict[str, int], fields: dict[str, int]) -> int:
    """Fields put together as text, the first one in front."""
    return int("".join(f"{fields[name]:0{width}b}" for name, width in widths.items()), 2)


def widths_of(layout: data.StructLayout) -> dict[str, int]:
    """Widths by field, most significant first."""
    return {name: field.width for name, field in reversed(list(layout))}


@pytest.mark.parametrize("layout", FORMATS.values(), ids=FORMATS)
def test_packing_of_formats(layout):
    rng = random.Random(1)
    for _ in range(20):
        fields = {name: rng.getrandbits(width) for name, width in widths_of(layout).items()}
        packed = pack(layout, **fields)
        assert packed == bits_of(widths_of(layout), fields)
        assert unpack(layout, packed) == fields
        assert list(unpack(layout, packed)) == list(fields)
        assert all(Codec.of(layout).take(packed, name) == value for name, value in fields.items())


@pytest.mark.parametrize("register", WITH_FIELDS.values(), ids=WITH_FIELDS)
def test_packing_of_registers(register):
    rng = random.Random(1)
    fields = {name: rng.getrandbits(width) for name, width in register.fields.items()}
    assert register.layout.size == 32
    assert register.pack(**fields) == bits_of(register.fields, fields)
    assert register.unpack(register.pack(**fields)) == fields


def test_a_register_without_fields_is_a_value():
    assert REGISTERS["RANK"].pack(value=77) == 77
    assert REGISTERS["RANK"].unpack(77) == {"value": 77}
    assert joined(0xFFFFFFFF, 2) == 0x2FFFFFFFF


def test_wrong_fields_are_named():
    with pytest.raises(ValueError, match=r"no field 'w'; fields are crc, epoch, hint"):
        pack(Header, w=1)
    with pytest.raises(ValueError, match=r"vc = 4 does not fit in 2 bits"):
        pack(Header, x=1, vc=4)
    with pytest.raises(ValueError, match=r"vc = -1 does not fit in 2 bits"):
        pack(Header, vc=-1)


def test_numbers_of_numpy_pack_as_others():
    assert pack(Header, crc=np.uint8(0x7F), epoch=np.bool_(True)) == pack(Header, crc=0x7F, epoch=1)


def test_a_field_of_an_array():
    words = np.array([pack(Header, crc=127, x=x, source=0xFFFF) for x in (0, 3, 255)], np.uint64)
    assert Codec.of(Header).take(words, "x").tolist() == [0, 3, 255]
    assert Codec.of(Header).take(words, "crc").tolist() == [127] * 3


def test_layouts_keep_their_own_codecs():
    """Also those that are equal, and those made where another was."""
    for width in range(1, 40):
        layout = data.StructLayout({"a": width, "b": 1})
        assert Codec.of(layout) is Codec.of(layout)
        assert Codec.of(layout).positions["b"].offset == width


def test_mask():
    assert Codec.of(Header).mask("crc", "source") == pack(Header, crc=127, source=0xFFFF)


@pytest.mark.parametrize("register", WITH_FIELDS.values(), ids=WITH_FIELDS)
def test_hardware_has_the_same_fields(register):
    rng = random.Random(1)
    fields = {name: rng.getrandbits(width) for name, width in register.fields.items()}
    packed = register.pack(**{name: value for name, value in fields.items() if name != "reserved"})
    kept = {name: Const(value, register.fields[name]) for name, value in fields.items() if name != "reserved"}
    m = Module()
    made, given = Signal(32), Signal(32, init=packed)
    seen = {name: Signal(32, name=name) for name in kept}
    m.d.comb += made.eq(register_value(register.name, **kept))
    m.d.comb += [signal.eq(register_view(register.name, given)[name]) for name, signal in seen.items()]

    async def look(ctx):
        assert ctx.get(made) == packed
        assert {name: ctx.get(signal) for name, signal in seen.items()} == {name: fields[name] for name in kept}

    simulator = Simulator(m)
    simulator.add_testbench(look)
    simulator.run()


def test_hardware_knows_no_other_fields():
    with pytest.raises(ValueError, match="HOLD has no field wait"):
        register_value("HOLD", wait=1)
