"""The host scheduler without a machine: order, time, errors, and what is built on it."""

import pytest

from khhw.host.scheduler import Cancelled, Scheduler, TaskError, current_task, sleep
from khhw.host.sync import Event, Queue, gather, spawn, timeout


def run(scheduler, until=1_000_000):
    """What a back end does, without a machine: from event to event."""
    while (cycle := scheduler.next_cycle()) is not None and cycle <= until:
        scheduler.run(cycle)


def result(coroutine):
    """Run one coroutine to its end: what it returned, and when."""
    scheduler = Scheduler()
    task = scheduler.spawn(coroutine)
    run(scheduler)
    return task.result(), scheduler.now


def test_events_are_ordered_by_cycle_then_node_then_sequence():
    seen = []
    scheduler = Scheduler(observer=lambda cycle, rank, _, name: seen.append((cycle, rank, name)))

    async def nap(*cycles):
        for length in cycles:
            await sleep(length)

    scheduler.spawn(nap(5, 5), rank=2, name="late")
    scheduler.spawn(nap(10), rank=1, name="first asked")
    scheduler.spawn(nap(3, 7), rank=1, name="then asked")
    scheduler.spawn(nap(10), name="owner")
    run(scheduler)
    assert seen == [
        (0, -1, "owner"), (0, 1, "first asked"), (0, 1, "then asked"), (0, 2, "late"),
        (3, 1, "then asked"), (5, 2, "late"),
        (10, -1, "owner"), (10, 1, "first asked"), (10, 1, "then asked"), (10, 2, "late"),
    ]


def test_waking_an_earlier_node_in_the_same_cycle_is_not_lost():
    scheduler, event, seen = Scheduler(), Event(), []

    async def waiter():
        await event.wait()
        seen.append(scheduler.now)

    scheduler.spawn(waiter(), rank=0)
    scheduler.spawn(sleep(4), rank=5)
    scheduler.at(4, 7, event.set)
    run(scheduler)
    assert seen == [4]


def test_a_task_gives_its_result_to_every_joiner_at_any_time():
    async def child():
        await sleep(3)
        return 7

    async def parent():
        task = await spawn(child())
        assert await task == 7
        await sleep(1)
        return await task + task.result()

    assert result(parent()) == (14, 4)


def test_an_exception_reaches_who_joins():
    async def child():
        await sleep(2)
        raise LookupError("lost")

    async def parent():
        task = await spawn(child())
        with pytest.raises(LookupError, match="lost"):
            await task
        return "caught"

    assert result(parent()) == ("caught", 2)


def test_an_exception_nobody_awaits_stops_the_run_and_says_where():
    scheduler = Scheduler()

    async def child():
        await sleep(9)
        raise LookupError("lost")

    scheduler.spawn(child(), rank=3, name="kernel")
    with pytest.raises(TaskError, match=r"'kernel' of node 3 failed in cycle 9: LookupError: lost") as caught:
        run(scheduler)
    assert (caught.value.name, caught.value.rank, caught.value.cycle) == ("kernel", 3, 9)
    assert isinstance(caught.value.__cause__, LookupError)


def test_awaiting_something_foreign_is_an_error_at_the_await():
    class Foreign:
        def __await__(self):
            yield "foreign"

    async def task():
        with pytest.raises(TypeError, match="'foreign', which is not of the host scheduler"):
            await Foreign()
        await sleep(1)

    assert result(task()) == (None, 1)


def test_cancel_raises_where_the_task_waits_and_cleans_up():
    seen = []

    async def child():
        try:
            await sleep(100)
        finally:
            seen.append((await current_task()).scheduler.now)
            await sleep(2)
            seen.append((await current_task()).scheduler.now)

    async def parent():
        task = await spawn(child())
        await sleep(5)
        task.cancel()
        with pytest.raises(Cancelled):
            await task

    assert result(parent()) == (None, 7)
    assert seen == [5, 7]


def test_a_cancelled_timer_is_no_coming_event():
    scheduler = Scheduler()
    task = scheduler.spawn(sleep(1000), name="sleeper")
    scheduler.run(0)
    assert scheduler.next_cycle() == 1000
    task.cancel()
    scheduler.run(0)
    assert scheduler.next_cycle() is None
    assert scheduler.finished


def test_joining_a_cancelled_task_does_not_end_a_run_silently():
    scheduler = Scheduler()
    victim = scheduler.spawn(sleep(10))

    async def joiner():
        await victim

    scheduler.spawn(joiner(), name="joiner")
    scheduler.at(3, 0, victim.cancel)
    with pytest.raises(TaskError, match=r"'joiner'.*Cancelled"):
        run(scheduler)


def test_timeout_ends_a_wait_and_only_its_own():
    async def task():
        async with timeout(50):
            with pytest.raises(TimeoutError, match="within 10 cycles"):
                async with timeout(10):
                    await sleep(1000)
            await sleep(5)
        with pytest.raises(TimeoutError, match="within 20 cycles"):
            async with timeout(20), timeout(30):
                await sleep(1000)

    assert result(task()) == (None, 35)


def test_a_block_that_ends_in_time_leaves_nothing_behind():
    scheduler = Scheduler()

    async def task():
        async with timeout(10):
            await sleep(3)
        return "done"

    done = scheduler.spawn(task())
    run(scheduler)
    assert (done.result(), scheduler.now, scheduler.next_cycle()) == ("done", 3, None)


