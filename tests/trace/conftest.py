"""Traced runs of two nodes in RTL, each run once whatever tests look at it."""

import os
from pathlib import Path

import pytest

from khhw.build.cache import lock
from khhw.machine.machine import Machine

ROOT = Path(__file__).parents[2]


def traced(machine: Path, base: Path) -> Path:
    """Folder of a run with waves, one for all processes that test."""
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / machine.stem
    with lock(folder):
        if not (folder / "results.json").is_file():
            Machine.load(machine).run(folder, waves=True)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``traced.toml``."""
    return traced(Path(__file__).with_name("traced.toml"), tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of ``examples/pair.toml``, which shares its build with the other."""
    return traced(ROOT / "examples" / "pair.toml", tmp_path_factory.getbasetemp())
