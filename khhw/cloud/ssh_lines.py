"""Lines that come by ssh, whoever sends them."""

import asyncssh

__all__ = ["whole_line"]


async def whole_line(stdin: "asyncssh.SSHReader[str]") -> str:
    """The next line; empty at the end. Of one that is longer than what is kept of a stream, its beginning.

    What comes behind that beginning is no line of its own: it is dropped.

    Raises
    ------
    asyncssh.Error, ConnectionError
        As reading does.
    """
    line = await stdin.readline()
    rest = line
    while rest and not rest.endswith("\n") and not stdin.at_eof():
        rest = await stdin.readline()
    return line
