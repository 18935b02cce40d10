"""What the engine's C++ must be told of a node in lanes: sizes, memories, and where its ports lie."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from khhw.build.lanes.assembly import SLOT_BIAS
from khhw.build.lanes.netlist import Memory, Netlist
from khhw.build.lanes.schedule import Schedule, VectorRef
from khhw.errors import RequestError

__all__ = ["OUTPUTS", "TIED", "VISIBLE", "write_tables"]

VISIBLE = frozenset({
    "irq", "held", "quiescent", "host__awready", "host__wready", "host__arready", "host__bvalid", "host__bresp",
    "host__rvalid", "host__rdata", "host__rresp"})
"""Outputs somebody may look at in every cycle."""

TIED = {"host__bready": 1, "host__rready": 1, "host__wstrb": 0xF}
"""Inputs that never change: the host takes answers at once and writes whole registers."""

_TORUS = tuple((f"tx__{port}", f"rx__{port}", "vc") for port in range(6))
_TREE = (("parent_tx", "parent_rx", "channel"),
         *((f"child_tx__{side}", f"child_rx__{side}", "channel") for side in range(2)))
"""Ports of a cable: what sends, what receives, and what says whose a flit is."""

_INPUTS = ("straps", "now", "rst", "host__awaddr", "host__awvalid", "host__wdata", "host__wvalid", "host__araddr",
           "host__arvalid")
_NEXT = "__next"
_RAM = "memory.ram"

OUTPUTS = VISIBLE | {
    f"{port}__{signal}{_NEXT}" for sender, receiver, tag in (*_TORUS, *_TREE)
    for port, signal in ((sender, "valid"), (sender, tag), (sender, "flit"), (receiver, "credit"))}
"""All outputs the engine looks at; of cables, what their registers take next."""


def write_tables(netlist: Netlist, schedule: Schedule, slots: int, path: Path) -> None:
    """Write a C++ header.

    A reference is twice the number of a vector, plus 1 if it is in the array of what is fixed in place. A cable's bits
    are ``valid``, credits, the virtual channel or tree channel, the flit.

    Raises
    ------
    RequestError
        If the node's memory is not among the memories: the back door needs it.
    """
    ports = {port.name: port.nets for port in netlist.ports}
    initial = [index for index, flip_flop in enumerate(netlist.flip_flops) if flip_flop.initial]
    rams = [index for index, memory in enumerate(netlist.memories) if memory.name == _RAM]
    if not rams:
        raise RequestError(f"the node has no memory {_RAM}, which cannot be put into lanes; use the verilated engine")
    text = [
        "#pragma once", "#include <cstdint>", "namespace khhw {",
        f"constexpr unsigned kFlipFlops = {len(netlist.flip_flops)}, kDeferred = {schedule.deferred};",
        f"constexpr unsigned kFixed = {schedule.fixed}, kSlots = {slots}, kSlotBias = {SLOT_BIAS};",
        f"constexpr uint32_t kInitial[] = {_list([0, *initial])};  // from the second on",
        *_cables("Torus", _TORUS, ports, schedule), *_cables("Tree", _TREE, ports, schedule),
    ]
    for name in (*_INPUTS, *sorted(VISIBLE)):
        refs = schedule.shown if name in VISIBLE else schedule.refs
        text.append(f"constexpr uint32_t k{_camel(name)}[] = {_references(ports[name], refs)};")
    for index, memory in enumerate(netlist.memories):
        text += _memory(index, memory, schedule)
    names = ", ".join(f"Memory{index}" for index in range(len(netlist.memories)))
    text += ["template <class...> struct List {};", f"using Memories = List<{names}>;",
             f"using Ram = Memory{rams[0]};", f"constexpr unsigned kRam = {rams[0]};", "}", ""]
    path.write_text("\n".join(text))


def _cables(
    kind: str, cables: Sequence[tuple[str, str, str]], ports: dict[str, list[int]], schedule: Schedule,
) -> list[str]:
    sent, taken = [], []
    for sender, receiver, tag in cables:
        out = (f"{sender}__valid", f"{receiver}__credit", f"{sender}__{tag}", f"{sender}__flit")
        into = (f"{receiver}__valid", f"{sender}__credit", f"{receiver}__{tag}", f"{receiver}__flit")
        sent.append(_references((net for name in out for net in ports[name + _NEXT]), schedule.refs))
        taken.append(_references((net for name in into for net in ports[name]), schedule.refs))
    sender, receiver, tag = cables[0]
    credits, tags, flit = (len(ports[name + _NEXT]) for name in (
        f"{receiver}__credit", f"{sender}__{tag}", f"{sender}__flit"))
    size = f"[{len(cables)}][{1 + credits + tags + flit}]"
    return [
        f"constexpr unsigned k{kind}Credits = {credits}, k{kind}Tag = {tags}, k{kind}Flit = {flit};",
        f"constexpr uint32_t k{kind}Sent{size} = {{{', '.join(sent)}}};",
        f"constexpr uint32_t k{kind}Taken{size} = {{{', '.join(taken)}}};",
    ]


def _memory(index: int, memory: Memory, schedule: Schedule) -> list[str]:
    def references(nets: Iterable[int]) -> str:
        return _references(nets, schedule.refs)

    bits, ports = len(memory.write_address), memory.reads
    addresses, data = (_list(references(nets) for nets in each) for each in (
        (port.address for port in ports), (port.data for port in ports)))
    return [
        f"struct Memory{index} {{  // {memory.name}",
        f"static constexpr unsigned kWidth = {memory.width}, kAddressBits = {bits}, kReadPorts = {len(ports)};",
        f"static constexpr unsigned kEnables = {memory.enables};",
        f"static constexpr bool kSynchronous = {str(memory.synchronous).lower()};",
        f"static constexpr bool kTransparent[] = {_list(str(port.transparent).lower() for port in ports)};",
        f"static constexpr uint32_t kReadEnable[] = {references(port.enable for port in ports)};",
        f"static constexpr uint32_t kReadAddress[][{bits}] = {addresses};",
        f"static constexpr uint32_t kReadData[][{memory.width}] = {data};",
        f"static constexpr uint32_t kWriteAddress[] = {references(memory.write_address)};",
        f"static constexpr uint32_t kWriteEnable[] = {references(memory.write_enable)};",
        f"static constexpr uint32_t kWriteData[] = {references(memory.write_data)};",
        "};",
    ]


def _references(nets: Iterable[int], refs: dict[int, VectorRef]) -> str:
    return _list(refs[net].number << 1 | (refs[net].array == "f") for net in nets)


def _list(values: Iterable[object]) -> str:
    return f"{{{', '.join(map(str, values))}}}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("__"))
