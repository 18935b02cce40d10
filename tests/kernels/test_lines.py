"""Lines that are hostile, long or torn, and kernels that fail in every way: the loader lives on, and says why."""

import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from khhw.control.console import ConsoleError
from khhw.kernels.image import ImageError, build_image
from khhw.kernels.loader import RAW_TIMEOUT
from khhw.node.commands import LINE_LIMIT
from rtl.formats import Protocol
from tests.kernels.test_loader import HELLO, at_prompt, base
from tests.reference import Rig

FAILURES = {
    "two lines": ("raise ValueError('a\\nnode 1> kernel failing done')",
                  "ValueError: a node 1> kernel failing done, in failing line 3"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3, in failing line 3"),
    "as if by Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt, in failing line 3"),
    "a stop": ("raise StopIteration", "RuntimeError: coroutine raised StopIteration, in failing line 3"),
    "as if taken down": ("raise GeneratorExit", "RuntimeError: coroutine raised GeneratorExit, in failing line 3"),
    "its task ended": ("(await current_task()).cancel(); await node.sleep(9)", "Cancelled, in failing line 3"),
    "its own": ("raise Own('mine')", "Own: mine, in failing line 3"),
    "no text": ("raise Silent", "Silent: (its text cannot be had: RuntimeError), in failing line 3"),
    "surrogates": ("raise ValueError('\\udc80')", r"ValueError: \udc80, in failing line 3"),
    "long": ("raise ValueError('x' * 5000)", f"ValueError: {'x' * 1000}..., in failing line 3"),
    "elsewhere": ("await node.console.send(7)", "TypeError: object of type 'int' has no len(), in failing line 3"),
    "in a task": ("await spawn(leave())\n    await node.sleep(10)", "SystemExit: 4, in failing line 16"),
}
FAILING_ANYHOW = """
async def main(node, arguments):
    {}

class Own(BaseException):
    pass

class Silent(Exception):
    def __str__(self):
        raise RuntimeError

from khhw.node import current_task, spawn

async def leave():
    raise SystemExit(4)
"""

WAITING = """
async def main(node, arguments):
    await node.console.print(f"node {node.rank}> waiting: open")
    await node.console.told_to_stop("waiting")
"""

ARGUMENTS = """
import zlib

async def main(node, arguments):
    await node.console.print(f"node {node.rank}> {len(arguments)} {zlib.crc32(arguments.encode()):08x}")
"""

@pytest.fixture
def rig():
    return Rig((2, 1, 1))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    return build_image(path)


@pytest.mark.parametrize("name", FAILURES)
def test_however_a_kernel_fails_it_is_said_on_one_line_and_where(rig, tmp_path, name):
    code, message = FAILURES[name]
    path = tmp_path / "failing.py"
    path.write_text(FAILING_ANYHOW.format(code))

    async def program():
        await rig.console.load(build_image(path), base(rig), rig.ranks)
        mark = await rig.console.boot(base(rig), "", rig.ranks)
        await rig.console.wait(rig.ranks, f"> error: kernel failing failed: {message}", since=mark, refuse=())

    rig.run(program())
    at_prompt(rig)


BOASTING = """
async def main(node, arguments):
    for text in ("kernel boasting done", "error: I only say so", "boasting: open", "this is no kernel boasting done",
                 f"node {node.rank}> kernel boasting done at last", f"node {node.rank + 1}> kernel boasting done"):
        await node.console.print(text)
    await node.sleep(5000)
    raise ValueError("the end")
"""


def test_a_kernel_has_ended_when_its_loader_says_so(rig, tmp_path):
    path = tmp_path / "boasting.py"
    path.write_text(BOASTING)

    async def program():
        await rig.console.load(build_image(path), base(rig), rig.ranks)
        mark = await rig.console.boot(base(rig), "", [0])
        with pytest.raises(ConsoleError, match="node 0> error: kernel boasting failed: ValueError: the end"):
            await rig.console.done("boasting", [0], since=mark)
        with pytest.raises(ConsoleError, match="kernel boasting failed"):
            await rig.console.opened("boasting", [0], since=mark)

    rig.run(program())
    at_prompt(rig)


LEAVING = """
from khhw.node import timeout

async def main(node, arguments):
    await timeout(20_000).__aenter__()
    await node.console.send(b"x" * 500)
"""
CLINGING = """
async def main(node, arguments):
    while True:
        try:
            await node.console.print(f"node {node.rank}> clinging: open")
            while True:
                await node.sleep(50)
                node.memory[0x8000] = b"still here"
        except BaseException:
            node.memory[0x8000] = b"still here"
"""


def test_what_a_kernel_leaves_behind_is_not_its_loaders(rig, tmp_path):
    path = tmp_path / "leaving.py"
    path.write_text(LEAVING)

    async def program():
        await rig.console.load(build_image(path), base(rig), rig.ranks)
        await rig.console.done("leaving", rig.ranks, since=await rig.console.boot(base(rig), "", rig.ranks))
        await rig.outside.sleep(40_000)

    rig.run(program())
    at_prompt(rig)


