"""FPGA families that Yosys synthesises for, and what their cells count as."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs.

    Cells that are in none of these are not mapped: the family does not have them.

    Parameters
    ----------
    title : str
        Its name, for people.
    command : str
        Command of Yosys, without the top module.
    luts : mapping of str to int
        Cells of logic, with the look-up tables that each takes.
    lut_inputs : int
        Inputs of a look-up table.
    flip_flops : tuple of str
        Cells of one bit; a star at the end stands for any letters and digits.
    block_ram : mapping of str to int
        Memories, with their size in blocks of 18 kbit.
    lut_ram : tuple of str
        Memories made of look-up tables that are not counted in `luts`.
    dsp : tuple of str
        Multipliers.
    free : tuple of str
        What is there beside each look-up table: multiplexers, carry chains, constants.
    """

    title: str
    command: str
    luts: Mapping[str, int]
    lut_inputs: int
    flip_flops: tuple[str, ...]
    block_ram: Mapping[str, int]
    lut_ram: tuple[str, ...]
    dsp: tuple[str, ...]
    free: tuple[str, ...] = field(default=())


FAMILIES = {
    "ecp5": Family(
        title="Lattice ECP5", command="synth_ecp5",
        # A carry cell takes the two look-up tables of a slice.
        luts={"LUT4": 1, "CCU2C": 2}, lut_inputs=4, flip_flops=("TRELLIS_FF",), block_ram={"DP16KD": 1, "PDPW16KD": 1},
        lut_ram=("TRELLIS_DPR16X4",), dsp=("MULT18X18D", "ALU54B"), free=("PFUMX", "L6MUX21")),
    "xilinx7": Family(
        title="Xilinx 7", command="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
        luts={**{f"LUT{inputs}": 1 for inputs in range(1, 7)}, "INV": 1, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1},
        lut_inputs=6, flip_flops=("FDRE*", "FDSE*", "FDCE*", "FDPE*"), block_ram={"RAMB18E1": 1, "RAMB36E1": 2},
        lut_ram=("RAM32*", "RAM64*", "RAM128*", "RAM256*"), dsp=("DSP48E1",), free=("CARRY4", "MUXF7", "MUXF8")),
    "gowin": Family(
        title="Gowin", command="synth_gowin -noiopads",
        luts={**{f"LUT{inputs}": 1 for inputs in range(1, 5)}, "ALU": 1, "INV": 1}, lut_inputs=4, flip_flops=("DFF*",),
        block_ram=dict.fromkeys(("SDPB", "SDPX9B", "DPB", "DPX9B", "SP", "SPX9"), 1), lut_ram=("RAM16*",),
        dsp=("MULT9X9", "MULT18X18", "MULT36X36", "MULTALU18X18", "MULTALU36X18", "MULTADDALU18X18"),
        free=("MUX2_LUT5", "MUX2_LUT6", "MUX2_LUT7", "MUX2_LUT8", "GND", "VCC", "GSR")),
}
"""By the name they are asked for."""
