"""``khhw bench load``: how long an image takes into the memories of 1, 2, 4, ... nodes at once."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from khhw.control.console import Answer, Console
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.errors import BuildError
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.loader import run_loader
from khhw.node import Layout, Shape
from khhw.sim.engine import Engine
from khhw.sim.engine.bridge import drive
from khhw.sim.options import Options, State
from rtl.formats import TREE_PAYLOAD_BYTES
from rtl.parameters import Parameters

__all__ = ["LARGEST", "MEMORY_BYTES", "SIZES", "flatness", "listeners", "load_times"]

SIZES = (1 << 12, 1 << 16, 1 << 17)
"""Bytes of the images that are measured by default."""
MEMORY_BYTES = 4 << 20
"""Of each node, as the machine of the talk has."""
LARGEST = MEMORY_BYTES - Layout(MEMORY_BYTES).image.base
"""Bytes of the largest image."""
_CHANNEL = 1
_MAX_CYCLES = 50_000_000


def listeners(nodes: int) -> Iterator[int]:
    """1, 2, 4, ... and all."""
    count = 1
    while count < nodes:
        yield count
        count *= 2
    yield nodes


def load_times(
    shape: tuple[int, int, int], sizes: Sequence[int], counts: Sequence[int], seed: int, *,
    tell: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Load random images into the first nodes of a machine, on the native engine, over one console channel.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    sizes : sequence of int
        Bytes of the images.
    counts : sequence of int
        How many nodes take each of them at once.
    seed : int
        Of the images.
    tell : callable
        Given each of them as soon as it is measured.

    Returns
    -------
    list of dict
        For each size and count: ``bytes``, ``nodes``, ``packets`` of the image; and in cycles from the first packet of
        the announcing line: ``sent`` until the tree had taken the last packet, ``loaded`` until each node had said that
        it has all of it.

    Raises
    ------
    BuildError
        If the engine cannot be built, or a node did not get what was sent.
    """
    return _Loads(shape, sizes, counts, seed, tell).measured()


def flatness(times: Sequence[dict[str, Any]]) -> dict[int, float]:
    """By image size, how much longer the longest load took than the shortest, as a fraction."""
    by_size: dict[int, list[int]] = {}
    for one in times:
        by_size.setdefault(one["bytes"], []).append(one["loaded"])
    return {size: max(loaded) / min(loaded) - 1 for size, loaded in by_size.items()}


class _Loads:
    """A machine whose nodes run loaders, and the loads."""

    def __init__(
        self, shape: tuple[int, int, int], sizes: Sequence[int], counts: Sequence[int], seed: int,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._shape = Shape(*shape)
        self._sizes, self._counts, self._random, self._tell = sizes, counts, random.Random(seed), tell
        self._host = Host(self._shape.nodes, MEMORY_BYTES)
        self._outside = Outside(self._host.root)
        self._owner = Owner(self._outside, self._shape)
        self._console = Console(self._outside, self._shape, _CHANNEL, listen=_CHANNEL + 1, limit=_MAX_CYCLES)
        self._found: list[dict[str, Any]] = []

    def measured(self) -> list[dict[str, Any]]:
        for port in self._host.nodes:
            port.boot(run_loader)
        with Engine.open(self._shape.sizes, Parameters(memory_bytes=MEMORY_BYTES)) as engine:
            self._host.scheduler.spawn(self._run(), rank=ROOT, name="owner")
            outcome = drive(engine, self._host, Options(max_cycles=_MAX_CYCLES))
        if outcome.state is not State.FINISHED:
            raise BuildError(f"the machine ended as {outcome.state}: {outcome.message}")
        return self._found

    async def _run(self) -> None:
        await self._outside.start()
        everybody = range(self._shape.nodes)
        await self._owner.set_console(None, _CHANNEL + 1, [_CHANNEL])
        await self._owner.release(None)
        await self._console.wait(everybody, Answer("ready"))
        address = Layout(MEMORY_BYTES).image.base
        for size in self._sizes:
            image = self._random.randbytes(size)
            for count in self._counts:
                taken = await self._console.load(image, address, everybody[:count])
                self._found.append({"bytes": size, "nodes": count, "packets": -(-size // TREE_PAYLOAD_BYTES),
                                    "sent": taken.sent, "loaded": taken.loaded})
                self._tell(self._found[-1])
