"""The loader and its console, on the reference machine."""

from dataclasses import replace

import pytest

from khhw.control.console import ConsoleError
from khhw.kernels.image import build_image
from khhw.kernels.loader import RAW_TIMEOUT
from khhw.node.tree_packets import TreePacket
from rtl.formats import Protocol, TreeChannel
from tests.reference import Rig

HELLO = """
async def main(node, arguments):
    await node.console.print(f"hello from {node.rank}: {arguments}")
"""
FAILING = """
async def main(node, arguments):
    raise KeyError("nothing there")
"""

CHATTERING = """
from khhw.node import spawn

async def chatter(node):
    while True:
        await node.read("MAGIC")
        await node.sleep(50)

async def main(node, arguments):
    await spawn(chatter(node))
    await node.console.print(f"node {node.rank}> open")
    await node.sleep(int(arguments))
"""


@pytest.fixture
def rig():
    return Rig((2, 1, 1))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    return build_image(path)


def base(rig):
    return rig.machine.layout.image.base


def at_prompt(rig):
    """The nodes still obey."""
    rig.run(rig.console.ask("echo still here", rig.ranks, "> still here"))


def test_all_nodes_answer_one_line(rig):
    answers = rig.run(rig.console.ask("info", rig.ranks, "info:"))
    assert {rank: said.text.split(",")[0] for rank, said in answers.items()} == {
        0: "node 0> info: rank 0 id 0 at (0", 1: "node 1> info: rank 1 id 1 at (1"}


def test_a_command_can_be_for_some_nodes(rig):
    rig.run(rig.console.ask("info", [1], "info:"))
    at_prompt(rig)
    assert not any("info:" in text for text in rig.said(0))


def test_help_names_every_command(rig):
    async def program():
        await rig.console.ask("help", [0], "on NODES COMMAND")

    rig.run(program())
    text = "\n".join(rig.said(0))
    assert all(f"> {name} " in text for name in ("help", "info", "echo", "mrw", "crc", "boot", "reset", "on"))


def test_an_image_is_loaded_checked_and_run(rig, image):
    rig.run(rig.run_kernel(image, "hello", "some text"))
    assert "hello from 1: some text" in rig.said(1)
    assert rig.machine.peek(1, base(rig), len(image)) == image
    at_prompt(rig)


def test_load_time_does_not_depend_on_the_number_of_nodes(image):
    times = []
    for sizes in ((2, 1, 1), (2, 2, 2)):
        rig = Rig(sizes)
        times.append(rig.run(rig.console.load(image, base(rig), rig.ranks)).sent)
    assert times[0] == times[1]


@pytest.mark.parametrize(("command", "message"), [
    ("fly", "error: unknown command 'fly'; type help"),
    ("mrw 1", "error: mrw takes ADDRESS LENGTH, not '1'"),
    ("mrw x 1", "error: mrw takes ADDRESS LENGTH, not 'x 1'"),
    ("mrw 0xfff0 17", "error: mrw: 17 bytes at 0xfff0 leave the memory of 65536 bytes"),
    ("crc 0x8000 0", "error: crc: there is nothing to do with 0 bytes"),
    ("boot", "error: boot takes ADDRESS [ARGUMENTS], not ''"),
    ("boot twice 1", "error: boot takes ADDRESS [ARGUMENTS], not 'twice 1'"),
    ("reset now", "error: reset takes nothing behind it, not 'now'"),
    ("info rank", "error: info takes nothing behind it, not 'rank'"),
    ("boot 0x8000", "error: No image: memory holds 00000000"),
    ("boot 0xffff0", "leave the memory"),
    ("on 0-x info", "error: '0-x' is no list of nodes"),
    ("on 3-1 info", "error: '3-1' in a list of nodes counts down"),
])
def test_a_wrong_command_is_answered_and_forgotten(rig, command, message):
    async def program():
        mark = await rig.console.line(command)
        await rig.console.wait(rig.ranks, message, since=mark, refuse=())

    rig.run(program())
    at_prompt(rig)


def test_mrw_does_not_overwrite_the_loader(rig):
    async def program():
        mark = await rig.console.line("mrw 0x100 500")
        await rig.console.write(b"help\n" * 100, raw=True)
        await rig.console.wait(rig.ranks, "error: mrw: 0x100 is in the loader's own area", since=mark, refuse=())

    rig.run(program())
    at_prompt(rig)
    assert not any("this text" in text for text in rig.said(0)), "raw data was taken for commands"


