"""Several people at one channel: who hears what, who writes when, and what holds whom up."""

import asyncio
from contextlib import AsyncExitStack
from functools import wraps

import pytest

from khhw.cloud.consoles import room, writing
from khhw.cloud.consoles.messages import Line, Write
from khhw.cloud.errors import CloudError, Kind
from khhw.node.commands import LINE_LIMIT
from tests.cloud.listened import NODES, heard, hub_on_stand_in


def in_a_loop(test):
    """Run a test as a coroutine that is given a hub, and must end soon."""
    @wraps(test)
    def run():
        async def limited():
            async with asyncio.timeout(60), hub_on_stand_in() as here:
                await test(here)

        asyncio.run(limited())

    del run.__wrapped__
    return run


async def bytes_of(*chunks):
    for chunk in chunks:
        yield chunk


async def never():
    await asyncio.Event().wait()
    yield b""


@in_a_loop
async def test_all_hear_nodes_and_who_comes_and_goes(here):
    async with here.visit("alice") as alice:
        welcome = await heard(alice, "welcome")
        assert (welcome.console, welcome.nodes, welcome.write, welcome.people) == (7, list(NODES), True, [])
        async with here.visit("carol") as carol:
            assert (await heard(carol, "welcome")).people == ["alice"]
            assert (await heard(alice, "came")).who == "carol"
            here.machine.tell(5, "hel")
            here.machine.tell(3, "between\n")
            here.machine.tell(5, "lo\n")
            for person in (alice, carol):
                lines = [await heard(person, "said") for _ in range(2)]
                assert [(line.node, line.text) for line in lines] == [(3, "between"), (5, "hello")]
                assert lines[1].boot == 1 and lines[1].cycle > lines[0].cycle > 1000
        assert (await heard(alice, "left")).who == "carol"
    while here.machine.sinks[7 | 1 << 31]:
        await asyncio.sleep(0.01)  # Nobody listens any more, soon.


@in_a_loop
async def test_at_a_node_only_that_node_is_heard_and_the_lease_sees_what_is_typed(here):
    async with here.visit("alice") as alice, here.visit("bob", 8) as bob:
        here.machine.tell(2, "not for bob\n")
        here.machine.tell(3, "for both\n")
        assert (await heard(bob, "said")).text == "for both"
        await bob.line("info")
        typed = await heard(alice, "typed")
        assert (typed.console, typed.who, typed.text) == (8, "bob", "info")
        await alice.line("on 2 info")
        here.machine.tell(3, "end\n")
        assert (await heard(bob, "said", "typed")).kind == "said", "what is typed for other nodes is none of bob's"
    assert [(channel, text) for channel, text, _ in here.machine.said] == [(8, "info"), (7, "on 2 info")]


@in_a_loop
async def test_lines_take_turns_and_all_see_them_in_the_order_they_went(here):
    async with here.visit("alice") as alice, here.visit("bob") as bob, here.visit("carol") as carol:
        async def type_all(visit, name):
            for number in range(20):
                await visit.line(f"echo {name} {number}")

        await asyncio.gather(type_all(alice, "a"), type_all(bob, "b"))
        seen = [(await heard(carol, "typed")).text for _ in range(40)]
        assert seen == [text for _, text, _ in here.machine.said]
        # Nobody is held up by who writes much: each waits for one line of the other.
        assert [text.split()[1] for text in seen] == ["a", "b"] * 20
        here.machine.free.clear()
        slow, next_one = (asyncio.create_task(visit.line(text)) for visit, text in ((alice, "slow"), (bob, "next")))
        assert (await heard(carol, "typed")).text == "slow"
        here.machine.tell(2, "meanwhile\n")
        assert (await heard(carol, "typed", "said")).kind == "said", "it is not bob's turn yet"
        here.machine.free.set()
        await asyncio.gather(slow, next_one)


@in_a_loop
async def test_who_only_listens_writes_nothing(here):
    async with here.visit("carol") as carol, here.visit("alice", read_only=True) as alice:
        for visit in (carol, alice):
            assert not (await heard(visit, "welcome")).write
            await visit.ask(Line(id=3, text="info"), never())
            refused = await heard(visit, "refused")
            assert refused.id == 3 and "only listens at con7, and may not write" in refused.text
            await visit.ask(Write(name="f", address=0x1000, length=4), never())
            assert "may not write" in (await heard(visit, "refused")).text
    assert not here.machine.said


