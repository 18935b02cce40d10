"""docs/calls.md names every kind of segment with its number."""

import re
from pathlib import Path

from khhw.net.segments import LONGEST, PREFIX_PAYLOAD, Kind

TEXT = (Path(__file__).parents[2] / "docs" / "calls.md").read_text()


def test_kinds():
    numbers = {}
    for row in re.finditer(r"^\| ([\d, ]+) \| (.*?) \|", TEXT, re.MULTILINE):
        names = re.findall(r"`(\w+)`", row[2])
        numbers |= dict(zip(names, map(int, row[1].split(",")), strict=True))
    assert numbers == {kind.name: int(kind) for kind in Kind}


def test_sizes():
    assert f"up to {LONGEST:,} bytes" in TEXT
    assert f"up to {PREFIX_PAYLOAD} bytes" in TEXT
