"""What all tests share: the checkout, seeds that can be repeated, an own build folder where a test asks for one."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.schedule.plugin import (  # noqa: F401  pytest finds its hooks here
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
)

ROOT = Path(__file__).resolve().parents[1]

# A shell lets what it runs in the background ignore Ctrl-C, and children inherit that; tests interrupt themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure; what CI found can be found again.
settings.register_profile("khhw", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("khhw")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture
def khhw_environment(tmp_path: Path) -> dict[str, str]:
    """Environment of a process that imports khhw from the checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


@pytest.fixture
def seed(record_property) -> int:
    """Seed of this run's random choices: $SEED, else 1. Stored with the result."""
    value = int(os.environ.get("SEED") or 1)
    record_property("seed", value)
    return value


@pytest.fixture
def python() -> str:
    """The interpreter, to start processes with."""
    return sys.executable

collect_ignore_glob = ["build/projects/*"]
"""Projects that tests run khhw on; their test modules are cocotb's."""