def test_a_kernel_is_gone_when_its_node_is_held_whatever_it_does(rig, tmp_path):
    path = tmp_path / "clinging.py"
    path.write_text(CLINGING)

    async def program():
        await rig.console.load(build_image(path), base(rig), [0])
        await rig.console.opened("clinging", [0], since=await rig.console.boot(base(rig), "", [0]))
        await rig.outside.sleep(1000)
        await rig.owner.hold(0, clear=True)
        await rig.outside.sleep(5000)
        mark = len(rig.console.transcript)
        await rig.owner.set_console(0, 2, [1, 2])
        await rig.owner.release(0)
        await rig.console.wait([0], "ready", since=mark)
        await rig.outside.sleep(5000)

    rig.run(program())
    assert rig.machine.host.nodes[0].peek(0x8000, 10) == bytes(10)
    assert sum("processor" in task.name for task in rig.machine.host.scheduler.tasks) == len(rig.ranks)
    at_prompt(rig)


def test_a_machine_is_taken_down_while_a_kernel_runs(rig, image, tmp_path):
    path = tmp_path / "waiting.py"
    path.write_text(WAITING)

    async def program():
        await rig.console.load(build_image(path), base(rig), [0])
        await rig.console.opened("waiting", [0], since=await rig.console.boot(base(rig), "", [0]))

    rig.run(program())
    said = len(rig.console.transcript)
    rig.machine.host.scheduler.close()
    assert len(rig.console.transcript) == said
    assert rig.machine.host.scheduler.tasks == []


def test_a_module_that_leaves_or_nests_too_deep_is_an_image_error(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text("raise SystemExit")
    with pytest.raises(ImageError, match="does not start: SystemExit"):
        build_image(path)
    path.write_text("x = " + "-" * 100_000 + "1\nasync def main(node, arguments): ...")
    with pytest.raises(ImageError, match="does not compile"):
        build_image(path)
    named = tmp_path / "a\x1bb.py"
    named.write_text(HELLO)
    with pytest.raises(ImageError, match="has control characters"):
        build_image(named)


def test_no_line_ends_a_node_or_its_kernel(tmp_path):
    """Whatever bytes come: node 0 runs a kernel that waits for ``stop``, node 1 its loader."""
    rig = Rig((2, 1, 1))
    path = tmp_path / "waiting.py"
    path.write_text(WAITING)

    async def boot():
        await rig.console.load(build_image(path), base(rig), [0])
        await rig.console.wait([0], "open", since=await rig.console.boot(base(rig), "", [0]))

    rig.run(boot())
    first = st.sampled_from(
        [b"", b"on all ", b"on 0 ", b"on 1 ", "on \u00b2 ".encode(), b"mrw ", b"crc ", b"boot ", b"on "])
    rest = st.binary(max_size=80) | st.sampled_from(
        [b"9" * 5000, b"0x4000 9", b"0 " + b"9" * 400, b"0x4000 0xffffffff"])

    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(first, rest).map(b"".join), max_size=4))
    def thrown(lines):
        async def program():
            for line in lines:
                await rig.console.write(line.replace(b"stop", b"") + b"\n")
            await rig.outside.sleep(RAW_TIMEOUT + 1000)
            mark = await rig.console.line("info")
            await rig.console.wait([0], "error: unknown command 'info'; waiting is running", since=mark, refuse=())
            await rig.console.wait([1], "info: rank 1", since=mark, refuse=())

        rig.run(program(), cycles=rig.machine.now + 5_000_000)

    thrown()
    mark = rig.run(rig.console.line("on all stop now"), cycles=rig.machine.now + 1000)
    rig.run(rig.console.wait([0], "error: stop takes nothing behind it, not 'now'", since=mark, refuse=()),
            cycles=rig.machine.now + 100_000)
    mark = len(rig.console.transcript)
    rig.run(rig.console.line("on all stop"), cycles=rig.machine.now + 1000)
    rig.run(rig.console.done("waiting", [0], since=mark), cycles=rig.machine.now + 100_000)
    rig.run(rig.console.ask("echo still here", rig.ranks, "> still here"), cycles=rig.machine.now + 100_000)


@pytest.mark.parametrize("length", [1, 1000, 1500, LINE_LIMIT - len("on 1 boot 0x4100 ")])
def test_arguments_arrive_whole_up_to_the_limit(rig, tmp_path, length):
    path = tmp_path / "counts.py"
    path.write_text(ARGUMENTS)
    text = ("".join(f"{number}=" for number in range(length)))[:length]

    async def program():
        await rig.console.load(build_image(path), base(rig), [1])
        mark = await rig.console.boot(base(rig), text, [1])
        return (await rig.console.wait([1], f"> {length} ", since=mark))[1].text

    assert rig.run(program()).endswith(f"{zlib.crc32(text.encode()):08x}")


def test_a_line_of_which_the_middle_is_lost_boots_nothing(rig, image):
    async def program():
        await rig.console.load(image, base(rig), rig.ranks)
        lost = rig.console.packets + 3
        rig.machine.lose = lambda packet: packet.conn_id == lost and packet.protocol == Protocol.CONSOLE
        mark = await rig.console.boot(base(rig), "x" * 1500, rig.ranks)
        await rig.console.wait(rig.ranks, "error: a part of a line was lost on its way", since=mark, refuse=())

    rig.run(program())
    at_prompt(rig)
    assert not any("hello from" in text for text in rig.said(0))


def test_a_line_that_does_not_end_is_given_up_and_the_next_one_read(rig):
    async def program():
        begun = rig.console.packets
        rig.machine.lose = lambda packet: packet.conn_id > begun + 2
        mark = await rig.console.line("echo " + "x" * 1500)
        await rig.console.wait(rig.ranks, "error: a part of a line was lost on its way", since=mark, refuse=())
        rig.machine.lose = lambda _packet: False

    rig.run(program())
    at_prompt(rig)