@in_a_loop
async def test_nothing_is_written_to_nodes_that_are_still_handed_over(here):
    """After a power cut, for example: nobody would hear it, and who wrote it would think that it was done."""
    here.rights.coming = [3, 5]
    async with here.visit("alice") as alice:
        for text in ("info", "on 3 info", "on 2,5 info"):
            await alice.ask(Line(id=1, text=text), never())
            assert "the machine has still to hand over node" in (await heard(alice, "refused")).text, text
        await alice.ask(Write(name="f", address=0x1000, length=4), never())
        assert "hand over nodes 3,5; nothing was written" in (await heard(alice, "refused")).text
        assert not here.machine.said
        await alice.line("on 2 info")
        here.rights.coming = []
        await alice.line("info")
        assert [text for _, text, _ in here.machine.said] == ["on 2 info", "info"]


@pytest.mark.parametrize(("text", "message"), [
    ("echo \x1b[2J", "takes no control characters"), ("a\nb", "takes no control characters"),
    ("on 2,4 info", "con7 has no node 4; its nodes are 2-3,5"), ("on 0-7 info", "con7 has no node 0"),
    ("on 3-1 info", "counts down"), ("on all on 2 info", "only one 'on NODES'"),
    ("x" * (LINE_LIMIT + 1), "at most 16,384 bytes"), ("\ud800", "takes no control characters")])
def test_what_nodes_could_not_read_is_refused(text, message):
    @in_a_loop
    async def test(here):
        async with here.visit("alice") as alice:
            with pytest.raises(CloudError, match=message) as caught:
                await alice.line(text)
            assert caught.value.sentence.isprintable()
            await alice.line("info")
        assert [text for _, text, _ in here.machine.said] == ["info"]

    test()


@in_a_loop
async def test_a_file_is_written_as_one_and_others_see_the_lock(here):
    image = bytes(range(256)) * 10
    async with here.visit("alice") as alice, here.visit("bob") as bob:
        here.machine.free.clear()
        wanted = Write(name="probe.img", address=0x1000, length=len(image))
        writing_it = asyncio.create_task(alice.ask(wanted, bytes_of(image[:1000], image[1000:])))
        lock = (await heard(bob, "locked")).lock
        assert (lock.who, lock.name, lock.length) == ("alice", "probe.img", len(image))
        with pytest.raises(CloudError, match=r"alice is writing probe.img \(2,560 bytes\)"):
            await bob.line("info")
        with pytest.raises(CloudError, match="alice is writing"):
            await alice.line("info")
        await bob.ask(Write(name="mine", address=0x1000, length=4), never())
        assert "alice is writing probe.img" in (await heard(bob, "refused")).text
        async with here.visit("carol") as carol:
            assert (await heard(carol, "welcome")).lock == lock, "who comes later sees it, too"
        here.machine.free.set()
        await writing_it
        assert (await heard(bob, "unlocked")).problem == ""
        written = await heard(alice, "written")
        assert (written.nodes, written.length) == (list(NODES), len(image))
        await bob.line("info")
    assert here.machine.said[0] == (7, f"mrw 0x1000 {len(image)}", image)
    assert all(memory[0x1000:0x1000 + len(image)] == image for memory in here.machine.memories.values())


@in_a_loop
async def test_a_file_goes_to_some_nodes(here):
    async with here.visit("alice") as alice:
        await alice.ask(Write(name="f", address=0x2000, length=3, nodes=[5, 2]), bytes_of(b"abc"))
        assert (await heard(alice, "written")).nodes == [2, 5]
        assert [bytes(here.machine.memories[rank][0x2000:0x2003]) for rank in NODES] == [b"abc", bytes(3), b"abc"]
        for wanted, message in (
                (Write(name="f", address=0, length=3, nodes=[4, 2]), "con7 has no node 4; its nodes are 2-3,5"),
                (Write(name="f", address=0xfffe, length=3), "3 bytes at 0xfffe leave the memory of a node"),
                (Write(name="f", address=0, length=1 << 39), "leave the memory")):
            await alice.ask(wanted, never())
            assert message in (await heard(alice, "refused")).text
    assert len(here.machine.said) == 2