def test_a_truncated_image_is_noticed_after_a_while(rig, image):
    async def program():
        mark = await rig.console.line(f"mrw {base(rig):#x} {len(image) + 1000}")
        began = rig.machine.now
        await rig.console.write(image, raw=True)
        await rig.console.wait(
            rig.ranks, f"error: mrw: {len(image)} of {len(image) + 1000} bytes arrived, the image is truncated",
            since=mark, refuse=())
        return rig.machine.now - began

    assert rig.run(program()) > RAW_TIMEOUT
    at_prompt(rig)


def test_the_late_rest_of_a_truncated_image_is_not_taken_for_text(rig):
    async def program():
        mark = await rig.console.line(f"mrw {base(rig):#x} 720")
        await rig.console.write(b"x" * 240, raw=True)
        await rig.console.wait(rig.ranks, "truncated", since=mark, refuse=())
        await rig.console.write(b"help\n" * 96, raw=True)

    rig.run(program())
    at_prompt(rig)
    assert not any("unknown" in text or "this text" in text for text in rig.said(0))


def test_a_lost_packet_leaves_a_hole_and_shifts_nothing(rig):
    data = bytes(range(240)) * 4
    seen = []

    def lose(packet: TreePacket) -> bool:
        seen.append(packet)
        return len([p for p in seen if p.payload == packet.payload and p.protocol == Protocol.CONSOLE]) == 2

    async def program():
        mark = await rig.console.line(f"mrw {base(rig):#x} {len(data)}")
        await rig.console.write(data, raw=True)
        await rig.console.wait(rig.ranks, "720 of 960 bytes arrived", since=mark, refuse=())

    rig.machine.lose = lose
    rig.run(program())
    assert rig.machine.peek(0, base(rig), len(data)) == data[:240] + bytes(240) + data[480:]
    at_prompt(rig)


def test_a_lost_last_packet_is_noticed_by_the_next_command(rig):
    data = bytes(480)

    async def program():
        mark = await rig.console.line(f"mrw {base(rig):#x} {len(data)}")
        rig.machine.lose = lambda packet: packet.conn_id == 2
        await rig.console.write(data, raw=True)
        await rig.outside.sleep(500)
        rig.machine.lose = lambda _packet: False
        await rig.console.line("echo next")
        await rig.console.wait(rig.ranks, "> next", since=mark, refuse=())

    rig.run(program())
    assert "node 0> error: mrw: 240 of 480 bytes arrived, the image is truncated" in rig.said(0)


def test_more_data_than_announced_is_dropped_and_said(rig):
    async def program():
        mark = await rig.console.line(f"mrw {base(rig):#x} 8")
        await rig.console.write(b"12345678help\n", raw=True)
        await rig.console.wait(rig.ranks, "error: mrw: 5 bytes more than the 8 announced", since=mark, refuse=())

    rig.run(program())
    assert rig.machine.peek(0, base(rig), 9) == b"12345678\0"
    at_prompt(rig)


def test_another_nodes_image_passes_by(rig, image):
    async def program():
        await rig.console.load(image, base(rig), [1])

    rig.run(program())
    assert rig.machine.peek(0, base(rig), 8) == bytes(8)
    at_prompt(rig)
    assert not any("error" in text for text in rig.said(0))


def test_one_flipped_bit_refuses_to_boot(rig, image):
    async def program():
        await rig.console.load(image, base(rig), rig.ranks)
        address = base(rig) + len(image) - 3
        rig.machine.poke(1, address, bytes([rig.machine.peek(1, address, 1)[0] ^ 4]))
        mark = await rig.console.boot(base(rig), "", rig.ranks)
        await rig.console.wait([1], "error: Wrong checksum", since=mark, refuse=())
        await rig.console.done("hello", [0], since=mark)

    rig.run(program())
    assert not any("hello from" in text for text in rig.said(1))
    at_prompt(rig)


def test_the_outside_finds_a_wrong_checksum_after_loading(rig, image):
    send = rig.outside.send

    async def damaged(packet, channel):
        await send(replace(packet, payload=packet.payload.replace(image[100:110], bytes(10))), channel)

    rig.outside.send = damaged
    with pytest.raises(ConsoleError, match=r"node \d holds a damaged image: .*, it should be [0-9a-f]{8}"):
        rig.run(rig.console.load(image, base(rig), rig.ranks))


