"""What meters have counted is what a recount of all packets in the waves finds, and what crossed the cables."""

from pathlib import Path

import numpy as np
import pytest

from khhw.errors import RequestError
from khhw.machine.machine import EngineName, Machine
from khhw.machine.results import Results
from khhw.machine.waves import WavesChoice
from khhw.trace.meter import NOT_RECOUNTED, cable_flits, recount
from khhw.trace.run import Run
from rtl.meter_lines import MeterLine
from tests.machine.machines import domains, phase, write_machine


def metered(folder: Path, shape: tuple[int, int, int], engine: EngineName) -> tuple[Results, Run]:
    """A run of ``deposits.py`` in which half of the nodes may not send to the first one, with waves."""
    nodes = int(np.prod(shape))
    allowed = np.ones((nodes, nodes))
    allowed[nodes // 2:, 0] = 0
    file = write_machine(folder, domains("most", allowed) + phase(
        "all", '{ kernel = "./deposits.py", arguments = "" }', domains="most"), "deposits.py", shape=shape)
    results = Machine.load(file, engine=engine).run(folder / "run", waves=True, command="meter")
    assert results.state == "done", results.message
    return results, Run.load(folder / "run")


def compare(results: Results, run: Run) -> list[dict[str, int]]:
    """Meters, by rank and line, each as it was recounted, and as the cables carried."""
    meters = [reading.counts for reading in results.results.meters]
    again = recount(run)
    for line in MeterLine:
        if line not in NOT_RECOUNTED:
            assert [meter[line.name] for meter in meters] == [count[line] for count in again], line.name
    assert [law for law in results.results.laws if not law.holds] == []
    hops = sum(meter["OWN_FLIT_HOPS"] + meter["SHARED_FLIT_HOPS"] for meter in meters)
    assert hops == cable_flits(run) > 0
    return meters


def test_a_line_with_copies_of_deposit_packets(tmp_path: Path) -> None:
    meters = compare(*metered(tmp_path, (5, 1, 1), "native"))
    # Three deposit packets of each neighbour leave a copy here on their way to the next node, if that may be sent to.
    assert sum(meter["COPIED_PACKETS"] for meter in meters) >= 6
    assert all(meter["COPIED_FLITS"] == 8 * meter["COPIED_PACKETS"] for meter in meters)
    assert all(meter["EXTERNAL_SENT_PACKETS"] and meter["EXTERNAL_RECEIVED_PACKETS"] for meter in meters)


@pytest.mark.rare
def test_a_cube_under_cocotb(tmp_path: Path) -> None:
    compare(*metered(tmp_path, (2, 2, 2), "cocotb"))


def test_waves_of_some_nodes_are_no_recount(tmp_path: Path) -> None:
    file = write_machine(tmp_path, phase("all", '{ kernel = "./deposits.py", arguments = "" }'), "deposits.py",
                         shape=(2, 1, 1))
    Machine.load(file, engine="native").run(tmp_path / "run", waves=WavesChoice.parse("0", None), command="meter")
    with pytest.raises(RequestError, match="of all nodes and of the whole run"):
        recount(Run.load(tmp_path / "run"))
