"""Register accesses of a node's software and of the owner, by the names of the registers."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from khhw.trace.waves import Waves
from rtl.parameters import Parameters
from rtl.registers import MEMORY_WINDOW, REGISTERS, registers_of
from rtl.signatures import HOST_ADDRESS_BITS, RegisterBus

__all__ = ["Write", "host_writes", "owner_writes"]


@dataclass(frozen=True, slots=True)
class Write:
    """A register write that was accepted.

    Parameters
    ----------
    step : int
        In which it was asked for.
    shown : int
        Step from which the register shows it.
    name : str
        Register.
    index : int
        Its element.
    value : int
    """

    step: int
    shown: int
    name: str
    index: int
    value: int

    @property
    def fields(self) -> dict[str, int]:
        """The value taken apart."""
        return REGISTERS[self.name].unpack(self.value)


def _named(parameters: Parameters) -> dict[int, tuple[str, int]]:
    return {address: (register.name, index) for register, index, address in registers_of(parameters)}


def host_writes(waves: Waves, node: str, parameters: Parameters) -> Iterator[Write]:
    """What software wrote through the host port, in order. Writes that were answered with an error are left out.

    Parameters
    ----------
    waves : Waves
    node : str
        Path of the node, ``node_0``.
    parameters : Parameters
        Of the node.
    """
    steps = waves.steps
    valid, ready, answered = (waves.signal(f"{node}.host__{name}", 1).every(steps)
                              for name in ("awvalid", "awready", "bvalid"))
    asked = np.flatnonzero(valid & (np.append(0, valid[:-1]) == 0))
    taken, answers = np.flatnonzero(valid & ready), np.flatnonzero(answered).tolist()
    addresses = waves.signal(f"{node}.host__awaddr", HOST_ADDRESS_BITS).pick(taken)
    values = waves.signal(f"{node}.host__wdata", 32).pick(taken)
    errors = waves.signal(f"{node}.host__bresp", 2)
    names = _named(parameters)
    asked_at = asked.tolist()
    for step, address, value in zip(taken.tolist(), addresses, values, strict=True):
        after = bisect_right(answers, step)
        if address >= MEMORY_WINDOW or address not in names or after == len(answers) or errors.at(answers[after]):
            continue
        name, index = names[address]
        yield Write(asked_at[bisect_right(asked_at, step) - 1], answers[after], name, index, value)


def owner_writes(waves: Waves, node: str, parameters: Parameters) -> Iterator[Write]:
    """What the owner wrote into the guard, in order."""
    steps = waves.steps
    ports = {name: member.shape for name, member in RegisterBus.members.items()}
    done, valid, write, error = (waves.signal(f"{node}.owner__{name}", 1).every(steps)
                                 for name in ("done", "valid", "write", "error"))
    taken = np.flatnonzero(done & valid & write & ~error)
    addresses = waves.signal(f"{node}.owner__address", ports["address"]).pick(taken)
    values = waves.signal(f"{node}.owner__data", ports["data"]).pick(taken)
    names = _named(parameters)
    for step, address, value in zip(taken.tolist(), addresses, values, strict=True):
        if address in names:
            name, index = names[address]
            yield Write(step, step + 1, name, index, value)
