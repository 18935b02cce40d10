"""Be at a console of the cloud: see what nodes say, and write to them.

khhw console con7                      what is typed goes to the nodes of con7; Ctrl-D ends it
khhw console write con7 --file F       copy a file into their memories, all at once, and have each node check it
khhw console replay F.cast             play a recording

Several people can be at a console: they take turns to write, and see what the others write. What nodes say is shown and
never obeyed. docs/cloud-consoles.md explains all of it.
"""

import argparse
import asyncio
import math
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from khhw.commands.cloud_service import add_service

if TYPE_CHECKING:
    from khhw.cloud.consoles.terminal import Printer
    from khhw.commands.cloud_service import CloudService

__all__ = ["add_arguments", "run"]

_QUIET_SECONDS = 2.0
_ROWS = 24
_WITH = {
    "record": ("listen",), "read_only": ("listen",), "raw": ("listen",), "quiet": ("listen",),
    "json": ("listen", "write"), "file": ("write",), "address": ("write",), "nodes": ("write",),
    "speed": ("replay",), "cycles": ("replay",),
}
"""Which of the three each option is for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw console``."""
    parser.usage = ("khhw console CONSOLE [--record F.cast] [--read-only] [--raw | --json] [--quiet SECONDS]\n"
                    "       khhw console write CONSOLE --file F [--address A] [--nodes RANKS] [--json]\n"
                    "       khhw console replay F.cast [--speed N] [--cycles]")
    parser.add_argument("words", metavar="CONSOLE | write CONSOLE | replay F.cast", nargs="+",
                        help="a console, as in con7; what else is to be done")
    parser.add_argument("--record", metavar="F.cast", type=Path, help="record what is seen (asciicast v2), with cycles")
    parser.add_argument("--read-only", action="store_true", default=None, help="write nothing")
    parser.add_argument("--raw", action="store_true", default=None,
                        help="put out the bytes that nodes say, and nothing else; not to a terminal")
    parser.add_argument("--json", action="store_true", default=None, help="print one JSON object a message")
    parser.add_argument("--quiet", metavar="SECONDS", type=float,
                        help="where lines come from a pipe or a file: leave behind the last when nothing has been said "
                             f"for so long ({_QUIET_SECONDS:g})")
    parser.add_argument("--file", metavar="F", type=Path, help="to copy")
    parser.add_argument("--address", metavar="A", help="in the memories (default: where images are loaded)")
    parser.add_argument("--nodes", metavar="RANKS", help="some nodes of the console instead of all, as in 0,4-7")
    parser.add_argument("--speed", metavar="N", type=float, help="how many times as fast as it was; 0: all at once (1)")
    parser.add_argument("--cycles", action="store_true", default=None,
                        help="begin each row with the boot and the cycle in which a node said it")
    add_service(parser)


def run(arguments: argparse.Namespace) -> int:
    """Be at a console, write a file, or play a recording; 2 if a line was refused."""
    from khhw.commands.extra import need_cloud
    from khhw.errors import RequestError

    match arguments.words:
        case ["write", console]:
            act = "write"
        case ["replay", _]:
            act = "replay"
        case [console]:
            act = "listen"
        case words:
            raise RequestError(f"{' '.join(words)!r} is nothing to do; write CONSOLE, replay F.cast, or only a console")
    for name, acts in _WITH.items():
        if getattr(arguments, name) is not None and act not in acts:
            raise RequestError(f"--{name.replace('_', '-')} is not for this: it goes with "
                               f"{' and '.join('a console' if one == 'listen' else one for one in acts)}")
    if act == "replay":
        return _replay(arguments)
    need_cloud()
    return _write(arguments, console) if act == "write" else _listen(arguments, console)


def _replay(arguments: argparse.Namespace) -> int:
    from khhw.cloud.consoles.replay import replay
    from khhw.cloud.consoles.rows import Rows
    from khhw.cloud.consoles.terminal import width_of
    from khhw.errors import RequestError

    speed = 1.0 if arguments.speed is None else arguments.speed
    if not 0 <= speed < math.inf:
        raise RequestError(f"--speed takes a number from 0, not {arguments.speed}")

    def show(rows: str) -> None:
        print(rows, end="", flush=True)

    replay(Path(arguments.words[1]), show, lambda: Rows(width_of(sys.stdout)), speed=speed or math.inf,
           cycles=bool(arguments.cycles))
    return 0


