"""A cloud of eight nodes for each test that wants one, and one in which much has happened already."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.clouds import Cloud
from tests.cloud.world import Facts, World, build, opened


@pytest.fixture
def cloud(tmp_path):
    """In memory where there is such a folder: a commit waits for the disk, and these tests commit much."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    made = Cloud(folder / "cloud")
    yield made
    made.core.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """A state folder, and what it holds."""
    folder = tmp_path_factory.mktemp("world") / "state"
    return folder, build(folder)


@pytest.fixture
def facts(template: tuple[Path, Facts]) -> Facts:
    """What the store holds."""
    return template[1]


@pytest.fixture
def world(template: tuple[Path, Facts], tmp_path: Path) -> Iterator[World]:
    """A copy that is open."""
    with opened(template[0], tmp_path / "state") as world:
        yield world
