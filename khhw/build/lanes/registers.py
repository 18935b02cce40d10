"""Vector registers for straight-line code: what is used last goes first."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from khhw.build.lanes.netlist import Lut
from khhw.build.lanes.schedule import VectorRef

__all__ = ["NEVER", "SLOT_BIAS", "Registers", "Step", "operand"]

NEVER = 1 << 60
VECTOR_BYTES = 64
SLOT_BIAS = 128
"""Slots lie on both sides of their base: displacements of one byte reach 128 vectors either way."""
_REGISTERS = 32
_BASES = {"c": "%rdi", "n": "%rsi", "f": "%rdx", "s": "%rcx"}


@dataclass
class Step:
    """The look-up `lut` into net `net` and to `refs`; without `lut`, a store of the net."""

    net: int
    lut: Lut | None
    refs: list[VectorRef] = field(default_factory=list)


def operand(ref: VectorRef) -> str:
    """A reference as an operand of an instruction."""
    index = ref.number - SLOT_BIAS if ref.array == "s" else ref.number
    return f"{index * VECTOR_BYTES}({_BASES[ref.array]})"


class Registers:
    """Which value is in which register, at step :attr:`now`.

    Parameters
    ----------
    steps : sequence of Step
        All of the code.
    homes : dict
        Operands of nets that lie in memory from the beginning.

    Attributes
    ----------
    text : list of str
        Instructions so far.
    register : dict
        Of nets that are in one.
    home : dict
        Operands of nets that lie in memory.
    slots : int
        How many vectors were put aside at the same time at most.
    """

    def __init__(self, steps: Sequence[Step], homes: dict[int, str]) -> None:
        self.text: list[str] = []
        self.home = homes
        self.register: dict[int, int] = {}
        self.slots = 0
        self.now = 0
        self._holds: list[int | None] = [None] * _REGISTERS
        self._slot: dict[int, int] = {}
        self._free_slots: list[int] = []
        self._uses: dict[int, list[int]] = {}
        for index, step in enumerate(steps):
            for source in step.lut.inputs if step.lut else (step.net,):
                self._uses.setdefault(source, []).append(index)
        for queue in self._uses.values():
            queue.reverse()

    def after(self, net: int) -> int:
        """The step that uses a net after this one, which does too."""
        queue = self._uses[net]
        return queue[-2] if len(queue) > 1 else NEVER

    def wanted(self, net: int) -> bool:
        """Whether a later step uses a net."""
        return bool(self._uses.get(net))

    def take(self, keep: set[int]) -> int:
        """A free register; if there is none, that of the value whose next use is furthest, but of none of `keep`."""
        best, far = -1, -1
        for register, net in enumerate(self._holds):
            if net is None:
                return register
            if net not in keep:
                distance = self._uses[net][-1] - self.now if self._uses.get(net) else NEVER
                if net not in self.home:
                    # Putting it aside costs a store.
                    distance = distance * 3 // 4
                if distance > far:
                    best, far = register, distance
        net = self._holds[best]
        assert net is not None
        if net not in self.home:
            self._put_aside(net, best)
        self.release(best)
        return best

    def release(self, register: int) -> None:
        """Forget what a register holds."""
        net = self._holds[register]
        if net is not None:
            del self.register[net]
            self._holds[register] = None

    def bind(self, net: int, register: int) -> None:
        """Let a register hold a net, and nothing else."""
        self.release(register)
        self._holds[register] = net
        self.register[net] = register

    def load(self, net: int, keep: set[int]) -> int:
        """Bring a net into a register."""
        register = self.take(keep)
        self.text.append(f"vmovdqa64 {self.home[net]}, %zmm{register}")
        self.bind(net, register)
        return register

    def used(self, net: int) -> None:
        """One use is over: forget what nobody needs any more."""
        queue = self._uses[net]
        while queue and queue[-1] <= self.now:
            queue.pop()
        if not queue:
            if net in self.register:
                self.release(self.register[net])
            if net in self._slot:
                self._free_slots.append(self._slot.pop(net))

    def _put_aside(self, net: int, register: int) -> None:
        slot = self._free_slots.pop() if self._free_slots else self.slots
        self.slots = max(self.slots, slot + 1)
        self._slot[net] = slot
        self.home[net] = operand(VectorRef("s", slot))
        self.text.append(f"vmovdqa64 %zmm{register}, {self.home[net]}")
