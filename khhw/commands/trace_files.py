"""What ``khhw trace`` writes for other programs: captures, timelines, and the dissector that reads captures."""

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from khhw.trace.entries import Entry
    from khhw.trace.run import Run

__all__ = ["add_file_arguments", "check_files", "files_text", "files_wanted", "write_files"]

_FILES = ("pcap", "perfetto", "dissector")
_STDOUT = "-"


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that name files."""
    group = parser.add_argument_group("files", "Instead of a list, for other programs; - is standard output.")
    group.add_argument("--pcap", metavar="FILE", help="write the packets as a capture (pcapng), an interface a port")
    group.add_argument("--perfetto", metavar="FILE", help="write the packets as a timeline for ui.perfetto.dev")
    group.add_argument("--dissector", metavar="FILE",
                       help="write the Lua script by which Wireshark and tshark read captures; needs no DIR")


def files_wanted(arguments: argparse.Namespace) -> dict[str, str]:
    """Files to write, by option."""
    return {name: getattr(arguments, name) for name in _FILES if getattr(arguments, name) is not None}


def check_files(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be done, before anything is read or written.

    Raises
    ------
    RequestError
        Says what to leave out.
    """
    from khhw.errors import RequestError

    wanted = files_wanted(arguments)
    if arguments.folder is None and set(wanted) != {"dissector"}:
        raise RequestError("name the folder of a run: khhw trace DIR; only --dissector needs none")
    others = {"--packet": arguments.packet, "--at": arguments.at, "--gets": arguments.gets or None,
              "--get": arguments.get}
    if wanted and (given := [option for option, value in others.items() if value is not None]):
        raise RequestError(f"--{next(iter(wanted))} writes all packets that would be listed; leave out {given[0]}, and "
                           "choose packets with --source, --destination, --kind, --from-cycle or --limit")
    printed = [f"--{name} -" for name, file in wanted.items() if file == _STDOUT]
    if len(printed) > 1 or (printed and arguments.json):
        raise RequestError(f"{printed[0]} and {[*printed, '--json'][1]} do not go together: one of them must be a file")
    if printed and printed != ["--dissector -"] and sys.stdout.isatty():
        raise RequestError(f"{printed[0]} is not for a terminal: pipe it into a program, or name a file")


def write_files(
    arguments: argparse.Namespace, traced: "Run | None", chosen: "Sequence[Entry]",
) -> dict[str, dict[str, Any]]:
    """Write what is wanted; what is in each file, by option."""
    written: dict[str, dict[str, Any]] = {}
    for option, name in files_wanted(arguments).items():
        with _opened(option, name) as output:
            written[option] = {"file": name, **_write(option, traced, chosen, output)}
    return written


def files_text(written: dict[str, dict[str, Any]]) -> list[str]:
    """A line a file; none for standard output, which holds the file."""
    return [f"{facts['file']}: " + ", ".join(f"{number} {what}" for what, number in facts.items() if what != "file")
            for facts in written.values() if facts["file"] != _STDOUT]


def _write(option: str, traced: "Run | None", chosen: "Sequence[Entry]", output: BinaryIO) -> dict[str, int]:
    from khhw.trace.capture import write_capture
    from khhw.trace.dissector import dissector
    from khhw.trace.perfetto import write_timeline
    from rtl.formats import FORMATS

    if option == "dissector":
        output.write(dissector().encode())
        return {"formats": len(FORMATS)}
    assert traced is not None
    return asdict((write_capture if option == "pcap" else write_timeline)(traced, chosen, output))


@contextlib.contextmanager
def _opened(option: str, name: str) -> Iterator[BinaryIO]:
    """A file, a named pipe, or standard output, which stays open."""
    from khhw.errors import RequestError

    if name == _STDOUT:
        # Text that was printed before comes before.
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        file = open(name, "wb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(f"cannot write {name}: {reason}; name another file with --{option}") from None
    with file:
        yield file
