"""Results as a run of the talk's machine leaves them, made up: for tests of the report only."""

import random

from khhw.machine.results import (
    Attack,
    ConsoleLine,
    LatencySample,
    Load,
    Matrix,
    RefusalRecord,
    Results,
    RunRecord,
)

NODES = 8
SLIDES = {
    "slide1": ["034", "1257", "12567", "0346", "034", "1257", "236", "1257"],
    "slide2": ["034", "157", "12567", "2346", "34", "157", "236", "157"],
}


def cells(rows):
    return [[int(str(destination) in row) for destination in range(NODES)] for row in rows]


def hops(source, destination):
    return (source ^ destination).bit_count()


def synthetic_results(**changes):
    """Results of a run that went well; `changes` replace attributes."""
    rng = random.Random(7)
    matrices = {name: Matrix(configured=cells(rows), observed=cells(rows)) for name, rows in SLIDES.items()}
    record = RunRecord(
        console=_console(rng), load=_loads(), matrix=matrices, attacks=_attacks(), latency=_latency(rng),
        refusals=_refusals(rng))
    return Results(**{
        "version": "0.1.0", "name": "The talk's machine", "state": "done", "seed": 1, "build": "fast",
        "parameters": {"name": "The talk's machine", "seed": 1, "torus": {"shape": [2, 2, 2]},
                       "node": {"lanes": 2, "slots": 3, "table_nodes": 64}},
        "cpu_model": "ideal", "clock_hz": 53_125_000, "cycles": 412_345, "wall_seconds": 31.4, "results": record,
        **changes})


def _console(rng):
    lines = [ConsoleLine(cycle=900 + 40 * rank, node=rank, text=f"khhw loader, node {rank} of 8; help lists commands")
             for rank in range(NODES)]
    lines.append(ConsoleLine(cycle=2000, node=None, text="mrw 1000 2480"))
    lines += [ConsoleLine(cycle=9000 + 30 * rank, node=rank, text="mrw: 9344 bytes at 0x1000, crc 5a17c0de")
              for rank in rng.sample(range(NODES), NODES)]
    lines.append(ConsoleLine(cycle=10_500, node=None, text="boot 1000 5a17c0de <probe> & count=1"))
    return lines


def _loads():
    return [Load(kernel=kernel, nodes=list(nodes), image_bytes=size, packets=-(-size // 240),
                 cycles=400 + 33 * -(-size // 240) + 11 * len(nodes))
            for kernel, size, nodes in (
                ("probe", 9344, range(8)), ("attack", 14_208, [0]), ("victim", 6_112, range(1, 8)),
                ("probe", 9344, range(8)), ("latency", 7_520, range(8)), ("latency", 7_520, [0]),
                ("latency", 7_520, range(2)), ("latency", 7_520, range(4)))]


def _attacks():
    return [
        Attack(name="send to node 1 plainly", tried=4, delivered=0, refused=4, where="egress guard of node 0: ROW",
               passed=True),
        Attack(name="forge source 6 in a permitted packet to node 3", tried=4, delivered=0, refused=0, harmless=4,
               where="egress guard of node 0 overwrites the source", expected="node 3 sees source 0", passed=True),
        Attack(name="every hint and the deposit bit towards node 1", tried=128, delivered=0, refused=128,
               where="egress guard of node 0: ROW 28, HINT 36, DEPOSIT 64", passed=True),
        Attack(name="node 3 as deputy for a remote get from node 6", tried=1, delivered=0, refused=0, harmless=1,
               where="ingress guard of node 3 rewrites the descriptors", expected="the answer goes to node 0",
               passed=True),
        Attack(name="console packet to node 1", tried=2, delivered=0, refused=2, where="tree endpoint of node 1: TREE",
               passed=True),
        Attack(name="priority channel", tried=4, delivered=0, refused=4, where="egress guard of node 0: PRIORITY",
               passed=True),
        Attack(name="write the guard's tables", tried=9, delivered=0, refused=9, where="host port of node 0: bus error",
               passed=True),
    ]


def _latency(rng):
    samples = []
    for size in (8, 64, 240, 960, 3840, 15_360):
        packets = -(-size // 240)
        for source, row in enumerate(SLIDES["slide1"]):
            for destination in map(int, row):
                distance = hops(source, destination)
                for _ in range(3):
                    cycles = 58 + 9 * distance + (size + 7) // 8 + 3 * packets + rng.choice([0, 0, 1, 2, 5])
                    samples.append(LatencySample(source=source, destination=destination, hops=distance, size_bytes=size,
                                                 cycles=cycles))
    return samples


def _refusals(rng):
    refused = []
    for phase, rows in SLIDES.items():
        for source, row in enumerate(rows):
            refused += [RefusalRecord(phase=phase, node=source, source=source, destination=destination, reason="ROW",
                                      cycle=20_000 + rng.randrange(4000))
                        for destination in range(NODES) if str(destination) not in row]
    refused += [RefusalRecord(phase="attacks", node=0, source=0, destination=1, reason=reason, cycle=60_000 + 7 * index)
                for index, reason in enumerate(["ROW", "HINT", "HINT", "DEPOSIT", "PRIORITY", "CHANNEL"])]
    refused.append(RefusalRecord(phase="attacks", node=1, source=0, destination=1, reason="TREE", cycle=61_000))
    return refused
