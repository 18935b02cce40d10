"""``khhw bench tree``: what each node gets of the tree when all flood it, what one alone gets, and what the owner sees.

Every node is a domain of its own and broadcasts texts as fast as the tree takes them. An observer above the root counts
them by source. All go up to the root, which turns one packet at a time: the fair share of a node is one in as many
texts as there are nodes.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from statistics import mean
from typing import Any

import numpy as np

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.host.sync import Event, spawn
from khhw.node.console import EVERYBODY
from khhw.node.tree_packets import Control, TreePacket
from rtl.formats import TREE_PAYLOAD_BYTES, ControlOp
from rtl.parameters import Parameters

__all__ = ["depth_of", "least_share", "tree_shares"]

_CHANNEL = 1
_WARM_UP_TEXTS = 4
"""Texts of each node before what is counted: more than buffers hold of one."""
_TEXT_CYCLES = 40
"""More than the root takes for a text."""
_ALONE_CYCLES = 10_000
"""In which texts of a node are counted when nobody else sends."""
_QUESTIONS = 16
_PAUSE = 700
"""Cycles between two questions of the owner, no multiple of a text's."""
_POLL = 30
"""Cycles between two looks of a node whose texts wait for those of others: less than the root takes for one."""


def depth_of(rank: int) -> int:
    """Cables between a node and the root of the tree."""
    return (rank + 1).bit_length() - 1


def tree_shares(shape: tuple[int, int, int], parameters: Parameters, *, cycles: int,
                tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure one machine on the native engine.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    parameters : Parameters
        Of every node.
    cycles : int
        In which texts of all are counted, behind a warm-up.
    tell : callable
        Called with what is being done.

    Returns
    -------
    dict
        ``texts`` of 240 bytes that came out in ``cycles`` while all nodes flooded, ``fair_share``: of each; ``depths``:
        for each depth ``nodes``, ``least`` and ``most`` texts of one of them, and ``alone``, the texts of the last of
        them in ``alone_cycles`` when nobody else sends; ``owner``: for ``idle`` and ``flood`` the cycles from a
        question to all nodes to its answer, ``mean`` and ``most``, as one answer (``combined``) and until each has
        answered (``each``).
    """
    nodes = math.prod(shape)
    last = {depth_of(rank): rank for rank in range(nodes)}
    tell(f"all {nodes} nodes flood")
    flood, under = _measure(shape, parameters, range(nodes), cycles)
    tell("nobody floods")
    _, idle = _measure(shape, parameters, (), 0)
    alone = {}
    for depth, rank in last.items():
        tell(f"node {rank}, depth {depth}, alone")
        alone[depth] = _measure(shape, parameters, [rank], _ALONE_CYCLES)[0][rank]
    by_depth: dict[int, list[int]] = {}
    for rank in range(nodes):
        by_depth.setdefault(depth_of(rank), []).append(flood[rank])
    return {
        "shape": list(shape), "cycles": cycles, "alone_cycles": _ALONE_CYCLES,
        "texts": flood.total(), "fair_share": flood.total() / nodes,
        "depths": [{"depth": depth, "nodes": len(counts), "least": min(counts), "most": max(counts),
                    "alone": alone[depth]} for depth, counts in by_depth.items()],
        "owner": {"idle": idle, "flood": under},
    }


def least_share(found: dict[str, Any]) -> float:
    """Of what :func:`tree_shares` found, the texts of the node that got the fewest, as a fraction of a fair share."""
    least: int = min(row["least"] for row in found["depths"])
    return least / float(found["fair_share"]) if found["texts"] else 0.0


def _measure(shape: tuple[int, int, int], parameters: Parameters, talkers: Iterable[int], cycles: int,
             ) -> tuple[Counter[int], dict[str, dict[str, float]]]:
    """Texts by source while some ranks flood, and how long the owner then waits for answers."""
    machine = OwnedMachine(shape, parameters)
    return machine.run(lambda: _Flood(machine, list(talkers)).run(cycles), max_cycles=1 << 40)


class _Flood:
    def __init__(self, machine: OwnedMachine, talkers: list[int]) -> None:
        self._machine = machine
        self._talkers = talkers
        self._poll = _POLL if len(talkers) > 1 else 0
        self._over = Event("the end of the measurement")
        self._heard: Counter[int] = Counter()

    async def run(self, cycles: int) -> tuple[Counter[int], dict[str, dict[str, float]]]:
        """Flood, count, then ask."""
        machine, outside = self._machine, self._machine.outside
        await machine.owner.set_console(None, _CHANNEL, [_CHANNEL])
        await machine.change(Domains(np.eye(machine.shape.nodes, dtype=np.bool_)))
        outside.subscribe(self._hear)
        for rank in self._talkers:
            await spawn(self._shout(rank), name=f"flood {rank}", daemon=True)
        await outside.sleep(_WARM_UP_TEXTS * _TEXT_CYCLES * len(self._talkers))
        self._heard.clear()
        await outside.sleep(cycles)
        counted = self._heard.copy()
        word = [Control(ControlOp.NOP, 0)]
        latencies = {"combined": await self._asked(lambda: machine.owner.combined(word)),
                     "each": await self._asked(lambda: machine.owner.execute(None, word))}
        self._over.set()
        return counted, latencies

    def _hear(self, _cycle: int, packet: TreePacket) -> None:
        self._heard[self._machine.shape.rank_of_id(packet.source)] += 1

    async def _shout(self, rank: int) -> None:
        machine = self._machine
        await machine.write(rank, "CONSOLE_TX_ADDRESS", 0)
        await machine.write(rank, "CONSOLE_TX_DEST", EVERYBODY)
        while not self._over.is_set():
            await machine.write(rank, "CONSOLE_TX_LENGTH", TREE_PAYLOAD_BYTES)
            while await machine.read(rank, "CONSOLE_TX_LENGTH"):
                await machine.outside.sleep(self._poll)

    async def _asked(self, ask: Callable[[], Awaitable[object]]) -> dict[str, float]:
        """Cycles from question to answer, of several."""
        outside, taken = self._machine.outside, []
        for _ in range(_QUESTIONS):
            began = outside.now
            await ask()
            taken.append(outside.now - began)
            await outside.sleep(_PAUSE)
        return {"mean": mean(taken), "most": max(taken)}
