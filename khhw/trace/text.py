"""Lists and journeys as text."""

from collections.abc import Iterator, Sequence

from khhw.trace.entries import Entry, outcome
from khhw.trace.gets import Get
from khhw.trace.journey import Line
from khhw.trace.run import Run

__all__ = ["as_objects", "get_object", "get_text", "gets_text", "journey_text", "list_text", "listed"]

_FLAGS = (
    "dynamic", "deposit", "dma", "pid", "pacing", "remote_get", "ring", "argument", "function", "owner", "external")
"""Fields that are left out of text where they are 0."""
_KEYS = ("number", "cycle", "kind", "source", "destination", "bytes", "end", "cycles", "outcome")


def listed(run: Run, chosen: Sequence[Entry]) -> list[dict[str, object]]:
    """The list as plain values."""
    found: list[dict[str, object]] = []
    for entry in chosen:
        words, end = outcome(run, entry)
        cycles = None if end is None else end - entry.cycle
        found.append(dict(zip(_KEYS, (
            entry.number, entry.cycle, entry.kind, entry.source, entry.destination, entry.length, end, cycles, words),
            strict=True)))
    return found


def list_text(run: Run, chosen: Sequence[Entry], total: int | None) -> Iterator[str]:
    """The list as a table; with a last line if there is a `total`."""
    yield f"{'packet':>6} {'cycle':>9}  {'kind':8} {'from':>7} {'to':>9} {'bytes':>5} {'cycles':>6}  what became of it"
    for row in listed(run, chosen):
        cycles = "-" if row["cycles"] is None else row["cycles"]
        yield (f"{row['number']:>6} {row['cycle']:>9}  {row['kind']:8} {row['source']:>7} {row['destination']:>9} "
               f"{row['bytes']:>5} {cycles:>6}  {row['outcome']}")
    if total is not None:
        yield f"{len(chosen)} of {total} packets"


def gets_text(gets: Sequence[Get]) -> Iterator[str]:
    """All GETs as a table."""
    yield f"{'get':>6} {'cycle':>9}  {'path':4} {'client':>6} {'server':>6} {'packets':>7} {'cycles':>6}  asked for"
    for get in gets:
        packets = len(get.request) + len(get.answer)
        yield (f"{get.number:>6} {get.begin:>9}  {get.path:4} {get.client:>6} {get.server:>6} "
               f"{packets:>7} {get.end - get.begin:>6}  {get.keys}")
    yield f"{len(gets)} GETs"


def get_text(run: Run, get: Get) -> Iterator[str]:
    """One GET: its packets, and where its time went."""
    yield (f"GET {get.number} by {get.path}, client {get.client}, server {get.server}: {get.keys}; "
           f"{get.end - get.begin} cycles from doorbell to interrupt\n")
    yield from list_text(run, [*get.request, *get.answer], None)
    yield f"\n{'node':>5} {'cycles':>7}  {'goes to':24} where"
    for part in get.parts:
        causes = ", ".join(f"{cause} {cycles}" for cause, cycles in part.cycles.items())
        yield f"{part.node:>5} {sum(part.cycles.values()):>7}  {causes:24} {part.what}"
    whole = sum(get.total.values()) or 1
    yield "\n" + ", ".join(f"{cause} {cycles} ({100 * cycles / whole:.0f} %)" for cause, cycles in get.total.items())


def get_object(run: Run, get: Get) -> dict[str, object]:
    """One GET as plain values."""
    return {
        "number": get.number, "path": get.path, "keys": get.keys, "client": get.client, "server": get.server,
        "begin": get.begin, "end": get.end, "cycles": get.end - get.begin,
        "breakdown": get.total, "parts": [{"node": p.node, "what": p.what, "cycles": p.cycles} for p in get.parts],
        "request": listed(run, get.request), "answer": listed(run, get.answer),
    }


def as_objects(lines: Sequence[Line]) -> list[dict[str, object]]:
    """A journey as plain values; `delta` counts cycles since the line before."""
    found: list[dict[str, object]] = []
    before = lines[0].cycle if lines else 0
    for line in lines:
        found.append({"cycle": line.cycle, "delta": line.cycle - before, "node": line.node, "block": line.block,
                      "what": line.what, "fields": dict(line.fields)})
        before = line.cycle
    return found


def journey_text(lines: Sequence[Line]) -> Iterator[str]:
    """A journey as a table."""
    yield f"{'cycle':>9} {'+':>5}  {'node':>7}  {'block':6}  what"
    before = lines[0].cycle if lines else 0
    for line in lines:
        decoded = "  ".join(f"{name}={value}" for name, value in line.fields.items() if value or name not in _FLAGS)
        yield (f"{line.cycle:>9} {f'+{line.cycle - before}':>5}  {line.node:>7}  {line.block:6}  {line.what}"
               f"{'  ' + decoded if decoded else ''}")
        before = line.cycle
