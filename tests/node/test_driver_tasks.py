"""The driver of a node with several tasks at work, on the reference machine."""

import random

import pytest

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.host.sync import gather, spawn, timeout
from khhw.node import BusError, InjectionRing, Node, message_descriptor, put_descriptor
from rtl.registers import Irq
from tests.reference import Rig
from tests.reference_node import RefusedError


@pytest.fixture
def run():
    """Run program(node 0, node 1)."""
    rig = Rig((2, 1, 1))
    rig.run(EpochControl(rig.owner).change(Domains.from_rules(["* -> *"], 2)))
    for task in list(rig.machine.host.scheduler.tasks):
        if task.rank >= 0:
            task.cancel()

    def run(program):
        async def opened():
            return await program(*[await Node.open(port) for port in rig.machine.host.nodes])
        return rig.run(opened())

    run.machine = rig.machine
    return run


def accesses(machine):
    """Count register accesses by address from now on."""
    seen = []
    for node in machine.nodes:
        access = node.access

        def counted(address, value, owner=False, access=access, rank=node.rank):
            if not owner:
                seen.append((rank, address, value is not None))
            return access(address, value, owner)

        node.access = counted
    return seen


def slowly(machine):
    """Let node 0 inject one descriptor in 100 cycles."""
    node, busy = machine.nodes[0], []
    inject = node.inject

    def step(ring):
        head, tail = node.values["INJECTION_HEAD", ring], node.values["INJECTION_TAIL", ring]
        if head == tail:
            busy.clear()
            return
        node.values["INJECTION_TAIL", ring] = (head + 32) % node.values["INJECTION_SIZE", ring]
        inject(ring)
        node.values["INJECTION_TAIL", ring] = tail
        machine.at(100, step, ring)

    def start(ring):
        if not busy:
            busy.append(ring)
            step(ring)

    node.inject = start


def test_many_tasks_send_at_once(run):
    """More puts than the ring has descriptors, more bytes than the staging area has room for, and slow hardware."""
    slowly(run.machine)
    pieces = [random.Random(number).randbytes(8 * (20 + number % 11)) for number in range(110)]

    async def program(a, b):
        base, total = b.layout.heap.base, sum(map(len, pieces))
        assert total > 3 * a.layout.staging.length
        await b.reception_counter(1).arm(base, total, total, writer=a.node_id)
        offsets = [sum(map(len, pieces[:number])) for number in range(len(pieces))]
        await gather(*(a.put(1, 1, offset, piece) for offset, piece in zip(offsets, pieces, strict=True)))
        assert await b.reception_counter(1).wait(1000)
        return b.memory.read(base, total)

    assert run(program) == b"".join(pieces)


def test_a_message_costs_two_accesses(run):
    async def program(a, b):
        seen = accesses(run.machine)
        await a.send(1, b"hello")
        return [entry for entry in seen if entry[0] == 0]

    assert len(run(program)) == 2


def test_a_batch_waits_for_room_in_the_ring(run):
    async def program(a, b):
        target = a.shape.coordinate(1)
        assert a.sender.capacity == 31
        with pytest.raises(ValueError, match="1 to 31 descriptors, not 32"):
            await a.sender.post(*[put_descriptor(target, 1, 0, 0, 8)] * 32)
        await b.reception_counter(1).arm(b.layout.heap.base, 64, 8 * 31 * 5, writer=a.node_id)
        await gather(*(a.sender.start(*[put_descriptor(target, 1, 0, 0, 8)] * 31) for _ in range(5)))
        assert await a.sender.drain()
        return await b.reception_counter(1).wait(5000)

    assert run(program) is True


def test_a_ring_that_does_not_move_times_out(run):
    async def program(a, b):
        run.machine.nodes[0].inject = lambda _ring: None
        await a.sender.start(message_descriptor((1, 0, 0), 0, 8))
        begin = a.now
        assert not await a.sender.drain(timeout=1000)
        return a.now - begin

    assert 1000 <= run(program) < 1020


def test_doorbells_of_several_tasks_never_go_back(run):
    async def program(a, b):
        seen = accesses(run.machine)
        ring = a.sender

        async def one():
            await ring.room(1)
            ring.push(message_descriptor((1, 0, 0), 0, 8))
            return await ring.doorbell()

        await gather(*(one() for _ in range(20)))
        assert await ring.drain()
        return len([entry for entry in seen if entry[0] == 0 and entry[2]]), ring.pushed

    doorbells, pushed = run(program)
    assert pushed == 20
    assert doorbells == 2, "the first, and one for all that came while it was rung"


