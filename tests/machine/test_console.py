"""The loader's console on eight nodes of RTL: what goes wrong is said, and every node is at its prompt again."""

import re
from pathlib import Path

import pytest

from khhw.control.console import CONTINUED
from khhw.kernels.image import build_image
from khhw.machine.machine import Machine
from khhw.node.commands import LINE_LIMIT
from khhw.sim.options import Options
from khhw.sim.process import Request, run
from tests.machine.console_program import numbers
from tests.machine.machines import KERNELS, NODES, write_machine

Heard = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def image() -> bytes:
    return build_image(KERNELS / "greet.py")


@pytest.fixture(scope="module")
def heard(image: bytes, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """What each node said, by trial; that it was at its prompt after each trial is checked in there."""
    folder = tmp_path_factory.mktemp("console")
    code = (KERNELS / "greet.py").read_text().replace("greetings", "goodbye")
    (folder / "greet.py").write_text(code)
    machine = Machine.load(write_machine(folder, ""), engine="native")
    request = Request(
        entry="console_program:trials", nodes=NODES, memory_bytes=machine.file.node.memory_bytes,
        arguments={"shape": machine.file.torus.shape, "images": [image.hex(), build_image(folder / "greet.py").hex()]},
        options=Options(max_cycles=1_000_000))
    done = run(machine.build(), request, folder, path=[Path(__file__).parent])
    assert done.finished, done.message
    heard: Heard = done.results["heard"]
    return heard


def test_help_names_every_command(heard: Heard) -> None:
    for lines in heard["help"]:
        assert [line.split()[0] for line in lines] == ["help", "info", "echo", "mrw", "crc", "boot", "reset", "on"]


def test_info_tells_nodes_apart(heard: Heard) -> None:
    found = [re.match(r"info: rank (\d) id \d at \((\d), (\d), (\d)\) of 2x2x2", line) for (line,) in heard["info"]]
    assert [tuple(map(int, match.groups())) for match in found if match] == [
        (rank, rank & 1, rank >> 1 & 1, rank >> 2) for rank in range(NODES)]


def test_an_unknown_command_is_named(heard: Heard) -> None:
    assert heard["unknown"] == [["error: unknown command 'fly'; type help"]] * NODES


def test_a_truncated_image_is_noticed(heard: Heard, image: bytes) -> None:
    message = f"error: mrw: 240 of {len(image)} bytes arrived, the image is truncated"
    assert heard["truncated"] == [[message]] * NODES


def test_one_flipped_bit_refuses_to_boot(heard: Heard) -> None:
    for rank, (*_, last) in enumerate(heard["flipped"]):
        assert last.startswith("error: " if rank else "kernel greet done"), f"node {rank}: {last}"
        assert ("greetings, friend" in heard["flipped"][rank]) == (rank == 0)
    assert "Wrong checksum" in heard["flipped"][NODES - 1][-1]


def test_what_runs_is_what_memory_holds(heard: Heard) -> None:
    greetings = [lines[-2] for lines in heard["exchanged"]]
    assert greetings == ["goodbye, friend" if rank == 2 else "greetings, friend" for rank in range(NODES)]


def test_the_longest_arguments_arrive_whole(heard: Heard) -> None:
    for lines in heard["arguments"]:
        text = "".join(line.removeprefix(CONTINUED) for line in lines[-6:-1]).removeprefix("greetings, ")
        assert LINE_LIMIT - 20 < len(text) < LINE_LIMIT
        assert text == numbers(len(text))
        assert lines[-1] == "kernel greet done"


def test_a_reset_node_has_no_image(heard: Heard) -> None:
    assert [lines[-1] for lines in heard["reset"]] == ["error: No image: memory holds 00000000, not 4b484b49"] * NODES
