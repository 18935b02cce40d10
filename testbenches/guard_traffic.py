"""Random packets through a guard, and tori of any shape to put it in."""

import random
from collections import Counter
from itertools import permutations

from rtl.formats import Header, unpack
from testbenches.guard_model import Bench, packet, replace

__all__ = ["drawn_shape", "random_packets"]

PACKETS = 60
"""A lane, each way."""


def drawn_shape() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes and coordinate of any torus up to 64x32x32, from the seed; its ids may reach past the table."""
    bits = random.choice(list(permutations((6, 5, 5))))
    sizes = tuple(random.randint(1, 1 << random.choice((most, 3))) for most in bits)
    return sizes, tuple(random.randrange(size) for size in sizes)


def _any_source(bench: Bench) -> int:
    """Mostly an id the column is about, else any."""
    return bench.random.choice((bench.random.randrange(bench.parameters.table_nodes),) * 3
                               + (bench.random.getrandbits(16),))


async def random_packets(bench: Bench, expected: Counter) -> None:
    """Send packets of all kinds on all lanes both ways, and check what comes out, is counted and is logged.

    Parameters
    ----------
    bench : Bench
        Its log is empty before, and after.
    expected : Counter
        What is counted since the reset, by reason, or by counter and epoch parity; is kept up.
    """
    since, refused = bench.time, Counter()
    sent = [_sent_on(bench, lane, expected, refused) for lane in bench.lanes]
    await bench.settle()
    for lane, (passed_out, passed_in) in enumerate(sent):
        assert list(bench.to_router[lane].packets) == passed_out
        assert list(bench.to_ni[lane].packets) == passed_in
        await bench.retire(lane, len(passed_in))
        bench.to_router[lane].packets.clear()
        bench.to_ni[lane].packets.clear()
    assert await bench.counts("REFUSED") == [expected[r] if r else 0 for r in range(16)]
    for name in ("INJECTED", "DELIVERED", "REFUSED_IN", "DROPPED"):
        assert await bench.counts(name) == [expected[name, parity] for parity in range(2)]
    log, lost = await bench.log(), await bench.get("LOG_LOST")
    assert len(log) == bench.parameters.log_entries
    assert len(log) + lost == sum(count for (*_, reason), count in refused.items() if reason)
    assert Counter(entry[:3] for entry in log) <= refused
    assert all(since < entry[3] < bench.time for entry in log)
    bench.confirm()
    await bench.set("LOG_CLEAR", 0)


def _sent_on(bench: Bench, lane: int, expected: Counter, refused: Counter) -> tuple[list, list]:
    """Send on one lane; returns what must come out of it towards the router, and towards the network interface."""
    model, passed_out, passed_in = bench.model, [], []
    for _ in range(PACKETS):
        out = packet(bench.any_header(), bench.random)
        reason, leaves = bench.out(lane, out)
        expected[reason if reason else ("INJECTED", model.epoch)] += 1
        refused[model.id, model.destination(out), reason] += 1
        passed_out += [leaves] if not reason else []

        arrived = packet(replace(Header, bench.any_header(), source=_any_source(bench)), bench.random)
        reason, leaves = bench.back(lane, arrived)
        expected[reason] += bool(reason)
        refused[unpack(Header, arrived.words[0])["source"], model.destination(arrived), reason] += 1
        if not model.is_copy(arrived):
            parity = unpack(Header, arrived.words[0])["epoch"]
            expected["REFUSED_IN" if reason else "DELIVERED", parity] += 1
        passed_in += [leaves] if not reason else []
    return passed_out, passed_in
