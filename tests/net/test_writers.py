"""Whose puts a window takes: on the RTL of six nodes that may all send to each other; and keys, on reference nodes."""

from dataclasses import replace

import pytest

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.host.scheduler import sleep
from khhw.host.sync import scope
from khhw.net import ANY, Buffer, Net, RemoteBuffer, rdma_get, rdma_put
from khhw.net.keys import KEYS, Keys
from khhw.node import Node, put_descriptor
from rtl.formats import Reason
from rtl.parameters import Parameters
from tests.net.pair import Nets

ASKS, SERVES, STRANGER = 0, 4, 5
"""Ranks in a torus of 3 x 2, where node ids are others: 0, 5 and 6."""
LENGTH = 4096
DATA = bytes(range(256)) * (LENGTH // 256)
SHOT = b"\xEE" * 8


class Six:
    """A machine, and what the programs on three of its nodes tell each other."""

    def __init__(self):
        self.machine = OwnedMachine((3, 2, 1), Parameters(traffic=True))
        self.told = {}

    def tell(self, **what):
        self.told |= what

    async def hear(self, name):
        while name not in self.told:
            await sleep(10)
        return self.told[name]

    def run(self, **programs):
        """program(net) on the nodes of these names, beside each other; their results by name."""
        ranks = {"asks": ASKS, "serves": SERVES, "stranger": STRANGER}

        async def live(name):
            async with scope():
                net = await Net.open(await Node.open(self.machine.host.nodes[ranks[name]]))
                result = await programs[name](net)
                self.tell(**{f"{name} ended": True})
                # Nobody leaves while others may still ask.
                for other in programs:
                    await self.hear(f"{other} ended")
                await net.close()
                return result

        async def main():
            await self.machine.change(Domains.from_rules(["* -> *"], 6))
            spawn = self.machine.host.scheduler.spawn
            tasks = {name: spawn(live(name), rank=ranks[name], name=name) for name in programs}
            return {name: await task for name, task in tasks.items()}

        return self.machine.run(main, max_cycles=1_000_000)


def test_a_get_under_way_takes_nothing_of_others():
    """A third node that may send here, and knows counter and key, puts into the buffer of a get."""
    six, offsets = Six(), range(0, LENGTH, 256)

    async def asks(net):
        remote = RemoteBuffer.parse(await six.hear("window"), SERVES)
        buffer = Buffer(net.heap.base, LENGTH)
        transfer = await rdma_get(SERVES, buffer, remote)
        six.tell(target=(transfer._counter, transfer._key))
        await transfer.done()
        found, early = net.node.memory.read(buffer.address, LENGTH), await net.node.read("COUNTER_DROPS")
        await six.hear("stranger ended")
        await net.node.sleep(500)
        return found, early, net.node.memory.read(buffer.address, LENGTH), await net.node.read("COUNTER_DROPS")

    async def serves(net):
        net.node.memory[net.heap.base] = DATA
        window = await net.register(net.heap.base, LENGTH, read=ASKS)
        six.tell(window=window.export())

    async def stranger(net):
        node = net.node
        node.memory[net.heap.base] = SHOT
        counter, key = await six.hear("target")
        target = node.shape.coordinate(ASKS)
        await node.sender.post(*(put_descriptor(target, counter, offset, net.heap.base, len(SHOT), key=key)
                                 for offset in offsets))
        return await node.read("REFUSED", Reason.ROW)

    ended = six.run(asks=asks, serves=serves, stranger=stranger)
    found, early, after, late = ended["asks"]
    assert ended["stranger"] == 0, "its guard lets all of them go"
    assert early > 0, "some came while the get was under way"
    assert found == after == DATA
    assert late == len(offsets)


def test_a_window_takes_puts_of_its_writer_with_its_key():
    six = Six()

    async def asks(net):
        base, found = net.heap.base, {}
        net.node.memory.clear(base, 3 * 64)
        for number, writer in enumerate((SERVES, STRANGER, ANY)):
            window = await net.register(base + 64 * number, 64, write=writer)
            six.tell(**{f"window {number}": window.export()})
        for name in ("serves", "stranger"):
            await six.hear(f"{name} ended")
        await net.node.sleep(500)
        found = [net.node.memory.read(base + 64 * number, 32) for number in range(3)]
        return found, await net.node.read("COUNTER_DROPS")

    def writes(offset, content):
        async def program(net):
            net.node.memory[net.heap.base] = content
            for number in range(3):
                remote = RemoteBuffer.parse(await six.hear(f"window {number}"), ASKS)
                here, other = Buffer(net.heap.base, 8), replace(remote, key=remote.key ^ 32)
                await (await rdma_put(remote.slice(offset, 8), here)).done()
                await (await rdma_put(other.slice(offset + 16, 8), here)).done()
        return program

    found, drops = six.run(asks=asks, serves=writes(0, b"serves.."), stranger=writes(8, b"stranger"))["asks"]
    assert found == [b"serves.." + bytes(24), bytes(8) + b"stranger" + bytes(16), b"serves..stranger" + bytes(16)]
    assert drops == 2 + 6, "two of another node, and all with another key"


def test_a_closed_window_takes_nothing_when_its_counter_is_open_again():
    """Puts that come late, with an export of the window before, have another key."""
    stale = []

    async def client(net):
        while len(stale) < 2:
            await net.node.sleep(100)
        net.node.memory[net.heap.base] = b"lateback"
        for export in stale:
            await (await rdma_put(RemoteBuffer.parse(export, 1), Buffer(net.heap.base, 8))).done()
        stale.append(None)

    async def server(net):
        net.node.memory.clear(net.heap.base, 64)
        windows = []
        for _ in range(9):
            windows.append(await net.register(net.heap.base, 64, write=0))
            await windows[-1].close()
        second = await net.register(net.heap.base, 64, write=0)
        first = next(window for window in windows if window.writes == second.writes)
        assert first.key != second.key
        stale.extend([first.export()] * 2)
        while len(stale) < 3:
            await net.node.sleep(100)
        await net.node.sleep(500)
        return net.node.memory.read(net.heap.base, 8), await net.node.read("COUNTER_DROPS")

    assert Nets().run(client, server)[1] == (bytes(8), 2)


def test_a_right_is_given_to_somebody():
    async def program(net):
        for rights in ({"write": True}, {"read": False}):
            with pytest.raises(TypeError, match="is a rank, ANY or None, not"):
                await net.register(net.heap.base, 64, **rights)
        with pytest.raises(ValueError, match="Node 2 is not in a 2x1x1 torus"):
            await net.register(net.heap.base, 64, write=2)

    Nets().run(program)


def test_keys_go_round():
    keys = Keys(70)
    taken = [keys.take() for _ in range(KEYS)]
    assert taken[:3] == [6, 7, 8] and sorted(taken) == list(range(KEYS))
    assert not keys
    keys.give(9)
    keys.give(6)
    assert [keys.take(), keys.take()] == [9, 6]


def test_a_key_that_may_come_late_rests():
    """Gets without an answer use up the keys of a counter, not the counter; in the end it waits for a key."""
    async def client(net):
        pool, keys = net.counters.reception_pool, net.counters._keys
        while len(pool._free) > 1:
            await pool.take()
        [number] = pool._free
        used = []
        for _ in range(KEYS):
            transfer = await rdma_get(1, Buffer(net.heap.base, 64), RemoteBuffer(1, 1, None, 1, 0, 64))
            used.append(transfer._key)
            transfer.give_back(came=False)
        assert sorted(used) == list(range(KEYS)) and not keys[number]
        began = net.node.now
        transfer = await rdma_get(1, Buffer(net.heap.base, 64), RemoteBuffer(1, 1, None, 1, 0, 64))
        transfer.give_back(came=True)
        return transfer._key == used[0], net.node.now - began

    first, waited = Nets("0 -> 0").run(client)[0]
    assert first
    assert 50_000 < waited <= 100_000
