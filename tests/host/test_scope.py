"""Scopes: what is started within a block ends with it."""

import pytest

from khhw.host.scheduler import Scheduler, current_task, sleep
from khhw.host.sync import Event, scope, spawn, timeout


def result(coroutine):
    """Run one coroutine to its end: what it returned, and when."""
    scheduler = Scheduler()
    task = scheduler.spawn(coroutine)
    while (cycle := scheduler.next_cycle()) is not None:
        scheduler.run(cycle)
    return task.result(), scheduler.now


def test_a_scope_ends_all_that_was_started_within():
    ended = []

    async def runs_on(name, children):
        try:
            if children:
                await spawn(runs_on(f"{name}.child", children - 1))
            await sleep(1000)
        finally:
            ended.append((name, (await current_task()).scheduler.now))

    async def main():
        async with scope():
            await spawn(runs_on("first", 1))
            await sleep(10)
        return len((await current_task()).scheduler.tasks)

    assert result(main()) == (1, 10)
    assert sorted(ended) == [("first", 10), ("first.child", 10)]


def test_a_failure_within_a_scope_is_raised_in_its_block():
    async def fails():
        await sleep(5)
        raise KeyError("lost")

    async def main():
        try:
            async with scope():
                await spawn(fails())
                await sleep(1000)
        except KeyError as error:
            await sleep(1)
            return str(error)

    assert result(main()) == ("'lost'", 6)


def test_a_failure_that_is_awaited_is_not_the_scopes_business():
    async def fails():
        await sleep(5)
        raise KeyError("lost")

    async def main():
        async with scope():
            with pytest.raises(KeyError):
                await (await spawn(fails()))
            await sleep(5)
        return "went on"

    assert result(main()) == ("went on", 10)


def test_a_time_limit_around_a_scope_leaves_nothing_behind():
    async def stubborn():
        try:
            await sleep(1000)
        finally:
            await sleep(50)

    async def limited():
        async with timeout(20):
            async with scope():
                await spawn(stubborn())
                await sleep(10)

    async def main():
        with pytest.raises(TimeoutError):
            await limited()
        task, event = await current_task(), Event()
        assert task.scope is None
        with pytest.raises(TimeoutError):
            async with timeout(500):
                await event.wait()
        return "woken by nobody"

    assert result(main()) == ("woken by nobody", 520)


def test_what_a_dying_task_starts_ends_with_the_scope():
    async def dying():
        try:
            await sleep(1000)
        finally:
            await spawn(sleep(1000))

    async def main():
        async with scope():
            await spawn(dying())
            await sleep(10)
        return len((await current_task()).scheduler.tasks)

    assert result(main()) == (1, 10)