def test_a_failing_kernel_is_reported(rig, tmp_path):
    path = tmp_path / "failing.py"
    path.write_text(FAILING)

    async def program():
        await rig.console.load(build_image(path), base(rig), rig.ranks)
        mark = await rig.console.boot(base(rig), "", rig.ranks)
        await rig.console.wait(
            rig.ranks, "error: kernel failing failed: KeyError: 'nothing there'", since=mark, refuse=())

    rig.run(program())
    at_prompt(rig)


def test_text_of_other_nodes_is_no_command(rig):
    async def program():
        packet = TreePacket(protocol=Protocol.CONSOLE, payload=b"echo evil\n", dst_key=1, source=1)
        rig.machine.nodes[0].active = {("COLUMN", 0): 3}
        rig.machine.spread(packet, TreeChannel.TENANT)
        await rig.outside.sleep(2000)

    rig.run(program())
    assert not any("evil" in text for text in rig.said(0))


def test_reset_clears_what_a_kernel_left(rig):
    async def program():
        rig.machine.poke(0, base(rig), b"left over")
        mark = await rig.console.line("reset")
        await rig.console.wait(rig.ranks, "ready", since=mark)

    rig.run(program())
    assert rig.machine.peek(0, base(rig), 9) == bytes(9)
    at_prompt(rig)


def test_lines_may_come_in_pieces(rig):
    async def program():
        mark = len(rig.console.transcript)
        await rig.console.write(b"echo in ")
        await rig.console.write(b"pieces\necho and more\n")
        await rig.console.wait(rig.ranks, "> in pieces", since=mark)
        await rig.console.wait(rig.ranks, "> and more", since=mark)

    rig.run(program())


@pytest.fixture
def chattering(tmp_path):
    path = tmp_path / "chattering.py"
    path.write_text(CHATTERING)
    return build_image(path)


def tasks_of(rig, rank):
    return [task.name for task in rig.machine.host.scheduler.tasks if task.rank == rank]


def test_what_a_kernel_started_ends_with_it(rig, chattering):
    rig.run(rig.run_kernel(chattering, "chattering", "500", [0]))
    assert "processor" in tasks_of(rig, 0)
    assert "chatter" not in tasks_of(rig, 0)


def test_a_held_node_starts_again_from_its_loader(rig, chattering):
    async def program():
        await rig.console.load(chattering, base(rig), [0])
        mark = await rig.console.boot(base(rig), "1000000", [0])
        await rig.console.wait([0], "open", since=mark)
        assert "chatter" in tasks_of(rig, 0)
        await rig.owner.hold(0)
        await rig.outside.sleep(2000)
        assert tasks_of(rig, 0) == []
        mark = len(rig.console.transcript)
        await rig.owner.release(0)
        await rig.console.wait([0], "ready", since=mark)

    rig.run(program())
    at_prompt(rig)
    assert not any("failed" in text for text in rig.said(0))


def test_indices_in_a_transcript_of_which_little_is_kept_stay_right(rig):
    async def program():
        await rig.console.ask("echo first", rig.ranks, "> first")
        rig.console.keep = 4
        for number in range(20):
            answers = await rig.console.ask(f"echo {number} again", rig.ranks, "again")
            assert [said.text for said in answers.values()] == [f"node {rank}> {number} again" for rank in rig.ranks]
        with pytest.raises(ConsoleError, match="did not say 'again'"):
            await rig.console.wait(rig.ranks, "again", since=await rig.console.line("echo other"), limit=5000)

    rig.run(program())
    assert 4 <= len(rig.console.transcript) <= 8


@pytest.mark.parametrize("length", ["²", "0x12c"])
def test_a_raw_write_for_others_is_nothing_to_this_node(rig, length):
    async def program():
        await rig.console.line(f"mrw {base(rig):#x} {length}", [1])
        await rig.console.write(b"echo stray\n" * 27 + b"xyz" if length == "0x12c" else b"", raw=True)
        await rig.outside.sleep(50_000)

    rig.run(program())
    assert not any("error" in text or "stray" in text for text in rig.said(0))


@pytest.mark.filterwarnings("ignore:coroutine")
def test_what_a_kernel_did_not_await_is_on_its_console(rig, tmp_path):
    path = tmp_path / "forgets.py"
    path.write_text("async def main(node, arguments):\n    node.console.print('lost')\n")
    rig.run(rig.console.load(build_image(path), base(rig), [0]))
    rig.run(rig.console.ask(f"boot {base(rig):#x}", [0], "kernel forgets done"))
    assert "node 0> warning: never awaited: 1 coroutine in forgets line 2; what it calls does nothing without await" \
        in rig.said(0)
    at_prompt(rig)
