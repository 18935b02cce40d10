"""What ``docs/trace.md`` shows is what its commands print."""

from pathlib import Path

import pytest

from docs.shown import shown
from khhw.cli import main
from khhw.machine.results import Results
from khhw.machine.wire import HOP_CYCLES, MESSAGE_CYCLES
from rtl.formats import CHUNK_FLITS

SHOWN = shown()


@pytest.fixture
def folders(folder: Path, pair_folder: Path, medium_folder: Path) -> dict[str, Path]:
    """By the name the page gives them."""
    return {"out/pair": pair_folder, "out/traced": folder, "out/medium": medium_folder}


@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_shown_is_printed(number: int, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    commands, output = SHOWN[number]
    assert main([str(folders.get(word, word)) for word in commands[-1][1:]]) == 0
    assert capsys.readouterr().out == output, "write it again with: python -m docs.shown"


def test_there_is_something_to_compare() -> None:
    assert len(SHOWN) == 4


def test_a_message_takes_what_memcached_is_counted_with(pair_folder: Path) -> None:
    """The least a message takes beside flits and hops, as the wire's share of a memcached operation has it."""
    shortest = min(Results.read(pair_folder / "results.json").results.latency, key=lambda sample: sample.size_bytes)
    assert (shortest.size_bytes, shortest.hops) == (8, 1)
    assert shortest.cycles == MESSAGE_CYCLES + CHUNK_FLITS + HOP_CYCLES
