"""What software costs: models, the work kernels charge, and the page that gives the reasons."""

import re
from fractions import Fraction
from pathlib import Path

import pytest

from khhw.host.cpu import IDEAL, MODELS, PPC450, CpuModel, Processor, Work
from khhw.host.ports import Host
from khhw.machine.file import Host as HostSection

MEGAHERTZ = 1_000_000
DOCS = Path(__file__).parents[2] / "docs"


def host_with(model, clock_hz=1000 * MEGAHERTZ):
    return Host(2, 32, cpu=model, clock_hz=clock_hz)


def finish(host):
    while (cycle := host.scheduler.next_cycle()) is not None:
        host.scheduler.run(cycle)


def test_work_takes_the_models_time_and_is_counted_after_the_scale():
    host = host_with(CpuModel(name="half", scale=Fraction(1, 2), work_ns={Work.COPY: 3, Work.CALL: 100}))
    node, ends = host.nodes[0], []

    async def run():
        await node.work(Work.COPY, 10)
        ends.append(node.now)
        await node.work_all({Work.COPY: 2, Work.CALL: 1, Work.HASH: 1000})
        ends.append(node.now)
        await node.compute(4)

    host.scheduler.spawn(run(), rank=0)
    finish(host)
    assert ends == [15, 15 + 53]
    assert node.busy_ns == 15 + 53 + 2
    assert host.nodes[1].busy_ns == 0


def test_tasks_of_a_node_share_its_processor():
    host = host_with(CpuModel(name="unit", work_ns={Work.CALL: 100}))
    ends = []

    async def run(port):
        await port.work(Work.CALL)
        ends.append((port.rank, port.now))

    for rank in (0, 0, 1):
        host.scheduler.spawn(run(host.nodes[rank]), rank=rank)
    finish(host)
    assert sorted(ends) == [(0, 100), (0, 200), (1, 100)]


def test_ideal_work_neither_waits_nor_counts():
    host = host_with(IDEAL)
    node = host.nodes[0]

    async def run():
        await node.work(Work.COPY, 1 << 20)
        await node.work_all(dict.fromkeys(Work, 7))
        return node.now

    task = host.scheduler.spawn(run(), rank=0)
    host.scheduler.run(0)
    assert task.result() == 0
    assert node.busy_ns == 0


def test_fractions_of_a_nanosecond_sum_up_exactly():
    processor = Processor(PPC450, clock_hz=1000 * MEGAHERTZ)
    for _ in range(8):
        end = processor.charge(0, PPC450.cost({Work.HASH: 1}))
    assert end == processor.busy_ns == 20


def test_wrong_work_is_refused():
    with pytest.raises(ValueError, match="cannot be negative: copy"):
        PPC450.cost({Work.CALL: 1, Work.COPY: -1})
    with pytest.raises(ValueError, match=r"work_ns\[copy\] must not be negative"):
        CpuModel(name="wrong", work_ns={Work.COPY: -1})


def test_ppc450_has_a_price_for_all_work():
    assert set(PPC450.work_ns) == set(Work)
    assert all(ns > 0 for ns in PPC450.work_ns.values())


def test_every_model_can_be_named_in_a_machine_file():
    assert set(HostSection.model_fields["cpu"].annotation.__args__) == set(MODELS)


def test_the_page_lists_the_constants_in_force_inside_their_ranges():
    page = (DOCS / "cpu-model.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|.*\| ([\d.]+) to ([\d.]+) \|$", page, re.M)
    listed = {name: Fraction(ns) for name, ns, _, _ in rows}
    registers = {"interrupt": PPC450.interrupt_ns, "read": PPC450.read_ns, "write": PPC450.write_ns}
    assert listed == {**registers, **{str(kind): ns for kind, ns in PPC450.work_ns.items()}}
    assert all(Fraction(low) <= Fraction(ns) <= Fraction(high) for _, ns, low, high in rows)


def test_a_reset_processor_owes_nothing():
    processor = Processor(CpuModel(name="one", scale=1), 1000 * MEGAHERTZ)
    assert processor.charge(0, 1000) == 1000
    processor.halt(100)
    assert processor.busy_ns == 100
    assert processor.charge(200, 10) == 210
    processor.halt(300)
    assert processor.busy_ns == 110
