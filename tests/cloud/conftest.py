"""A cloud of eight nodes for each test that wants one."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cloud.clouds import Cloud


@pytest.fixture
def cloud(tmp_path):
    """In memory where there is such a folder: a commit waits for the disk, and these tests commit much."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    made = Cloud(folder / "cloud")
    yield made
    made.core.close()
    shutil.rmtree(folder)
