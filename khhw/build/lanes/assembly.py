"""AVX-512 assembly of a schedule: one ternary-logic instruction a look-up."""

from collections.abc import Mapping
from pathlib import Path

from khhw.build.lanes.netlist import Lut, Netlist
from khhw.build.lanes.registers import NEVER, SLOT_BIAS, Registers, Step, operand
from khhw.build.lanes.schedule import Function, Schedule, VectorRef

__all__ = ["SLOT_BIAS", "write_assembly"]

_NEAR = 100
"""Steps within which a value that is used again is worth a register."""
_NATIVE = {0b1000: "vpandq", 0b1110: "vporq", 0b0110: "vpxorq"}


def write_assembly(netlist: Netlist, schedule: Schedule, path: Path) -> int:
    """Write functions ``khhw_show``, ``khhw_early`` and ``khhw_late`` of (c, n, f, s), pointers to the arrays' vectors.

    Returns
    -------
    int
        Vectors there must be in array ``s``, whose pointer points behind the first :data:`SLOT_BIAS` of them.
    """
    text, slots = [".text"], 0
    for name, function in (("show", schedule.show), ("early", schedule.early), ("late", schedule.late)):
        writer = _Writer(function, _order(function, netlist, schedule), schedule.refs)
        writer.run()
        slots = max(slots, writer.registers.slots)
        text += [f".globl khhw_{name}", f".hidden khhw_{name}", f".type khhw_{name}, @function", f"khhw_{name}:",
                 *writer.registers.text, "vzeroupper", "ret"]
    path.write_text("\n".join([*text, '.section .note.GNU-stack,"",@progbits', ""]))
    return max(slots, SLOT_BIAS)


def _order(function: Function, netlist: Netlist, schedule: Schedule) -> list[Step]:
    """Look-ups and stores: a flip-flop is overwritten once nobody reads its old value any more."""
    here = {net for net, _ in function.operations}
    look_ups: list[Step] = []
    takes: list[tuple[int, int]] = []
    copy = -1
    for net, number in function.takes:
        if net in here:
            takes.append((net, number))
        else:
            look_ups.append(Step(copy, Lut(0b10, (net,))))
            takes.append((copy, number))
            copy -= 1
    for net, lut in function.operations:
        look_ups.append(Step(net, lut, [function.stores[net]] if net in function.stores else []))
    position = {step.net: index for index, step in enumerate(look_ups)}
    last = {source: index for index, step in enumerate(look_ups) if step.lut for source in step.lut.inputs}
    after: dict[int, list[Step]] = {}
    first_deferred = len(netlist.flip_flops) - schedule.deferred
    for net, number in takes:
        if number >= first_deferred:
            after.setdefault(position[net], []).append(Step(net, None, [VectorRef("n", number)]))
        else:
            when = max(position[net], last.get(netlist.flip_flops[number].q, 0))
            after.setdefault(when, []).append(Step(net, None, [VectorRef("c", number)]))
    return [step for index, look_up in enumerate(look_ups) for step in (look_up, *after.get(index, []))]


