"""What the guards refused, as the owner reads it."""

from dataclasses import dataclass

from khhw.control.owner import Owner, Write
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, Reason
from rtl.registers import REGISTERS, joined

__all__ = ["RefusalLog", "Refused", "clear_logs", "read_logs"]

_ENTRY = ("LOG_NODES", "LOG_REASON", "LOG_TIME_HIGH", "LOG_TIME_LOW")


@dataclass(frozen=True)
class Refused:
    """A packet that was refused.

    Parameters
    ----------
    node : int
        Rank of the node whose guard refused it.
    source, destination : int
        Node ids, as the guard saw them.
    reason : Reason
    cycle : int
    """

    node: int
    source: int
    destination: int
    reason: Reason
    cycle: int


@dataclass(frozen=True)
class RefusalLog:
    """Refusals of one node.

    Parameters
    ----------
    node : int
        Rank.
    counts : dict of Reason to int
        All of them, since the fabric reset or the last hold with `clear`.
    entries : list of Refused
        The ones its log had room for, oldest first.
    lost : int
        Those that found the log full.
    """

    node: int
    counts: dict[Reason, int]
    entries: list[Refused]
    lost: int


async def read_logs(owner: Owner) -> list[RefusalLog]:
    """Refusal counters and log of every node, by rank."""
    words = [Control(ControlOp.READ, REGISTERS["REFUSED"].at(reason)) for reason in Reason]
    words += [Control(ControlOp.READ, REGISTERS[name].at()) for name in ("LOG_COUNT", "LOG_LOST")]
    answers = await owner.execute(None, words)
    logs = []
    for node in range(owner.shape.nodes):
        *counts, entries, lost = [word.data for word in answers[node]]
        found = [await _entry(owner, node, index) for index in range(entries)]
        logs.append(RefusalLog(node, dict(zip(Reason, counts, strict=True)), found, lost))
    return logs


async def _entry(owner: Owner, node: int, index: int) -> Refused:
    words = [Control(ControlOp.READ, REGISTERS[name].at(index)) for name in _ENTRY]
    nodes, reason, high, low = [word.data for word in (await owner.execute(node, words))[node]]
    ends = REGISTERS["LOG_NODES"].unpack(nodes)
    return Refused(node, ends["source"], ends["destination"], Reason(reason), joined(low, high))


async def clear_logs(owner: Owner) -> None:
    """Empty the log of every node; counters go on."""
    await owner.write(None, Write("LOG_CLEAR", 1))