@in_a_loop
async def test_a_large_file_goes_in_pieces_that_packets_can_count(here):
    old, writing.RAW_LIMIT = writing.RAW_LIMIT, 480
    try:
        async with here.visit("alice") as alice:
            await alice.ask(Write(name="f", address=0x1000, length=1000), bytes_of(b"z" * 1000))
            assert (await heard(alice, "written", "refused")).kind == "written"
    finally:
        writing.RAW_LIMIT = old
    assert [(text, len(raw)) for _, text, raw in here.machine.said] == [
        ("mrw 0x1000 480", 480), ("mrw 0x11e0 480", 480), ("mrw 0x13c0 40", 40), ("crc 0x1000 1000", 0)]


@pytest.mark.parametrize(("chunks", "message"), [
    ([b"ab"], "ended after 2 of 4 bytes; nothing was written"), ([b"abcdef"], "more than the 4 bytes announced")])
def test_a_file_of_another_length_is_not_written(chunks, message):
    @in_a_loop
    async def test(here):
        async with here.visit("alice") as alice:
            await alice.ask(Write(name="f", address=0x1000, length=4), bytes_of(*chunks))
            assert message in (await heard(alice, "refused")).text
            await alice.line("info")
        assert [text for _, text, _ in here.machine.said] == ["info"]

    test()


async def drops():
    """A byte now and then."""
    while True:
        await asyncio.sleep(0.04)
        yield b"x"


@pytest.mark.parametrize("chunks", [never, drops])
def test_who_sends_too_slowly_loses_the_lock(monkeypatch, chunks):
    monkeypatch.setattr(writing, "_SILENT_SECONDS", 0.2)

    @in_a_loop
    async def test(here):
        async with here.visit("alice") as alice:
            await alice.ask(Write(name="f", address=0x1000, length=1000), chunks())
            assert "came too slowly" in (await heard(alice, "refused")).text
            await alice.line("info")

    test()


@in_a_loop
async def test_who_leaves_in_the_middle_of_a_file_leaves_no_lock(here):
    async with here.visit("bob") as bob:
        async with here.visit("alice") as alice:
            task = asyncio.create_task(alice.ask(Write(name="f", address=0x1000, length=4), never()))
            await heard(bob, "locked")
            task.cancel()
        assert (await heard(bob, "unlocked")).problem == "it was given up"
        await bob.line("info")


@in_a_loop
async def test_a_node_that_does_not_take_a_file_is_named(here):
    async with here.visit("alice") as alice, here.visit("bob") as bob:
        here.machine.deaf = {3}
        old, writing._LOOK_SECONDS = writing._LOOK_SECONDS, 0.05
        try:
            await alice.ask(Write(name="f", address=0x1000, length=4), bytes_of(b"abcd"))
        finally:
            writing._LOOK_SECONDS = old
        assert "nodes [3] did not say 'mrw: 4 bytes'" in (await heard(alice, "refused")).text
        assert "did not say" in (await heard(bob, "unlocked")).problem


@in_a_loop
async def test_an_error_of_a_node_ends_it_and_is_shown_harmless(here):
    async with here.visit("alice") as alice, here.visit("bob") as bob:
        here.machine.deaf = {2}
        task = asyncio.create_task(alice.ask(Write(name="f", address=0x1000, length=4), bytes_of(b"abcd")))
        await heard(bob, "said")
        # Another node's word for it counts for nothing.
        here.machine.tell(3, "node 2> error: of another\n")
        here.machine.tell(2, "node 2> error: unknown command 'mrw'\x1b[2J\n")
        await task
        refused = (await heard(alice, "refused")).text
        assert "node 2 said" in refused and "unknown command" in refused and "\x1b" not in refused
        await heard(bob, "unlocked")
        task = asyncio.create_task(alice.ask(Write(name="f", length=4, nodes=[2]), bytes_of(b"abcd")))
        await heard(bob, "locked")
        while len(here.machine.said) < 2:
            await asyncio.sleep(0.01)
        here.machine.tell(3, "node 3> error: it takes no file, and is asked for nothing\n")
        for answer in ("mrw: 4 bytes", "crc: ed82cd11"):
            here.machine.tell(2, f"node 2> {answer}\n")
            while len(here.machine.said) < 3:
                await asyncio.sleep(0.01)
        await task
        assert (await heard(alice, "written", "refused")).kind == "written"