def _listen(arguments: argparse.Namespace, name: str) -> int:
    from khhw.cloud.consoles.client import console_number
    from khhw.commands.cloud_service import service_of
    from khhw.errors import RequestError

    quiet = _QUIET_SECONDS if arguments.quiet is None else arguments.quiet
    if not 0 <= quiet < math.inf:
        raise RequestError(f"--quiet takes a number from 0, not {arguments.quiet}")
    if arguments.raw and arguments.json:
        raise RequestError("--raw and --json do not go together")
    if arguments.raw and sys.stdout.isatty():
        raise RequestError("--raw is for a pipe or a file: a terminal would obey what nodes say")
    return asyncio.run(_sit(arguments, console_number(name), service_of(arguments), quiet))


async def _sit(arguments: argparse.Namespace, console: int, service: "CloudService", quiet: float) -> int:
    from contextlib import nullcontext

    from khhw.cloud.consoles.client import seat
    from khhw.cloud.consoles.recording import Recording
    from khhw.cloud.consoles.terminal import Terminal, width_of

    columns = width_of(sys.stdout)
    # A pipe is read to its end; where there is no input at all, there is nothing to write.
    handle = None if arguments.read_only or sys.stdin is None else sys.stdin.fileno()
    typing = handle is not None and sys.stdin.isatty()
    async with seat(service.url, service.token, console, read_only=bool(arguments.read_only), raw=bool(arguments.raw),
                    context=service.context) as here:
        with nullcontext() if arguments.record is None else Recording(
                arguments.record, f"con{console}", columns=columns or 80, rows=_ROWS) as recording:
            terminal = Terminal(here, _printer(arguments, console), recording=recording, columns=columns or 80,
                                handle=handle, quiet_seconds=0 if typing else quiet)
            await terminal.run()
    return 1 if terminal.closed else 2 if terminal.refused and not typing else 0


def _printer(arguments: argparse.Namespace, console: int) -> "Printer":
    from khhw.cloud.consoles.terminal import as_json, as_raw, as_rows

    return as_raw(console) if arguments.raw else as_json() if arguments.json else as_rows(console)


def _write(arguments: argparse.Namespace, name: str) -> int:
    from khhw.cloud.consoles.client import console_number
    from khhw.cloud.consoles.copying import opened
    from khhw.commands.cloud_service import service_of
    from khhw.errors import RequestError
    from khhw.node.commands import parse_number

    if arguments.file is None:
        raise RequestError("write takes a file: --file F")
    address = None if arguments.address is None else parse_number(arguments.address)
    if arguments.address is not None and address is None:
        raise RequestError(f"--address takes a number, as in 0x10000, not {arguments.address!r}")
    nodes = None if arguments.nodes is None else _ranks(arguments.nodes)
    console = console_number(name)
    with opened(arguments.file) as file:
        return asyncio.run(_copy(arguments, console, service_of(arguments), file, address, nodes))


async def _copy(
    arguments: argparse.Namespace, console: int, service: "CloudService", file: IO[bytes], address: int | None,
    nodes: list[int] | None,
) -> int:
    from khhw.cloud.consoles.client import seat
    from khhw.cloud.consoles.copying import copy_file
    from khhw.cloud.consoles.rows import Rows
    from khhw.cloud.consoles.terminal import as_json
    from khhw.cloud.consoles.view import seen

    async with seat(service.url, service.token, console, context=service.context) as here:
        written = await copy_file(here, file, arguments.file.name, address, nodes)
    if arguments.json:
        as_json()(written)
    else:
        print(seen(written, Rows(), console).removeprefix("-- "), end="", flush=True)
    return 0


def _ranks(text: str) -> list[int]:
    from khhw.errors import RequestError
    from khhw.node.commands import EVERYBODY, WrongLine, parse_nodes

    nodes = parse_nodes(text)
    if isinstance(nodes, WrongLine) or nodes == EVERYBODY:
        raise RequestError(f"--nodes takes ranks, as in 0,4-7, not {text!r}")
    return [rank for low, high in nodes.stretches for rank in range(low, high + 1)]
