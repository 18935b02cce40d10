"""Lines that come from standard input, whatever it is: a terminal, a pipe, a file."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from khhw.node.commands import LINE_LIMIT
from khhw.node.lines import LineCutter, Piece

__all__ = ["typed"]

_CHUNK = 1 << 16


async def typed(handle: int) -> AsyncIterator[str | None]:
    """Lines of a file that is open, without their ends; None for one that is too long for a console.

    Read in a thread that nobody waits for: a terminal gives a line when somebody ends it, and perhaps never.

    Parameters
    ----------
    handle : int
        Its descriptor.
    """
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[Piece | None](1)

    def read() -> None:
        cutter = LineCutter(LINE_LIMIT + 1)
        while True:
            try:
                data = os.read(handle, _CHUNK)
            except OSError:
                data = b""
            for piece in cutter.feed(data) if data else cutter.forget():
                asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()
            if not data:
                asyncio.run_coroutine_threadsafe(pieces.put(None), loop).result()
                return

    def read_until_closed() -> None:
        # The loop is closed while somebody still types.
        with suppress(RuntimeError, asyncio.CancelledError):
            read()

    threading.Thread(target=read_until_closed, name="typed", daemon=True).start()
    while (piece := await pieces.get()) is not None:
        if piece.begins and piece.ends and len(piece.data) <= LINE_LIMIT:
            yield piece.data.decode("utf-8", "replace").removesuffix("\r")
        elif piece.ends:
            yield None
