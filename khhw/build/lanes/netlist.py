"""A node as look-up tables, flip-flops and memories, read from a netlist of Yosys."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from khhw.errors import RequestError

__all__ = ["ONE", "ZERO", "FlipFlop", "Lut", "Memory", "Netlist", "Port", "ReadPort", "read_netlist"]

ZERO = 0
ONE = 1
"""Nets that never change. Yosys numbers others from 2 on."""


@dataclass(frozen=True)
class Lut:
    """A look-up table of up to three inputs.

    Parameters
    ----------
    table : int
        Bit ``sum(inputs[i] << i)`` of it is the output.
    inputs : tuple of int
        Nets.
    """

    table: int
    inputs: tuple[int, ...]

    def value(self, inputs: Mapping[int, int]) -> int:
        """Output for these values of nets."""
        return self.table >> sum(inputs[net] << index for index, net in enumerate(self.inputs)) & 1


@dataclass
class FlipFlop:
    """Net `q` takes net `d` at the clock edge; it starts as `initial`."""

    d: int
    q: int
    initial: int


@dataclass
class ReadPort:
    """A read port, nets from the least significant on. A synchronous one reads at a clock edge where `enable` is 1.

    It returns a row as it was before the edge, or, if `transparent`, as it is after it.
    """

    address: list[int]
    enable: int
    data: list[int]
    transparent: bool


@dataclass
class Memory:
    """A memory with one write port; its read ports are all `synchronous`, or none of them is."""

    name: str
    width: int
    depth: int
    synchronous: bool
    reads: list[ReadPort]
    write_address: list[int]
    write_enable: list[int]
    write_data: list[int]

    @property
    def controls(self) -> list[int]:
        """All nets that go in."""
        read = [net for port in self.reads for net in (*port.address, port.enable)]
        return [*read, *self.write_address, *self.write_enable, *self.write_data]

    @property
    def read_data(self) -> list[int]:
        """All nets that come out."""
        return [net for port in self.reads for net in port.data]

    @property
    def enables(self) -> int:
        """How many parts of a row are written apart; they have one size."""
        count = len(set(self.write_enable))
        size = self.width // count
        equal = all(net == self.write_enable[bit // size * size] for bit, net in enumerate(self.write_enable))
        return count if size * count == self.width and equal else self.width

    def rewire(self, new: Callable[[int], int]) -> None:
        """Replace every net that goes in by what `new` says."""
        for port in self.reads:
            port.address, port.enable = [*map(new, port.address)], new(port.enable)
        self.write_address = [*map(new, self.write_address)]
        self.write_enable, self.write_data = [*map(new, self.write_enable)], [*map(new, self.write_data)]


@dataclass
class Port:
    """A port of the node, least significant net first."""

    name: str
    is_input: bool
    nets: list[int]


@dataclass
class Netlist:
    """A flat netlist. Look-up tables are found by the net they drive."""

    ports: list[Port] = field(default_factory=list)
    luts: dict[int, Lut] = field(default_factory=dict)
    flip_flops: list[FlipFlop] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def outputs(self) -> Iterator[int]:
        """Nets of all output ports."""
        return (net for port in self.ports if not port.is_input for net in port.nets)

    def new_net(self) -> int:
        """A net that nothing drives yet."""
        taken = [max(self.luts, default=ONE), *(flip_flop.q for flip_flop in self.flip_flops)]
        taken += [net for port in self.ports for net in port.nets]
        taken += [net for memory in self.memories for net in (*memory.controls, *memory.read_data)]
        return max(taken) + 1


def read_netlist(path: Path, top: str) -> Netlist:
    """Read module `top` of a compressed JSON netlist of ``$lut``, ``$_DFF_P_`` and ``$mem_v2`` cells.

    Raises
    ------
    RequestError
        If it has something else, or a memory of a kind that lanes cannot hold.
    """
    with gzip.open(path, "rt") as file:
        module = json.load(file)["modules"][top]
    netlist = Netlist()
    initial = _read_nets(netlist, module["netnames"])
    for name, port in module["ports"].items():
        netlist.ports.append(Port(name, port["direction"] == "input", [_net(bit) for bit in port["bits"]]))
    for cell in module["cells"].values():
        pins = cell["connections"]
        match cell["type"]:
            case "$lut":
                table = int(cell["parameters"]["LUT"].replace("x", "0"), 2)
                netlist.luts[_net(pins["Y"][0])] = Lut(table, tuple(_net(bit) for bit in pins["A"]))
            case "$_DFF_P_":
                q = _net(pins["Q"][0])
                netlist.flip_flops.append(FlipFlop(_net(pins["D"][0]), q, initial.get(q, 0)))
            case "$mem_v2":
                netlist.memories.append(_memory(cell))
            case "$scopeinfo":
                continue
            case other:
                raise RequestError(f"cell type {other} in {top} cannot be put into lanes; use the verilated engine")
    return netlist


def _read_nets(netlist: Netlist, names: Mapping[str, Any]) -> dict[int, int]:
    """Fill in names; return nets that start as 1."""
    initial: dict[int, int] = {}
    for name, wire in names.items():
        for index, bit in enumerate(wire["bits"]):
            if not wire["hide_name"]:
                netlist.names.setdefault(_net(bit), f"{name}[{index}]")
        for bit, value in zip(wire["bits"], reversed(wire["attributes"].get("init", "")), strict=False):
            if value == "1":
                initial[_net(bit)] = 1
    return initial


def _net(bit: int | str) -> int:
    if isinstance(bit, str):
        return ONE if bit == "1" else ZERO
    return bit


def _memory(cell: Mapping[str, Any]) -> Memory:
    parameters, pins = cell["parameters"], cell["connections"]
    number = {key: int(parameters[key], 2) for key in ("RD_PORTS", "WR_PORTS", "WIDTH", "SIZE", "ABITS")}
    name = parameters["MEMID"].lstrip("\\")
    clocked = {*parameters["RD_CLK_ENABLE"]}
    faults = {
        "more than one write port": number["WR_PORTS"] != 1,
        "read ports with and without a clock": len(clocked) != 1,
        "initial content": "1" in parameters["INIT"],
        "read ports with a reset": pins["RD_ARST"] + pins["RD_SRST"] != ["0"] * 2 * number["RD_PORTS"],
        "parts written apart without a clock": clocked == {"0"} and len(set(pins["WR_EN"])) > 1,
    }
    if found := [fault for fault, present in faults.items() if present]:
        raise RequestError(f"memory {name} has {' and '.join(found)}, which cannot be put into lanes; use the "
                           "verilated engine")
    nets = {pin: [_net(bit) for bit in bits] for pin, bits in pins.items()}
    transparent = parameters["RD_TRANSPARENCY_MASK"][::-1]
    bits, width = number["ABITS"], number["WIDTH"]
    reads = [ReadPort(nets["RD_ADDR"][port * bits:(port + 1) * bits], nets["RD_EN"][port],
                      nets["RD_DATA"][port * width:(port + 1) * width], transparent[port] == "1")
             for port in range(number["RD_PORTS"])]
    return Memory(name, width, number["SIZE"], clocked == {"1"}, reads, nets["WR_ADDR"], nets["WR_EN"],
                  nets["WR_DATA"])