@in_a_loop
async def test_who_does_not_read_holds_up_nobody_and_is_told(here):
    async with here.visit("carol") as slow, here.visit("alice") as quick:
        for number in range(3000):
            here.machine.tell(2, f"{number}\n")
            await heard(quick, "said")
        texts, missed = [], 0
        while missed + len(texts) < 3000:
            message = await heard(slow, "said", "missed", "came")
            if message.kind == "said":
                texts.append(int(message.text))
            elif message.kind == "missed":
                missed += message.messages
        assert missed > 1000 and texts == sorted(texts)


@in_a_loop
async def test_lines_torn_by_a_loss_are_not_joined(here):
    async with here.visit("alice") as alice:
        here.machine.tell(2, "rm -")
        here.machine.tell(2, "rf\n", missed=4)
        assert (await heard(alice, "lost", "said")).packets == 4
        assert (await heard(alice, "said")).text == "rf"


@in_a_loop
async def test_a_power_cut_is_told_and_tears_lines(here):
    async with here.visit("alice") as alice:
        here.machine.tell(2, "half a ")
        here.machine.boot = 2
        here.machine.tell(2, "node 2> ready\n")
        assert (await heard(alice, "booted", "said")).boot == 2
        assert (await heard(alice, "said")).text == "node 2> ready"


@in_a_loop
async def test_who_loses_the_right_to_listen_hears_nothing_more(here):
    async with here.visit("alice") as alice, here.visit("bob") as bob, here.visit("carol") as carol:
        del here.rights.of["bob"]
        here.rights.of["alice"] = ["listen"]
        assert (await heard(bob, "closed")).text == "there is no con7"
        assert (await heard(carol, "left")).who == "bob"
        here.machine.tell(2, "secret\n")
        assert (await heard(carol, "said")).text == "secret"
        assert await bob.person.next() is None
        with pytest.raises(CloudError, match="closed to bob") as caught:
            await bob.line("info")
        assert caught.value.kind is Kind.FORBIDDEN
        with pytest.raises(CloudError, match="alice only listens"):
            await alice.line("info")
        here.rights.open = False
        assert "its lease has ended" in (await heard(carol, "closed")).text
    assert not here.machine.said


@in_a_loop
async def test_who_may_not_does_not_come_in(here):
    for who, kind in (("mallory", Kind.NOT_FOUND), ("carol", Kind.FORBIDDEN), ("alice", Kind.CONFLICT)):
        if who == "carol":
            here.rights.of["carol"] = []
        if who == "alice":
            here.rights.open = False
        with pytest.raises(CloudError) as caught:
            async with here.visit(who):
                pass
        assert caught.value.kind is kind
    assert not here.machine.sinks


@in_a_loop
async def test_there_is_room_for_so_many(here):
    async with AsyncExitStack() as stack:
        for _ in range(room.PEOPLE):
            await stack.enter_async_context(here.visit("alice"))
        with pytest.raises(CloudError, match="no room for more") as caught:
            async with here.visit("bob"):
                pass
        assert caught.value.kind is Kind.CONFLICT


@in_a_loop
async def test_raw_bytes_for_who_asked_for_them(here):
    async with here.visit("alice", raw=True) as alice, here.visit("bob") as bob:
        here.machine.tell(2, b"\xff\x1b[2J\n")
        raw, plain = await heard(alice, "said"), await heard(bob, "said")
        assert raw.data == b"\xff\x1b[2J\n" and plain.data is None
        assert raw.text == plain.text == r"\xff\x1b[2J"


@in_a_loop
async def test_the_end_of_the_service_is_told(here):
    async with here.visit("alice") as alice:
        await here.hub.close()
        assert (await heard(alice, "closed")).text == "the service is ending"
        with pytest.raises(CloudError) as caught:
            async with here.visit("bob"):
                pass
        assert caught.value.kind is Kind.UNAVAILABLE
