"""What came of a scenario, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations

from khhw.cloud.scenario.record import Happened, Record
from khhw.machine.results import Matrix
from khhw.report.words import count, listing, span

__all__ = ["event_line", "sentences"]

_MOST_NAMED = 6


def event_line(event: Happened) -> str:
    """What happened, how long it took, and whether it was refused, as it was to be."""
    if event.refused is not None and not event.fault:
        return f"{event.words}: refused, {event.refused}"
    took = event.finished - event.cycle
    return f"{event.words} ({count(took, 'cycle')})" if took else event.words


def sentences(record: Record) -> list[str]:
    """What was found, a probe each, then what changes took."""
    cleared = [f"{event.words}." for event in record.events
               if event.operation == "cleared" and not event.fault]
    return [*(sentence for name in record.matrix for sentence in _probe(name, record)), *_changes(record), *cleared]


def _probe(name: str, record: Record) -> Iterator[str]:
    matrix, rented = record.matrix[name], record.rented[name]
    allowed = sum(map(sum, matrix.configured))
    wrong = len(matrix.differences())
    pairs = len(matrix.configured) ** 2
    yield (f"{name}: {allowed} of {pairs} ordered pairs of nodes are allowed; " + (
        "nodes heard from each other along these, and along no other." if not wrong else
        f"what nodes heard differs from that in {count(wrong, 'pair')}."))
    crossing = [(one, other, _heard(matrix, rented[one], rented[other])) for one, other in permutations(rented, 2)]
    found = [f"{one}'s nodes reached {other}'s: {_named(pairs)}" for one, other, pairs in crossing if pairs]
    if crossing and not found:
        yield f"{name}: none of {listing(rented)} reached nodes of another."
    yield from (f"{name}: {each}." for each in found)


def _heard(matrix: Matrix, sources: Sequence[int], destinations: Sequence[int]) -> list[tuple[int, int]]:
    return [(source, destination) for source in sources for destination in destinations
            if matrix.observed[source][destination]]


def _named(pairs: Sequence[tuple[int, int]]) -> str:
    named = [f"{source}→{destination}" for source, destination in pairs[:_MOST_NAMED]]
    return ", ".join(named) + (f" and {len(pairs) - _MOST_NAMED} more" if len(pairs) > _MOST_NAMED else "")


def _changes(record: Record) -> Iterator[str]:
    moving = [change for change in record.changes if change.handed_over]
    if moving:
        yield (f"{count(len(moving), 'change')} of the machine moved nodes to other hands: after "
               f"{span(change.revoked - change.started for change in moving)} cycles nothing that they took away was "
               f"allowed any more, after {span(change.finished - change.started for change in moving)} the nodes were "
               "cleared and released.")
    rest = [change for change in record.changes if not change.handed_over]
    if rest:
        yield (f"{count(len(rest), 'change')} changed only who may send to whom, in "
               f"{span(change.finished - change.started for change in rest)} cycles.")
    if found := _moves(record):
        text = listing(found)
        yield f"{text[0].upper()}{text[1:]}."


def _moves(record: Record) -> list[str]:
    """Which nodes went from one principal to another."""
    hands: Mapping[int, list[str]] = {}
    for held in record.held:
        hands = {**hands, held.rank: [*hands.get(held.rank, []), held.who]}
    moved: dict[tuple[str, str], list[int]] = {}
    for rank, holders in hands.items():
        for before, after in pairwise(holders):
            if before != after:
                moved.setdefault((before, after), []).append(rank)
    return [f"{'node' if len(ranks) == 1 else 'nodes'} {', '.join(map(str, ranks))} went from {before} to {after}"
            for (before, after), ranks in moved.items()]