@pytest.mark.parametrize("put_first", [True, False])
def test_an_item_and_a_timeout_in_the_same_cycle_lose_nothing(put_first):
    scheduler, queue, seen = Scheduler(), Queue(), []

    async def consumer():
        try:
            async with timeout(10):
                seen.append(await queue.get())
                await sleep(1)
        except TimeoutError:
            seen.append("timeout")
        await sleep(1)
        seen.append(len(queue))

    if put_first:
        scheduler.at(10, 0, lambda: queue.put_nowait("item"))
    scheduler.spawn(consumer(), rank=0)
    scheduler.run(0)
    if not put_first:
        scheduler.at(10, 0, lambda: queue.put_nowait("item"))
    run(scheduler)
    assert seen == (["item", "timeout", 0] if put_first else ["timeout", 1])


def test_gather_runs_at_the_same_time_and_keeps_order():
    async def nap(cycles):
        await sleep(cycles)
        return cycles

    async def task():
        assert await gather() == []
        return await gather(nap(30), nap(10), nap(20))

    assert result(task()) == ([30, 10, 20], 30)


def test_gather_cancels_the_others_and_raises_the_first_failure():
    seen = []

    async def stubborn():
        try:
            await sleep(100)
        except Cancelled:
            await sleep(5)
            seen.append("cleaned up")
            raise

    async def fails():
        await sleep(2)
        raise ValueError("first")

    async def task():
        with pytest.raises(ValueError, match="first"):
            await gather(stubborn(), fails())

    assert result(task()) == (None, 7)
    assert seen == ["cleaned up"]


def test_cancelling_a_gather_cancels_its_children():
    scheduler, seen = Scheduler(), []

    async def child():
        try:
            await sleep(100)
        except Cancelled:
            seen.append(scheduler.now)
            raise

    async def task():
        await gather(child(), child())

    parent = scheduler.spawn(task())
    scheduler.at(6, 0, parent.cancel)
    run(scheduler)
    assert seen == [6, 6]
    assert isinstance(parent.error, Cancelled)


def test_a_full_queue_holds_back_its_writer():
    scheduler, queue, seen = Scheduler(), Queue(2), []

    async def writer():
        for item in range(4):
            await queue.put(item)
            seen.append(("put", item, scheduler.now))

    async def taker():
        for pause in (10, 10, 0, 0):
            await sleep(pause)
            seen.append(("got", await queue.get(), scheduler.now))

    scheduler.spawn(writer())
    scheduler.spawn(taker())
    run(scheduler)
    assert [entry[2] for entry in seen if entry[0] == "put"] == [0, 0, 10, 20]
    assert [entry[1:] for entry in seen if entry[0] == "got"] == [(0, 10), (1, 20), (2, 20), (3, 20)]
    with pytest.raises(LookupError):
        queue.get_nowait()


def test_nothing_but_the_machine_is_between_nodes():
    scheduler, queue = Scheduler(), Queue(name="mailbox")
    scheduler.spawn(queue.get(), rank=1)

    async def intruder():
        queue.put_nowait("hello")

    scheduler.spawn(intruder(), rank=2, name="intruder")
    with pytest.raises(TaskError, match="mailbox belongs to rank 1, and rank 2 tried"):
        run(scheduler)


def test_a_cycle_that_never_ends_is_named():
    scheduler = Scheduler()

    async def spin():
        while True:
            await sleep(0)

    scheduler.spawn(spin(), rank=4, name="spinner")
    with pytest.raises(RuntimeError, match="'spinner' of rank 4 does not let cycle 0 end"):
        run(scheduler)


def test_a_back_end_that_passes_over_an_event_is_told():
    scheduler = Scheduler()
    scheduler.spawn(sleep(5), name="sleeper")
    scheduler.run(0)
    with pytest.raises(RuntimeError, match="'sleeper' in cycle 5 was passed over"):
        scheduler.run(6)


def test_the_past_and_negative_times_are_refused():
    scheduler = Scheduler()
    scheduler.run(5)
    with pytest.raises(ValueError, match="Cycle 4 is over, it is 5"):
        scheduler.at(4, 0, print)
    with pytest.raises(TaskError, match="ValueError: Cannot sleep for -1 cycles"):
        result(sleep(-1))


def test_close_runs_what_is_left_to_run():
    scheduler, seen = Scheduler(), []

    async def task():
        try:
            await sleep(100)
        finally:
            seen.append("closed")

    scheduler.spawn(task(), daemon=True)
    scheduler.run(0)
    assert scheduler.finished
    scheduler.close()
    assert (seen, scheduler.tasks, scheduler.next_cycle()) == (["closed"], [], None)


def test_the_same_program_gives_the_same_trace():
    def trace():
        events = []
        scheduler = Scheduler(observer=lambda *event: events.append(event))
        queues = {rank: Queue() for rank in range(4)}

        async def node(rank):
            for step in range(20):
                await sleep((rank * 7 + step * 3) % 5)
                queues[rank].put_nowait(step)
                async with timeout(2):
                    await gather(queues[rank].get(), sleep(step % 2))

        for rank in queues:
            scheduler.spawn(node(rank), rank=rank)
        run(scheduler)
        return events

    first = trace()
    assert first == trace()
    assert first == sorted(first, key=lambda event: event[0])
    assert len(first) > 200
