"""What came of a scenario that nobody has played."""

from khhw.cloud.scenario.record import Change, Happened, Held, Record
from khhw.machine.results import Matrix

__all__ = ["rented"]


def rented(nodes: int = 8) -> Record:
    """Half of the nodes change hands once, the others are let to six people in turn, the last one to nobody."""
    half, cycles = nodes // 2, 600_000
    people = ["alice", "bob", "a" * 60, "$x$", "dora", "emil"]
    held = [Held(rank=rank, lease="north", who="alice", begin=4_000 + rank, end=300_000 + rank) for rank in range(half)]
    held += [Held(rank=rank, lease="more", who="bob", begin=310_000 + rank, end=None) for rank in range(half)]
    held += [Held(rank=rank, lease=f"lease{rank}", who=people[rank % len(people)], begin=20_000, end=None)
             for rank in range(half, nodes - 1)]
    allowed = [[int(source < half and destination < half) for destination in range(nodes)] for source in range(nodes)]
    return Record(
        state="done", cycles=cycles, held=held, matrix={"apart": Matrix(configured=allowed, observed=allowed)},
        changes=[Change(revision=1, started=1_000, revoked=1_500, finished=4_000, handed_over=list(range(half))),
                 Change(revision=2, started=300_000, revoked=300_600, finished=310_000, handed_over=list(range(half)))],
        events=[Happened(cycle=cycle, finished=cycle + 100, who=None, operation="probe", words=f"probe {name}")
                for cycle, name in ((100_000, "apart"), (590_000, "handed_over"))])
