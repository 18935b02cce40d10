"""What kernels of a run raised, with the lines of their files. Runs in the simulator process."""

import linecache
from collections.abc import Mapping
from functools import partial

from khhw.kernels.image import Files, Image
from khhw.kernels.loader import run_loader
from khhw.node import NodeTransport
from khhw.node.commands import list_ranks
from khhw.tracebacks import own_traceback

__all__ = ["KernelFailures"]

_MOST = 4
"""Failures that are told; nodes that failed in the same way count as one."""


class KernelFailures:
    """Runs the loaders of a machine's nodes, and keeps what their kernels raise.

    Parameters
    ----------
    images : mapping of str to bytes
        By kernel.
    files : mapping of str to mapping
        By kernel, the file of each of its modules.
    """

    def __init__(self, images: Mapping[str, bytes], files: Mapping[str, Mapping[str, str]]) -> None:
        self._nodes: dict[tuple[str, str], list[int]] = {}
        known: dict[tuple[str, bytes], str] = {}
        for kernel, image in images.items():
            for module, source in Image.parse(image).modules.items():
                if file := files.get(kernel, {}).get(module):
                    known[module, source] = file
                    _show(file, source)
        self._files: Files = known

    async def load(self, transport: NodeTransport) -> None:
        """What the processor of a node runs."""
        await run_loader(transport, self._files, partial(self._failed, transport.rank))

    def _failed(self, rank: int, kernel: str, error: BaseException) -> None:
        self._nodes.setdefault((kernel, own_traceback(error)), []).append(rank)

    def told(self) -> list[str]:
        """A text each: the kernel, the nodes, and the traceback of what is the user's."""
        found = [f"kernel {kernel} failed on node{'s' * (len(ranks) > 1)} {list_ranks(ranks)}:\n{traceback}"
                 for (kernel, traceback), ranks in self._nodes.items() if traceback]
        more = len(found) - _MOST
        return [*found[:_MOST], *([f"and in {more} more ways"] if more > 0 else [])]


def _show(file: str, source: bytes) -> None:
    """Let tracebacks and the debugger show the lines that run, whatever becomes of the file."""
    text = source.decode("utf-8-sig", "replace")
    linecache.cache[file] = (len(source), None, text.splitlines(keepends=True), file)
