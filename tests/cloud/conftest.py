"""A cloud of eight nodes for each test that wants one."""

import pytest

from tests.cloud.clouds import Cloud


@pytest.fixture
def cloud(tmp_path):
    made = Cloud(tmp_path / "cloud")
    yield made
    made.core.close()
