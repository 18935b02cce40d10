"""What ``docs/trace.md`` shows is what its commands print."""

from pathlib import Path

import pytest

from docs.shown import printed, shown
from khhw.machine.results import Results
from khhw.machine.wire import HOP_CYCLES, MESSAGE_CYCLES
from rtl.formats import CHUNK_FLITS
from tests.trace.captures import require_tshark

SHOWN = shown()


@pytest.fixture
def folders(folder: Path, pair_folder: Path, medium_folder: Path) -> dict[str, Path]:
    """By the name the page gives them."""
    return {"out/pair": pair_folder, "out/traced": folder, "out/medium": medium_folder}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the files that one command of the page writes and the next one reads."""
    return tmp_path_factory.mktemp("out")


@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_shown_is_printed(number: int, folders: dict[str, Path], written: Path) -> None:
    def local(word: str) -> str:
        return str(folders.get(word) or word.replace("out/", f"{written}/"))

    commands, output = SHOWN[number]
    if commands[-1][0] == "tshark":
        require_tshark()
        files = next(before[-1] for before, _ in SHOWN if "--dissector" in before[-1])
        printed([*map(local, files)])
    found = printed([*map(local, commands[-1])])
    assert found.replace(f"{written}/", "out/") == output, "write it again with: python -m docs.shown"


def test_there_is_something_to_compare() -> None:
    assert len(SHOWN) == 8


def test_a_message_takes_what_memcached_is_counted_with(pair_folder: Path) -> None:
    """The least a message takes beside flits and hops, as the wire's share of a memcached operation has it."""
    shortest = min(Results.read(pair_folder / "results.json").results.latency, key=lambda sample: sample.size_bytes)
    assert (shortest.size_bytes, shortest.hops) == (8, 1)
    assert shortest.cycles == MESSAGE_CYCLES + CHUNK_FLITS + HOP_CYCLES
