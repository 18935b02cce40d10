"""Ports and software time, with a back end that answers by hand."""

from fractions import Fraction

import pytest

from khhw.host.cpu import IDEAL, CpuModel, Processor
from khhw.host.ports import Host
from khhw.host.sync import gather, timeout
from khhw.host.transport import BusError

MEGAHERTZ = 10**6


def start(host, cycle):
    host.scheduler.run(cycle)
    return [(access.rank, access.operation, access.address, access.value) for access in host.start_accesses()]


def test_one_access_at_a_time_in_the_order_asked():
    host = Host(2, 4096)
    node = host.nodes[1]

    async def task():
        assert await gather(node.read(4), node.write(8, 9)) == [77, None]

    host.scheduler.spawn(task(), rank=1)
    assert start(host, 0) == [(1, "read", 4, None)]
    assert start(host, 1) == []
    node.answered(5, 77, False)
    assert host.scheduler.next_cycle() == 6
    assert start(host, 6) == [(1, "write", 8, 9)]
    node.answered(7, 0, False)
    host.scheduler.run(8)
    assert host.scheduler.finished


def test_a_refused_access_is_an_exception():
    host = Host(1, 4096)

    async def task():
        with pytest.raises(BusError, match="write of 0x004000 was refused") as caught:
            await host.nodes[0].write(0x4000, 1)
        assert (caught.value.address, caught.value.operation) == (0x4000, "write")

    host.scheduler.spawn(task(), rank=0)
    start(host, 0)
    host.nodes[0].answered(3, 0, True)
    host.scheduler.run(4)
    assert host.scheduler.finished


def test_an_access_given_up_is_withdrawn_or_goes_on_alone():
    host = Host(1, 4096)
    node = host.nodes[0]

    async def impatient(address):
        with pytest.raises(TimeoutError):
            async with timeout(2):
                await node.read(address)

    async def task():
        await gather(impatient(4), impatient(8))
        return await node.read(12)

    done = host.scheduler.spawn(task(), rank=0)
    assert start(host, 0) == [(0, "read", 4, None)]
    assert start(host, 2) == []
    node.answered(3, 1, False)
    assert start(host, 4) == [(0, "read", 12, None)]
    node.answered(4, 2, False)
    host.scheduler.run(5)
    assert done.result() == 2


def test_interrupts_go_to_who_waits_and_cost_what_the_model_says():
    model = CpuModel(name="slow", interrupt_ns=3000)
    host = Host(3, 4096, cpu=model, clock_hz=MEGAHERTZ)
    woken = []

    async def task(node):
        await node.interrupt()
        woken.append((node.rank, node.now))

    for rank in (0, 2):
        host.scheduler.spawn(task(host.nodes[rank]), rank=rank)
    host.scheduler.run(0)
    assert host.listening == 0b101
    host.interrupts(10, 0b110)
    assert host.listening == 0b001
    for cycle in (11, 14):
        host.scheduler.run(cycle)
    assert woken == [(2, 14)]


def test_memory_is_the_nodes_own_and_ends():
    host = Host(1, 4096)
    for address, length in ((4096, 1), (4090, 7), (-1, 1)):
        with pytest.raises(IndexError, match="are not in a memory of 4096 bytes"):
            host.nodes[0].peek(address, length)
    with pytest.raises(ValueError, match="24 bits"):
        run_one(host, host.nodes[0].read(1 << 24))
    with pytest.raises(ValueError, match="32 bits"):
        run_one(host, host.nodes[0].write(0, 1 << 32))


def run_one(host, coroutine):
    async def catch():
        try:
            await coroutine
        except ValueError as error:
            return error

    task = host.scheduler.spawn(catch(), rank=0)
    host.scheduler.run(0)
    raise task.result()


def test_ideal_software_takes_no_time():
    processor = Processor(IDEAL)
    assert processor.charge(7, 10**9) == 7


def test_costs_add_up_exactly_and_share_one_processor():
    processor = Processor(CpuModel(name="unit"), clock_hz=53_125_000)
    assert processor.charge(0, 1) == 1
    done = [processor.charge(0, 1) for _ in range(15_999)][-1]
    assert done == 850  # 16,000 ns at 53.125 MHz, although each is less than a cycle
    assert processor.charge(2000, 1000) == 2054


def test_scale_sweeps_all_costs():
    quarter = Processor(CpuModel(name="quarter", scale=Fraction(1, 4)), clock_hz=MEGAHERTZ)
    assert quarter.charge(0, 8000) == 2
    with pytest.raises(ValueError, match="-1 ns"):
        quarter.charge(0, -1)
    with pytest.raises(ValueError, match="read_ns must not be negative"):
        CpuModel(name="wrong", read_ns=-1)
