"""Follow a packet or a memcached GET of a run through every block.

DIR is the folder of a run made with khhw run FILE --waves. Without an option all packets are listed; --packet, or
--at with --node, follows one from the doorbell to the interrupt, with cycles and decoded fields. --gets lists
memcached's GETs; --get shows the packets of one and where its time went. --pcap writes the packets for Wireshark,
--perfetto as a timeline. See docs/trace.md.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.trace.entries import Entry
    from khhw.trace.gets import Get
    from khhw.trace.run import Run

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw trace``."""
    from khhw.commands.trace_files import add_file_arguments
    from khhw.trace import KINDS

    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", help="folder of a run with waves")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--packet", type=int, metavar="N", help="follow the packet with this number in the list")
    one.add_argument("--at", type=int, metavar="CYCLE",
                     help="follow the packet that left --node in this cycle, or the next after it")
    one.add_argument("--gets", action="store_true", help="list memcached's GETs instead of packets")
    one.add_argument("--get", type=int, metavar="N", help="one GET: its packets, and where its time went")
    parser.add_argument("--node", metavar="R", help="with --at: rank, or outside")
    parser.add_argument("--source", metavar="R", help="list packets of this rank, or of outside")
    parser.add_argument("--destination", metavar="R", help="list packets to this rank, to outside or everybody")
    parser.add_argument("--from-cycle", type=int, default=0, metavar="C", help="list packets from this cycle on")
    parser.add_argument("--kind", choices=KINDS, help="list packets of one kind")
    parser.add_argument("--limit", type=int, metavar="N", help="list so many packets at most")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_file_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """List, follow or write; 0 unless the request was wrong."""
    from khhw.commands.trace_files import check_files, files_wanted
    from khhw.errors import RequestError
    from khhw.trace.entries import entries
    from khhw.trace.run import Run

    if (arguments.at is None) != (arguments.node is None):
        raise RequestError("--at and --node go together: the cycle and the rank a packet left")
    if arguments.limit is not None and arguments.limit < 1:
        raise RequestError(f"--limit must be 1 or more, not {arguments.limit}")
    check_files(arguments)
    traced = Run.load(arguments.folder) if arguments.folder is not None else None
    if traced is None:
        return _print(arguments, None, *_files(None, [], arguments))
    found = entries(traced)
    _check_ends(traced, found, arguments)
    if files_wanted(arguments):
        text, results = _files(traced, found, arguments)
    elif arguments.gets or arguments.get is not None:
        text, results = _gets(traced, found, arguments.get)
    elif arguments.packet is not None or arguments.at is not None:
        text, results = _follow(traced, found, _chosen(found, arguments))
    else:
        text, results = _list(traced, found, arguments)
    return _print(arguments, traced, text, results)


def _print(arguments: argparse.Namespace, traced: "Run | None", text: list[str], results: dict[str, Any]) -> int:
    from khhw.visible import visible

    if arguments.json:
        print(_json(traced, results))
    elif text:
        print(visible("\n".join(text), lines=True))
    return 0


def _check_ends(traced: "Run", found: "list[Entry]", arguments: argparse.Namespace) -> None:
    """Refuse ends that this machine does not have; of what is no node, those that packets came from or went to."""
    from khhw.errors import RequestError

    ranks = set(map(str, range(traced.shape.nodes)))
    sources = {str(entry.source) for entry in found} | {"outside"}
    destinations = {str(entry.destination) for entry in found} | {"outside", "everybody"}
    for option, given, others in (
        ("--source", arguments.source, sources), ("--node", arguments.node, sources),
        ("--destination", arguments.destination, destinations),
    ):
        if given is not None and given not in ranks | others:
            known = " or ".join(sorted(others - ranks))
            raise RequestError(f"{option} takes a rank from 0 to {traced.shape.nodes - 1}, or {known}; not {given}")


def _chosen(found: "list[Entry]", arguments: argparse.Namespace) -> "Entry":
    from khhw.errors import RequestError

    if arguments.packet is not None:
        number: int = arguments.packet
        if not 0 <= number < len(found):
            raise RequestError(f"--packet must be 0 to {len(found) - 1}, not {number}")
        return found[number]
    entry = next((e for e in found if str(e.source) == arguments.node and e.cycle >= arguments.at), None)
    if entry is None:
        raise RequestError(f"no packet left node {arguments.node} in cycle {arguments.at} or later")
    return entry


def _follow(traced: "Run", found: "list[Entry]", entry: "Entry") -> tuple[list[str], dict[str, Any]]:
    from khhw.trace.journey import journey
    from khhw.trace.streams import Streams
    from khhw.trace.text import as_objects, journey_text, listed

    lines = journey(traced, entry, {id(one.packet): one.number for one in found}, Streams(found))
    (row,) = listed(traced, [entry])
    title = f"packet {entry.number}: {entry.kind} from {entry.source} to {entry.destination}, {entry.length} bytes, " \
            f"{row['outcome']}\n"
    return [title, *journey_text(lines)], {"packet": row, "journey": as_objects(lines)}


def _filtered(found: "list[Entry]", arguments: argparse.Namespace) -> "list[Entry]":
    from khhw.trace.entries import Filter

    return Filter(source=arguments.source, destination=arguments.destination, from_cycle=arguments.from_cycle,
                  kind=arguments.kind, limit=arguments.limit).of(found)


def _files(
    traced: "Run | None", found: "list[Entry]", arguments: argparse.Namespace,
) -> tuple[list[str], dict[str, Any]]:
    from khhw.commands.trace_files import files_text, write_files

    written = write_files(arguments, traced, _filtered(found, arguments))
    return files_text(written), {"files": written}


def _list(traced: "Run", found: "list[Entry]", arguments: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    from khhw.trace.text import list_text, listed

    chosen = _filtered(found, arguments)
    return list(list_text(traced, chosen, len(found))), {"packets": listed(traced, chosen), "total": len(found)}


def _gets(traced: "Run", found: "list[Entry]", number: int | None) -> tuple[list[str], dict[str, Any]]:
    from khhw.errors import RequestError
    from khhw.trace.gets import find_gets
    from khhw.trace.streams import Streams
    from khhw.trace.text import get_object, get_text, gets_text

    gets: list[Get] = find_gets(traced, found, Streams(found))
    if number is None:
        return list(gets_text(gets)), {"gets": [get_object(traced, get) for get in gets]}
    if not 0 <= number < len(gets):
        there = f"0 to {len(gets) - 1}" if gets else "left out: nothing in this run was answered like a GET"
        raise RequestError(f"--get must be {there}; it is {number}")
    return list(get_text(traced, gets[number])), {"get": get_object(traced, gets[number])}


def _json(traced: "Run | None", results: dict[str, Any]) -> str:
    from khhw.commands.output import report

    if traced is None:
        return json.dumps(report(results), indent=1)
    return json.dumps(report(results, seed=traced.machine.seed, parameters=traced.machine.model_dump(mode="json"),
                             cpu_model=traced.machine.host.cpu), indent=1)
