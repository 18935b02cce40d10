"""What a guard says of refusals: counters, log and tree packets, when many come at once."""

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from rtl.formats import Reason
from testbenches.guard_coverage import judged_text
from testbenches.guard_model import Bench

DUT = "rtl.guard.guard:Guard"
PARAMETERS = [{}, {"lanes": 1, "table_nodes": 4096}, {"lanes": 6, "table_nodes": 32, "log_entries": 4}]


@cocotb.test()
async def refusals_of_one_cycle(dut):
    """All lanes and the tree refuse in the same cycle: counters are exact, the log has all or counts them lost."""
    bench = Bench(dut)
    await bench.start(commit=True)
    me, lanes = bench.model.id, len(bench.lanes)
    for stale in (False, True, False):
        for lane in bench.lanes:
            bench.from_ni[lane].send(bench.to_node(lane))
            bench.from_router[lane].send(bench.to_node(me, source=lane + 8))
        await RisingEdge(dut.from_ni__0__valid)
        dut.tree_source.value = 21
        await RisingEdge(dut.clk)
        dut.tree_refused.value = 1
        dut.tree_stale.value = int(stale)
        seen = bench.time
        await RisingEdge(dut.clk)
        dut.tree_refused.value = 0
        await bench.settle()
    assert await bench.counts("REFUSED") == [
        {Reason.ROW: 3 * lanes, Reason.COLUMN: 3 * lanes, Reason.TREE: 2, Reason.STALE: 1}.get(
            reason, 0) for reason in range(16)]
    for reason in (Reason.TREE, Reason.STALE):
        judged_text(reason)
    log, total = await bench.log(), 3 * (2 * lanes + 1)
    assert len(log) == min(total, bench.parameters.log_entries)
    assert await bench.get("LOG_LOST") == total - len(log)
    wanted = {(me, lane, Reason.ROW) for lane in bench.lanes} | {(lane + 8, me, Reason.COLUMN) for lane in bench.lanes}
    assert {entry[:3] for entry in log} <= wanted | {(21, me, Reason.TREE), (21, me, Reason.STALE)}
    assert len({entry[3] for entry in log[:2 * lanes + 1]}) == 1
    assert abs(log[0][3] - seen) < 400

    await bench.set("LOG_CLEAR", 0)
    assert await bench.get("LOG_COUNT") == await bench.get("LOG_LOST") == await bench.get("LOG_NODES") == 0
    bench.from_ni[0].send(bench.to_node(5))
    await RisingEdge(dut.from_ni__0__valid)
    start = bench.time
    await bench.settle()
    assert await bench.log() == [(me, 5, Reason.ROW, start + 1)]


@cocotb.test()
async def the_tree_asks_the_column(dut):
    """A lookup a cycle, answered in the next."""
    bench = Bench(dut)
    bench.randomise()
    await bench.start(commit=True)
    dut.tree_source.value = asked = 0
    await RisingEdge(dut.clk)
    for _ in range(300):
        ids = bench.random.choice((bench.parameters.table_nodes + 10, 1 << 16))
        previous, asked = asked, bench.random.randrange(ids)
        dut.tree_source.value = asked
        await ReadOnly()
        assert int(dut.tree_allowed.value) == (previous in bench.model.column), previous
        judged_text(Reason.NONE if int(dut.tree_allowed.value) else Reason.TREE)
        await RisingEdge(dut.clk)
