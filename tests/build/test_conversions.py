"""A conversion is found again wherever the same imports end at the same files, and nowhere else."""

import sys
from pathlib import Path

import pytest

from khhw.build import design
from khhw.build.conversions import Conversion, keep, load, providers
from khhw.build.design import convert

PROJECT = Path(__file__).parent / "projects" / "running_sum"
SUM = "running_sum:RunningSum"


@pytest.fixture
def converted(tmp_path, monkeypatch) -> list[str]:
    """Targets in the order in which they are converted, in a build folder of one's own."""
    monkeypatch.setenv("KHHW_BUILD", str(tmp_path / "build"))
    converter, seen = design._converter, []

    def counted(request):
        seen.append(request["target"])
        return converter(request)

    monkeypatch.setattr(design, "_converter", counted)
    return seen


def folder(parent: Path, name: str, **files: str) -> Path:
    """A folder with Python files."""
    made = parent / name
    made.mkdir()
    for stem, text in files.items():
        (made / f"{stem}.py").write_text(text)
    return made


def test_a_folder_without_anything_of_it_makes_no_difference(converted, tmp_path, monkeypatch):
    first = convert(SUM, path=[PROJECT])
    other = folder(tmp_path, "other", unrelated="")
    assert convert(SUM, path=[other, PROJECT]) == first
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(other)
    assert convert(SUM, path=[PROJECT]) == first
    assert len(converted) == 1


def test_another_file_of_the_name_is_another_design(converted, tmp_path):
    text = (PROJECT / "running_sum.py").read_text()
    mine = folder(tmp_path, "mine", running_sum=text.replace("payload + self.i", "payload - self.i"))
    theirs = convert(SUM, path=[PROJECT])
    for _ in range(2):
        assert convert(SUM, path=[mine, PROJECT]).sources != theirs.sources
        assert convert(SUM, path=[PROJECT, mine]) == theirs
    assert len(converted) == 2, "both are kept"


@pytest.mark.parametrize("name", ["amaranth", "typing"])
def test_what_hides_a_library_is_imported(converted, tmp_path, name):
    convert(SUM, path=[PROJECT])
    hiding = folder(tmp_path, "hiding", **{name: "raise RuntimeError('hidden')"})
    with pytest.raises(design.BuildError, match="hidden"):
        convert(SUM, path=[hiding, PROJECT])


def test_the_working_folder_is_not_imported_from(converted, tmp_path, monkeypatch):
    monkeypatch.chdir(folder(tmp_path, "here", running_sum="raise RuntimeError('here')"))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    convert(SUM, path=[PROJECT])


def test_providers(tmp_path):
    plain, package = folder(tmp_path, "plain"), folder(tmp_path, "package")
    folder(plain, "both"), folder(package, "both", __init__=""), folder(plain, "spread"), folder(package, "spread")
    (package / "compiled.cpython-311-x86_64-linux-gnu.so").touch()
    assert providers([plain, package], ["both", "spread", "compiled", "none"]) == {
        "both": [str(package)], "spread": [str(plain), str(package)], "none": [],
        "compiled": [str(package)] if sys.version_info[:2] == (3, 11) else []}


def test_the_last_ones_are_kept(tmp_path):
    index = tmp_path / "index.json"
    for number in range(12):
        keep(index, Conversion(f"v{number}", {}, {"name": [str(number)]}))
    keep(index, Conversion("again", {}, {"name": ["7"]}))
    assert [each.folder for each in load(index)] == ["again", "v11", "v10", "v9", "v8", "v6", "v5", "v4"]
    index.write_text("[1")
    assert load(index) == []