def test_tasks_wait_for_counters_of_their_own(run):
    async def program(a, b):
        base = b.layout.heap.base
        order = []

        async def one(number):
            counter = b.reception_counter(number)
            await counter.arm(base + 64 * number, 64, 16, writer=a.node_id)
            assert await counter.wait(50_000)
            order.append(number)

        async def late():
            assert not await b.reception_counter(6).wait(500)

        async def puts():
            await a.sleep(2000)
            for number in (3, 1, 5, 2):
                await a.put(1, number, 0, bytes(16))
                await a.sleep(300)
            await a.put(1, 0, 0, bytes(16))

        await gather(*(one(number) for number in (0, 1, 2, 3, 5)), late(), puts())
        return order

    assert run(program) == [3, 1, 5, 2, 0]


def test_a_hit_is_kept_for_who_comes_late(run):
    async def program(a, b):
        base = b.layout.heap.base
        for number in (1, 2):
            await b.reception_counter(number).arm(base, 64, 8, writer=a.node_id)
            await a.put(1, number, 0, bytes(8))
        return [await b.reception_counter(number).wait(1000) for number in (2, 1)]

    assert run(program) == [True, True]


def test_an_injection_counter_says_what_has_left(run):
    async def program(a, b):
        counter = a.injection_counter(3)
        await counter.open(0, len(a.memory))
        await counter.count(480)
        await a.sender.start(put_descriptor((1, 0, 0), 1, 0, 0, 480, counter=3))
        return await counter.wait(1000), await counter.wait(100)

    assert run(program) == (True, False)


def test_interrupts_are_shared(run):
    """Every task gets its cause, and one read of the status serves all."""
    async def program(a, b):
        await b.reception_counter(1).arm(b.layout.heap.base, 64, 8, writer=a.node_id)

        async def packets():
            return [len(await b.reception.receive(10_000)) for _ in range(3)]

        async def hit():
            return await b.reception_counter(1).wait(10_000)

        async def sender():
            await a.sleep(1000)
            for _ in range(3):
                await a.send(1, b"x")
                await a.sleep(500)
            await a.put(1, 1, 0, bytes(8))

        return (await gather(packets(), hit(), sender()))[:2]

    assert run(program) == [[1, 1, 1], True]


def test_a_waiting_task_that_is_cancelled_disturbs_nobody(run):
    async def program(a, b):
        first = await spawn(b.wait(Irq.RECEPTION), daemon=True)
        await b.sleep(100)
        first.cancel()
        await b.sleep(10)
        await a.send(1, b"x")
        return await b.wait(Irq.RECEPTION, timeout=1000)

    assert run(program) == {Irq.RECEPTION}


def test_a_bus_error_reaches_all_who_wait(run):
    async def program(a, b):
        async def one(causes):
            with pytest.raises(BusError):
                await b.wait(*causes)

        async def hold():
            await b.sleep(100)
            run.machine.nodes[1].access = refuse
            await a.send(1, b"x")

        def refuse(*_arguments):
            raise RefusedError

        await gather(one([Irq.RECEPTION]), one([Irq.CONSOLE]), hold())

    run(program)


def test_a_second_ring_is_as_good(run):
    async def program(a, b):
        heap = a.layout.heap
        ring = InjectionRing(a, 2, type(heap)(heap.base, 256), type(heap)(heap.base + 256, 512))
        await ring.open()
        for number in range(30):
            await ring.send(bytes([number]) * 100, lambda at: message_descriptor((1, 0, 0), at, 100))
        return [packet.payload[0] for packet in await b.reception.receive(100)]

    assert run(program) == list(range(30))


def test_a_message_that_is_wrong_keeps_no_room(run):
    async def program(a, b):
        for _ in range(3):
            with pytest.raises(ValueError, match="does not fit in 6 bits"):
                await a.put(1, 0, 0, bytes(3000), key=1000)
        for number in range(3):
            await a.send(1, bytes([number]) * 3000)
        return [packet.payload[0] for packet in await b.reception.receive(100)][:1]

    assert run(program) == [0]


def test_who_is_cancelled_before_the_doorbell_keeps_nobody_waiting(run):
    async def program(a, _b):
        for _ in range(2):
            try:
                async with timeout(0):
                    await a.send(1, bytes(3000))
            except TimeoutError:
                pass
        async with timeout(50_000):
            await a.send(1, bytes(3000))
        return True

    assert run(program)
