"""What `python -m benchmarks.edit` measures is there: the line it changes, the case it waits for, the machine."""

from benchmarks import edit
from khhw.build.testbench import find_testbenches
from khhw.machine.machine import Machine
from tests.machine.machines import TALK


def test_the_line_is_in_the_design():
    assert (edit.ROOT / edit.EDITED).read_text().count(edit.LINE[0]) == 1


def test_the_case_is_in_the_testbench():
    (bench,) = find_testbenches("router")
    assert f"async def {edit.CASE}(" in bench.file.read_text()


def test_the_machine_is_the_talk_s(tmp_path):
    (tmp_path / "machine.toml").write_text(edit.MACHINE)
    machine, talk = Machine.load(tmp_path / "machine.toml").file, Machine.load(TALK).file
    assert (machine.torus, machine.node, machine.parts) == (talk.torus, talk.node, talk.parts)


def test_steps_add_up():
    clock = edit.Clock()
    clock.step("first")
    clock.step("second")
    assert list(clock.steps) == ["first", "second"]
    assert all(step["wall"] >= 0 and step["cpu"] >= 0 for step in clock.steps.values())
