"""What the engine says of what it cannot use."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from khhw.build import cache
from khhw.build.cache import build_once
from khhw.build.engine import LIBRARY, EngineBuild, build_engine
from khhw.errors import RequestError
from khhw.host.transport import BusError
from khhw.machine.machine import Machine
from khhw.sim.engine import Engine
from rtl.parameters import Parameters

ROOT = Path(__file__).parents[3]
PAIR = ROOT / "examples" / "pair.toml"


@pytest.fixture(scope="module")
def build() -> EngineBuild:
    return build_engine({"traffic": True})


def test_without_a_compiler_the_package_to_install_is_named(tmp_path: Path, python: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("make", "perl"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    environment = {**os.environ, "PATH": str(tools), "PYTHONPATH": str(ROOT), "KHHW_BUILD": str(tmp_path / "build")}
    ended = subprocess.run([python, "-m", "khhw", "run", str(PAIR), "--engine", "native", "-o", str(tmp_path / "out")],
                           env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "g++ 10 or newer (apt-get install g++)" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("damage", [lambda data: data[:len(data) // 2], lambda data: b"\0" + data[1:]])
def test_a_damaged_library_is_not_loaded(
    build: EngineBuild, tmp_path: Path, damage: Callable[[bytes], bytes],
) -> None:
    copy = replace(build, folder=tmp_path / "kept")
    shutil.copytree(build.folder, copy.folder)
    (copy.folder / LIBRARY).write_bytes(damage((copy.folder / LIBRARY).read_bytes()))
    with pytest.raises(RequestError, match=rf"is damaged: remove {copy.folder}, and it is built again"):
        Engine(copy, (2, 1, 1))


def test_a_full_disk_is_named_and_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage._replace(free=0))

    def fill(folder: Path) -> None:
        (folder / "half").write_text("half")
        with open("/dev/full", "w") as full:
            full.write("whole")

    with pytest.raises(RequestError, match=r"the disk with .*engine is full: make room, or set KHHW_BUILD"):
        build_once(tmp_path / "engine", {}, fill)
    monkeypatch.undo()
    build_once(tmp_path / "engine", {}, lambda folder: (folder / "whole").touch())
    assert not (tmp_path / "engine" / "half").exists()


def test_there_are_two_engines() -> None:
    with pytest.raises(RequestError, match="no engine 'fast'; there are cocotb, native"):
        Machine.load(PAIR, engine="fast")  # type: ignore[arg-type]


def test_a_router_whose_cables_leave_from_logic_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loose.py").write_text(
        "from amaranth.hdl import Module\nfrom amaranth.lib import wiring\n"
        "from rtl.signatures import router_signature\n"
        "class Loose(wiring.Component):\n"
        "    def __init__(self, parameters):\n        super().__init__(router_signature(parameters))\n"
        "    def elaborate(self, platform):\n        m = Module()\n"
        "        m.d.comb += self.tx[0].valid.eq(self.inject[0].valid)\n        return m\n")
    with pytest.raises(RequestError, match="output tx__0__valid does not come from a register: cables must"):
        build_engine(Parameters().as_dict(), {"router": "loose:Loose"}, path=[tmp_path])


def test_held_nodes_refuse_and_ranks_are_checked(build: EngineBuild) -> None:
    with Engine(build, (3, 1, 1), threads=1) as engine:
        with pytest.raises(BusError):
            engine.read([0, 2], 0)
        for ranks in ([0, 0], [3], [-1]):
            with pytest.raises(ValueError, match=r"ranks are from 0 to 2|each rank at most once"):
                engine.read(ranks, 0)
        for peek in ((3, 0, 4), (0, 65536, 1), (0, -1, 1), (0, 65530, 8)):
            with pytest.raises((ValueError, IndexError), match=r"ranks are from 0 to 2|not in a memory of 65536 bytes"):
                engine.peek(*peek)
        with pytest.raises(ValueError, match="type uint8"):
            engine.poke_all([0], [0], np.zeros((1, 4), np.int64))
        with pytest.raises(ValueError, match="2 ranks, but data for 1"):
            engine.poke_all([0, 1], [0, 0], np.zeros((1, 4), np.uint8))
        with pytest.raises(ValueError, match="addresses have 24 bits"):
            engine.write([0], 1 << 24, 0)
        with pytest.raises(ValueError, match="vectors and masks are 3 bytes"):
            engine.run_until(cycle=9, vector=engine.irq[:2])
        engine.start_accesses([(0, 0, None)])
        with pytest.raises(RuntimeError, match="under way"):
            engine.read([1], 0)
        with pytest.raises(ValueError, match="a packet for each of 3 nodes, not 2"):
            engine.serve(np.zeros((2, 4), np.uint64))
        with pytest.raises(LookupError, match=r"no register router.nowhere\[0\] to be seen in node 1"):
            engine.read_name(1, "router.nowhere")
        engine.close()
        with pytest.raises(RuntimeError, match="the engine is closed"):
            engine.run(1)
        assert not hasattr(engine, "irq")


@pytest.mark.parametrize(("shape", "words"), [
    ((0, 1, 1), "three sizes from 1 to 64"), ((8, 8, 8), "table_nodes is 64, too few for the ids"),
    ((64, 64, 32), "16 are the limit"),
])
def test_a_torus_that_cannot_be_is_refused(shape: tuple[int, int, int], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        Engine.open(shape, Parameters())
