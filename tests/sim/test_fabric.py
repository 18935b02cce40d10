"""The cocotb back end on a real fabric, the one the talk's machine uses."""

from pathlib import Path

import pytest

from khhw.build.design import convert
from khhw.build.simulator import Simulation
from khhw.sim.options import Options
from khhw.sim.process import Request, run

HERE = Path(__file__).parent
SHAPE = [2, 2, 2]
MEMORY = 4 << 20


@pytest.mark.rare
def test_jumps_change_no_event_of_a_fabric(tmp_path):
    build = Simulation(design=convert("rtl.fabric:Fabric", {
        "shape": SHAPE, "memory_bytes": MEMORY, "signatures": True})).build()
    done = {}
    for jump in (True, False):
        request = Request(
            entry="fabric_programs:chatter", arguments={"shape": SHAPE, "seed": 1, "messages": 6}, nodes=8,
            memory_bytes=MEMORY, options=Options(jump=jump, max_cycles=1_000_000))
        done[jump] = run(build, request, tmp_path, path=[HERE])
        assert done[jump].state == "finished", done[jump].message
    assert done[True].results == done[False].results
    assert len(done[True].results["notes"]) > 48, "messages are missing"
    assert done[True].outcome["statistics"]["jumps"] > 5
    assert done[False].outcome["statistics"]["jumps"] == 0
