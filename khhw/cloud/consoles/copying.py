"""A file from here, into memories of nodes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from khhw.cloud.consoles.client import Seat, ServiceLostError
from khhw.cloud.consoles.messages import NAME_LIMIT, Closed, Ready, Refused, ToPerson, Write, Written
from khhw.errors import BuildError, RequestError
from khhw.visible import visible

__all__ = ["copy_file", "opened"]

_CHUNK = 1 << 16


def opened(path: Path) -> IO[bytes]:
    """A file to be copied.

    Raises
    ------
    RequestError
        If it cannot be read, or is empty.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from error
    if not path.is_file() or not os.fstat(file.fileno()).st_size:
        file.close()
        raise RequestError(f"{path} is {'empty' if path.is_file() else 'no file'}, and there is nothing to write")
    return file


async def copy_file(
    seat: Seat, file: IO[bytes], name: str, address: int | None, nodes: Sequence[int] | None,
) -> Written:
    """Copy a file into memories of nodes of a console, and have each check it.

    Parameters
    ----------
    seat : Seat
    file : binary file
    name : str
        What others at the console see.
    address : int or None
        In the memory of each node; None: where images are loaded.
    nodes : sequence of int or None
        Ranks; None: all of the console.

    Raises
    ------
    RequestError
        If the service does not take it.
    BuildError
        If it was taken, and a node has not got all of it.
    """
    length = os.fstat(file.fileno()).st_size
    await seat.ask(Write(name=visible(name)[:NAME_LIMIT], address=address, length=length,
                         nodes=None if nodes is None else list(nodes)))
    taken = False
    async for message in seat.messages():
        match message:
            case Ready():
                taken = True
                while data := file.read(_CHUNK):
                    await seat.send(data)
            case Written():
                return message
            case Refused() | Closed():
                raise _refused(message, taken)
    raise ServiceLostError("the service has ended the connection; whether the file is written is not known")


def _refused(message: ToPerson, taken: bool) -> Exception:
    assert isinstance(message, Refused | Closed)
    return BuildError(message.text) if taken else RequestError(message.text)
