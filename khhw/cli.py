"""The command ``khhw``.

Each subcommand is a module of :mod:`khhw.commands` with ``add_arguments(parser)`` and ``run(arguments) -> int``;
its docstring is its help. They import what they need when they run, so that ``khhw --help`` is quick.
"""

import argparse
import contextlib
import errno
import importlib
import io
import os
import sys
import textwrap
from collections.abc import Sequence

from khhw._version import __version__

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "run", "memcached", "meter", "domains", "attack", "sweep", "serve", "net", "cloud", "ctl", "console", "image",
    "demo", "report", "trace", "test", "verilog", "bench", "new", "reference", "cache", "doctor",
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
    _print_anything()
    try:
        try:
            return _run(arguments)
        finally:
            # What cannot be printed is noticed here, and not when Python ends. Without an output nothing is printed.
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return FAILED
    except OSError as error:
        _drop_output()
        _say(_in_a_sentence(error))
        return WRONG_REQUEST


def _run(arguments: Sequence[str] | None) -> int:
    chosen = _parser().parse_args(arguments)
    from khhw.errors import BuildError, RequestError

    try:
        return int(chosen.run(chosen))
    except RequestError as error:
        _say(error)
        return WRONG_REQUEST
    except BuildError as error:
        _say(error)
        return FAILED
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except OSError:
        raise
    except Exception as error:
        from khhw.tracebacks import own_traceback, with_traceback

        if not own_traceback(error):
            raise
        # Reports, parts and measurements are the user's; what is wrong with khhw itself is told in full.
        _say(with_traceback(f"{type(error).__name__}: {error}", error))
        return FAILED


def _say(problem: object) -> None:
    from khhw.visible import visible

    with contextlib.suppress(OSError):
        # What is wrong is often wrong in a file or a name that somebody else made.
        print(visible(f"khhw: {problem}", lines=True), file=sys.stderr)


def _print_anything() -> None:
    """Let terminals that do not know a character show its number instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _in_a_sentence(error: OSError) -> str:
    """What the operating system refused."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"the disk is full ({reason}); make room, or choose another folder (-o, KHHW_BUILD)"
    return f"{error.filename or 'what was to be printed or written cannot be'}: {reason}"


def _drop_output() -> None:
    """Nothing more is printed: Python would try again when it ends, and complain."""
    if sys.stdout is None:
        return
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
