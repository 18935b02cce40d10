"""The command ``khhw``.

Each subcommand is a module of :mod:`khhw.commands` with ``add_arguments(parser)`` and ``run(arguments) -> int``;
its docstring is its help. They import what they need when they run, so that ``khhw --help`` is quick.
"""

import argparse
import errno
import importlib
import sys
import textwrap
from collections.abc import Sequence

from khhw._version import __version__

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "run", "memcached", "domains", "attack", "sweep", "serve", "demo", "report", "trace", "test", "verilog", "bench",
    "new", "reference", "cache", "doctor",
)
"""Subcommands, in the order the help lists them."""

DONE, FAILED, WRONG_REQUEST = 0, 1, 2
INTERRUPTED = 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="khhw",
        description="A small supercomputer in RTL whose network decides who may talk to whom, driven from Python.",
        epilog="Exit codes: 0 done, 1 the work failed, 2 the request was wrong.")
    parser.add_argument("--version", action="version", version=f"khhw {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"khhw.commands.{name}")
        text = textwrap.dedent(module.__doc__ or "").strip()
        command = commands.add_parser(
            name, help=text.splitlines()[0].rstrip("."), description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments`; return the exit code."""
    chosen = _parser().parse_args(arguments)
    from khhw.errors import BuildError, RequestError
    from khhw.visible import visible

    def say(problem: object) -> None:
        # What is wrong is often wrong in a file or a name that somebody else made.
        print(visible(f"khhw: {problem}", lines=True), file=sys.stderr)

    try:
        return int(chosen.run(chosen))
    except RequestError as error:
        say(error)
        return WRONG_REQUEST
    except BuildError as error:
        say(error)
        return FAILED
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        say(f"the disk is full: {error.filename or 'a file'} could not be written; make room, or choose another folder "
            "(-o, KHHW_BUILD)")
        return FAILED
