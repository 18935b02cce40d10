"""Generators and checkers of a whole fabric: what all send arrives, once, right, and as fast as it can."""

from pathlib import Path

import pytest

from khhw.build.design import convert
from khhw.build.simulator import Simulation
from khhw.sim.options import Options
from khhw.sim.process import Request, run
from rtl.formats import VirtualChannel

HERE = Path(__file__).parent
SHAPE = [2, 1, 1]
PACKETS = 300


@pytest.fixture(scope="module")
def build():
    values = {"shape": SHAPE, "signatures": True, "traffic": True}
    return Simulation(design=convert("rtl.fabric:Fabric", values)).build()


def campaign(build, folder, *, jump=True, **settings):
    """What every node measured."""
    arguments = {"shape": SHAPE, "seed": 5, "probability": 1 / 32, "shares": [0.5, 0, 0, 0, 0, 0, 0, 0.5],
                 "packets": PACKETS, "channel": 0, "pattern": "UNIFORM", "cycles": 30_000, **settings}
    request = Request(entry="traffic_programs:run", arguments=arguments, nodes=2, memory_bytes=65536,
                      options=Options(jump=jump, max_cycles=1_000_000))
    done = run(build, request, folder, path=[HERE])
    assert done.state == "finished", done.message
    return [done.results["nodes"][rank] for rank in sorted(done.results["nodes"])]


def test_all_that_is_sent_is_received(build, tmp_path):
    """Half a flit a cycle of packets of 1 or 8 chunks, with time jumps and without: the same to the last count."""
    nodes = campaign(build, tmp_path / "jump")
    assert len(nodes) == 2
    total = {name: sum(node[name] for node in nodes) for name in nodes[0] if isinstance(nodes[0][name], int)}
    assert total["GENERATED"] == total["INJECTED"] == total["RECEIVED"] == total["ACCEPTED"] == 2 * PACKETS
    assert total["GENERATED_FLITS"] == total["INJECTED_FLITS"] == total["RECEIVED_FLITS"] == total["ACCEPTED_FLITS"]
    assert total["SELF"] == total["OVERRUNS"] == total["STATUS"] == 0
    for node in nodes:
        assert node["ERRORS"] == [0] * 6
        assert sum(node["STAMPED"]) == node["INJECTED"] == PACKETS
        assert sum(node["HISTOGRAM"]) == node["RECEIVED"]
        # One hop, 4 or 32 flits; no queue grows at this load.
        assert node["MEAN"] == node["LATENCY_SUM"] / node["RECEIVED"]
        assert 20 < node["MEAN"] < 60 < node["LATENCY_MAX"] < 400
        assert not any(node["HISTOGRAM"][:10])
    assert campaign(build, tmp_path / "steps", jump=False) == nodes


def test_order_is_kept_under_overload(build, tmp_path):
    """More than the escape channel can carry: the queue overflows and is counted, and nothing comes out of order."""
    nodes = campaign(build, tmp_path, probability=0.25, channel=int(VirtualChannel.ESCAPE))
    assert sum(node["RECEIVED"] for node in nodes) == 2 * PACKETS
    assert all(node["ERRORS"] == [0] * 6 for node in nodes)
    assert all(node["OVERRUNS"] > 0 for node in nodes)
    assert all(node["LATENCY_MAX"] > 500 for node in nodes)