class _Writer:
    def __init__(self, function: Function, steps: list[Step], refs: Mapping[int, VectorRef]) -> None:
        defined = {net for net, _ in function.operations}
        self.steps = steps
        self.registers = Registers(
            steps, {net: operand(ref) for net, ref in refs.items() if net not in defined})

    def run(self) -> None:
        for now, step in enumerate(self.steps):
            self.registers.now = now
            if step.lut is None:
                self.store(step)
            else:
                self.look_up(step, step.lut)

    def store(self, step: Step) -> None:
        registers = self.registers
        register = registers.register.get(step.net)
        if register is None:
            register = registers.load(step.net, set())
        self.put(register, step)
        registers.used(step.net)

    def put(self, register: int, step: Step) -> None:
        for ref in step.refs:
            self.registers.text.append(f"vmovdqa64 %zmm{register}, {operand(ref)}")
            self.registers.home.setdefault(step.net, operand(ref))

    def look_up(self, step: Step, lut: Lut) -> None:
        registers, inputs = self.registers, list(lut.inputs)
        target = self.three(lut, inputs) if len(inputs) == 3 else self.two(lut, inputs)
        registers.release(target)
        for net in inputs:
            registers.used(net)
        registers.bind(step.net, target)
        self.put(target, step)
        if not registers.wanted(step.net):
            registers.release(target)

    def source(self, net: int) -> str:
        """Where a net is now: a register if it is in one."""
        registers = self.registers
        return f"%zmm{registers.register[net]}" if net in registers.register else registers.home[net]

    def dying(self, inputs: list[int]) -> list[int]:
        """Inputs in registers that this step is the last to use."""
        registers = self.registers
        return [net for net in inputs if net in registers.register and registers.after(net) == NEVER]

    def two(self, lut: Lut, inputs: list[int]) -> int:
        """A look-up of one or two inputs."""
        registers, keep = self.registers, set(inputs)
        outside = sorted((net for net in inputs if net not in registers.register), key=registers.after)
        if len(outside) == 2:
            registers.load(outside.pop(0), keep)
        if outside and registers.after(outside[0]) - registers.now < _NEAR:
            registers.load(outside.pop(), keep)
        dying = self.dying(inputs)
        target = registers.register[dying[0]] if dying else registers.take(keep)
        registers.text.append(_two(lut, [self.source(net) for net in inputs], target))
        return target

    def three(self, lut: Lut, inputs: list[int]) -> int:
        """A look-up of three inputs: the instruction overwrites one of them."""
        registers = self.registers
        first, target = self.first_of_three(inputs)
        rest = sorted((net for net in inputs if net != first), key=lambda net: net not in registers.register)
        order, table = [first, *rest], 0
        for row in range(8):
            table |= lut.value({net: row >> (2 - index) & 1 for index, net in enumerate(order)}) << row
        upper, lower = (self.source(net) for net in rest)
        registers.text.append(f"vpternlogq $0x{table:02x}, {lower}, {upper}, %zmm{target}")
        return target

    def first_of_three(self, inputs: list[int]) -> tuple[int, int]:
        """The input to overwrite, and the register it, or a copy, is in; of the others one at most stays in memory."""
        registers, keep = self.registers, set(inputs)
        outside = sorted((net for net in inputs if net not in registers.register), key=registers.after)
        dying = self.dying(inputs)
        first = dying[0] if dying else None
        if first is None and outside and registers.after(outside[-1]) - registers.now >= _NEAR:
            first = outside.pop()
        while outside and (len(outside) > 1 or registers.after(outside[0]) - registers.now < _NEAR):
            registers.load(outside.pop(0), keep)
        if first is None:
            first = max((net for net in inputs if net in registers.register), key=registers.after)
        elif first in registers.register:
            return first, registers.register[first]
        target = registers.take(keep)
        registers.text.append(f"vmovdqa64 {self.source(first)}, %zmm{target}")
        return first, target


def _two(lut: Lut, operands: list[str], target: int) -> str:
    """The instruction for a look-up of one or two inputs; one of two may be in memory."""
    table = lut.table
    if len(operands) == 1:
        copies = table == 0b10
        return (f"vmovdqa64 {operands[0]}, %zmm{target}" if copies else
                f"vpternlogq $0x55, {operands[0]}, %zmm{target}, %zmm{target}")
    low, high = operands
    if "(" in high:
        low, high = high, low
        table = table & 0b1001 | (table & 0b0010) << 1 | (table & 0b0100) >> 1
    if native := _NATIVE.get(table):
        return f"{native} {low}, {high}, %zmm{target}"
    if table == 0b0010:
        return f"vpandnq {low}, {high}, %zmm{target}"
    return f"vpternlogq $0x{table | table << 4:02x}, {low}, {high}, %zmm{target}"
