"""Traced runs of two nodes in RTL, each run once whatever tests look at it."""

import os
from pathlib import Path

import pytest

from khhw.build.cache import lock
from khhw.machine.machine import EngineName, Machine
from khhw.machine.waves import WavesChoice

ROOT = Path(__file__).parents[2]
TRACED = Path(__file__).with_name("traced.toml")
PAIR = ROOT / "examples" / "pair.toml"
MEDIUM = ROOT / "examples" / "medium.toml"


def traced(
    machine: Path, base: Path, engine: EngineName = "cocotb", waves: bool | WavesChoice = True,
) -> Path:
    """Folder of a run with waves, one for all processes that test."""
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"{machine.stem}-{engine}"
    with lock(folder):
        if not (folder / "results.json").is_file():
            Machine.load(machine, engine=engine).run(folder, waves=waves)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``traced.toml``, on the native engine; ``test_native.py`` compares its waves with those of cocotb."""
    return traced(TRACED, tmp_path_factory.getbasetemp(), "native")


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``examples/pair.toml``, which shares its build with the other."""
    return traced(PAIR, tmp_path_factory.getbasetemp(), "native")


@pytest.fixture(scope="session")
def medium_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``examples/medium.toml`` on the native engine, with waves of the nodes on the way of its packets."""
    return traced(MEDIUM, tmp_path_factory.getbasetemp(), "native", WavesChoice.parse("0-2,6,10,26", None))
