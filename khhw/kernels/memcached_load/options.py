"""What a load kernel is told: ``name=value`` words, and the points that follow from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from khhw.kernels.memcached.clock import CLOCK_HZ
from khhw.kernels.memcached.server import PORT
from khhw.node import parse_options

__all__ = ["WORDS", "Plan", "Point", "parse_plan"]

WORDS = {
    "path": (["tcp", "rdma"], ("tcp", "rdma")),
    "values": (["fixed"], ("fixed", "etc")),
    "distribution": (["uniform"], ("uniform", "zipf")),
    "loop": (["closed"], ("closed", "open")),
    "sets": (["same"], ("same", "tcp", "rdma")),
    "check": (["version"], ("version", "nothing")),
}
"""Options that are words: what they are without being set, and what they may be."""


@dataclass(frozen=True)
class Point:
    """One measurement.

    Parameters
    ----------
    path : str
        ``tcp`` or ``rdma``.
    sets : str
        Path of the SETs: ``same``, or one of the two.
    values : str
        ``fixed`` or ``etc``.
    value_bytes : int
        Of all values, if they are fixed.
    distribution : str
        ``uniform`` or ``zipf``.
    gets : int
        GETs among 100 operations.
    clients : int
        Nodes that take part.
    rate : int
        Operations a client begins in a second; 0: closed loop.
    """

    path: str
    sets: str
    values: str
    value_bytes: int
    distribution: str
    gets: int
    clients: int
    rate: int


@dataclass(frozen=True)
class Plan:
    """All a load kernel does.

    Parameters
    ----------
    server, port : int
    clients : list of int
        Ranks; the first one leads.
    points : tuple of Point
    keys : int
        Different keys at most; fewer if their items would take more than `memory` bytes.
    connections : int
        Connections of each client, one operation at a time on each.
    warmup, measure, drain : int
        Cycles: before the measurement; of it; and how long operations begun in it may take to end.
    seed : int
    memory : int
    samples : int
        Latencies a client keeps of a point, if there is room for as many.
    largest : int
        Bytes to which ETC's values are cut.
    clock_hz : int
    check_version : bool
        False: remote reads are not checked for being torn; for showing that the check is needed.
    vary : bool
        Each write chooses a size up to the key's own.
    fill : bool
        A key that a GET misses is written.
    """

    server: int
    port: int
    clients: list[int]
    points: tuple[Point, ...]
    keys: int
    connections: int
    warmup: int
    measure: int
    drain: int
    seed: int
    memory: int
    samples: int
    largest: int
    clock_hz: int
    check_version: bool
    vary: bool
    fill: bool


def parse_plan(text: str, rank: int) -> Plan:
    """Options of a load kernel.

    Parameters
    ----------
    text : str
        Words ``name=value`` or ``name=value,value``.
    rank : int
        Of this node: the only client where ``clients=`` is not set.

    Raises
    ------
    ValueError
        For an unknown option, a word it may not be, or a number out of range.
    """
    words = {name: list(default) for name, (default, _) in WORDS.items()}
    numbers = []
    for word in text.split():
        name, _, value = word.partition("=")
        if name in WORDS:
            words[name] = value.split(",")
            if wrong := [choice for choice in words[name] if choice not in WORDS[name][1]]:
                raise ValueError(f"option {word!r}: {name}= is {' or '.join(WORDS[name][1])}, not {wrong[0]!r}")
        else:
            numbers.append(word)
    options = parse_options(
        " ".join(numbers), WORDS, server=2, port=PORT, clients=[rank], active=[0], sizes=[64], gets=[100, 0],
        keys=100, rate=[0], connections=1, warmup=20_000, measure=100_000, drain=100_000, seed=1, memory=1 << 20,
        samples=20_000, largest=1 << 16, clock_hz=CLOCK_HZ, vary=0, fill=0)
    one = {name: values[0] for name, values in options.items()}
    if not all(0 <= share <= 100 for share in options["gets"]):
        raise ValueError(f"gets= are percentages, not {options['gets']}")
    if min(one["keys"], one["connections"], one["measure"], *options["sizes"]) < 1:
        raise ValueError("keys=, connections=, measure= and sizes= are at least 1")
    active = [count or len(options["clients"]) for count in options["active"]]
    if max(active) > len(options["clients"]):
        raise ValueError(f"active= asks for {max(active)} of {len(options['clients'])} clients")
    rates = options["rate"] if "open" in words["loop"] else [0]
    if "open" in words["loop"] and min(rates) < 1:
        raise ValueError("loop=open needs rate=, operations a second of each client")
    points = _points(words, options, active, [*([0] if "closed" in words["loop"] else []), *(r for r in rates if r)])
    return Plan(
        one["server"], one["port"], options["clients"], tuple(points), one["keys"], one["connections"], one["warmup"],
        one["measure"], one["drain"], one["seed"], one["memory"], one["samples"], one["largest"], one["clock_hz"],
        "nothing" not in words["check"], bool(one["vary"]), bool(one["fill"]))


def _points(
    words: dict[str, list[str]], options: dict[str, list[int]], active: list[int], rates: list[int],
) -> Iterator[Point]:
    """Every combination; what has to be stored anew changes last."""
    for values in words["values"]:
        sizes = options["sizes"] if values == "fixed" else [0]
        for size, distribution, clients, rate, gets, path in product(
                sizes, words["distribution"], active, rates, options["gets"], words["path"]):
            yield Point(path, words["sets"][0], values, size, distribution, gets, clients, rate)
