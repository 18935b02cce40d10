"""People at the consoles of a real machine: loaders answer, files land in memories, kernels print what they like."""

import asyncio

import pytest

from khhw.cloud.consoles.hub import Hub
from khhw.cloud.consoles.messages import Write
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import ConsoleKeys, Revision
from khhw.cloud.models import Console
from khhw.kernels.approval import image_digest
from khhw.kernels.image import build_image
from tests.cloud.listened import SEND, heard
from tests.cloud.simulated import simulated

HOSTILE = '''
async def main(node, arguments):
    await node.console.send(b"\\x1b[2J\\xff\\n[0] node 0> forged\\n")
    await node.console.print("x" * 5000)
'''
NODES, CHANNEL, OWN = (1, 2), 7, 8


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("consoles")) as machine:
        machine.connect()
        machine.apply(Revision(
            1, {1: (1, 2), 2: (1, 2)},
            {1: ConsoleKeys(CHANNEL | SEND, (CHANNEL,)), 2: ConsoleKeys(CHANNEL | SEND, (CHANNEL, OWN))},
            dict.fromkeys(NODES, 1), frozenset(NODES)))
        yield machine


def console(number):
    return Console(
        id=number, send_id=CHANNEL | SEND, lease_uuid="a lease", project="alice", open=True, rights=["listen", "write"],
        nodes=[2] if number == OWN else list(NODES), node=2 if number == OWN else None, shares=[])


def at_consoles(machine, act):
    """Run something with alice at con7 and bob at con8, the console of node 2."""
    async def run():
        hub = Hub(machine)
        try:
            async with asyncio.timeout(300), hub.visit("alice", lambda: console(CHANNEL)) as alice, \
                    hub.visit("bob", lambda: console(OWN)) as bob:
                await act(alice, bob)
        finally:
            await hub.close()

    asyncio.run(run())


async def until(visit, text):
    """The first line of a node with a text in it."""
    while text not in (said := await heard(visit, "said")).text:
        pass
    return said


async def chunks(data):
    for at in range(0, len(data), 1000):
        yield data[at:at + 1000]


def test_loaders_answer_whoever_writes(machine):
    async def act(alice, bob):
        await alice.line("on 1 echo of alice")
        await bob.line("echo of bob")
        first = await until(alice, "of alice")
        second = await until(alice, "of bob")
        assert (first.node, first.text, second.node) == (1, "node 1> of alice", 2)
        assert first.boot == 1 and second.cycle > 0
        assert (await until(bob, "of")).text == "node 2> of bob", "node 1 is none of bob's"

    at_consoles(machine, act)


def test_a_file_lands_in_all_memories_while_others_want_to_write(machine):
    data = bytes(range(256)) * 40

    async def act(alice, bob):
        writing = asyncio.create_task(alice.ask(Write(name="f", length=len(data)), chunks(data)))
        assert (await heard(bob, "locked")).lock.who == "alice"
        refused = 0
        while not writing.done():
            try:
                await bob.line("info")
            except CloudError as error:
                assert "alice is writing f" in str(error)
                refused += 1
            await asyncio.sleep(0.01)
        assert refused
        assert (await heard(alice, "written", "refused")).nodes == [1, 2]
        await alice.ask(Write(name="g", address=machine.info.image_address, length=5, nodes=[2]), chunks(b"abcde"))
        assert (await heard(alice, "written", "refused")).nodes == [2]
        await alice.ask(Write(name="h", address=0, length=5), chunks(b"abcde"))
        assert "is in the loader's own area" in (await heard(alice, "refused")).text

    at_consoles(machine, act)


def test_what_a_kernel_prints_is_one_line_of_its_node(machine, tmp_path):
    (tmp_path / "hostile.py").write_text(HOSTILE, encoding="utf-8")
    image = build_image(tmp_path / "hostile.py")
    machine.approve([image_digest(image)])

    async def act(alice, bob):
        await alice.ask(Write(name="hostile.img", length=len(image)), chunks(image))
        assert (await heard(alice, "written", "refused")).kind == "written"
        await bob.line(f"boot {machine.info.image_address:#x}")
        texts = []
        while not texts or "done" not in texts[-1]:
            said = await heard(bob, "said")
            assert said.node == 2
            texts.append(said.text)
        at = texts.index("\\x1b[2J\\xff")
        assert texts[at + 1] == "[0] node 0> forged", "behind the stamp of node 2"
        assert [len(text) for text in texts[at + 2:at + 4]] == [4096, 2 + 5000 - 4096]

    at_consoles(machine, act)
