"""A run on the cocotb back end: what the simulator imports."""

import cocotb
from cocotb.handle import HierarchyObject

from khhw.sim.cocotb_bridge import drive
from khhw.sim.entry import requested_work

__all__: list[str] = []


@cocotb.test()
async def run(dut: HierarchyObject) -> None:
    """The whole run."""
    with requested_work() as work:
        work.finish(await drive(dut, work.host, work.options, progress=work.progress, stuck=work.program.stuck))
