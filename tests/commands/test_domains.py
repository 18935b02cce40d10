"""``khhw domains``: what it prints, draws and refuses."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import khhw
from khhw.cli import main
from khhw.report.domains.groups import ranges

ROOT = Path(__file__).parents[2]
TALK = str(ROOT / "examples" / "talk.toml")
DOCS = ROOT / "docs" / "domains.md"
LARGE = """
name = "Large"
[torus]
shape = [8, 8, 8]
[node]
table_nodes = 512
[domains.before]
groups = { red = [0, 1, 2, 3], blue = [3, 4, 5, 500] }
[domains.after]
rules = ["0-99 -> 0-99", "100-299 <-> 300-399", "98 -> 110", "400-511 -> 400-511"]
"""


@pytest.fixture
def large(tmp_path):
    file = tmp_path / "large.toml"
    file.write_text(LARGE)
    return str(file)


def printed(capfd, *arguments):
    assert main(["domains", *arguments]) == 0
    text, errors = capfd.readouterr()
    assert errors == ""
    return [line.rstrip() for line in text.splitlines()]


def refused(capfd, *arguments):
    assert main(["domains", *arguments]) == 2
    text, errors = capfd.readouterr()
    assert text == ""
    return errors


def test_every_state_is_shown(capfd):
    lines = printed(capfd, TALK)
    first, second = lines.index("slide1"), lines.index("slide2")
    assert lines[first + 2] == "0   ■ · · ■ ■ · · ·   3 4        6 via 3; 2 via 3 6; 1 5 7 via 3 6 2"
    assert lines[second + 5] == "3   · · ■ ■ ■ · ■ ·   2 4 6      1 5 7 via 2"
    assert "unreached   none" in lines[first:second]
    assert "unreached   0 (no other node may send there)" in lines[second:]
    assert "so 0 cannot use 3 to reach 6." in " ".join(lines)


def test_one_state_is_printed_as_documented(capfd):
    lines = printed(capfd, TALK, "--domains", "slide1")
    documented = DOCS.read_text().split("```\nslide1\n")[1].split("```")[0].splitlines()
    assert lines[lines.index("slide1") + 1:][:len(documented)] == documented
    assert "slide2" not in lines


def test_the_documented_python_runs():
    code = DOCS.read_text().split("```python\n")[1].split("```")[0]
    exec(code, {})


def test_a_change(capfd):
    lines = printed(capfd, TALK, "--change", "slide1", "slide2")
    assert "slide1" not in lines
    first = lines.index("slide1 -> slide2")
    assert [line.split("   ")[1] for line in lines[first + 2:first + 10]] == [
        "■ · · ■ ■ · · ·", "· ■ - · · ■ · ■", "· ■ ■ · · ■ ■ ■", "- · + ■ ■ · ■ ·",
        "- · · ■ ■ · · ·", "· ■ - · · ■ · ■", "· · ■ ■ · · ■ ·", "· ■ - · · ■ · ■"]
    assert "adds        1 pair: 3 -> 2" in lines
    assert "revokes     5 pairs: 1 -> 2; 3 -> 0; 4 -> 0; 5 -> 2; 7 -> 2" in lines
    assert any(line.startswith("keeps       25 pairs, without interruption. The first phase holds") for line in lines)
    assert "            2 -> 0 via 6 3" in lines[lines.index("lost        through relays before, not at all now:"):]


def test_a_large_machine_is_told_by_groups(capfd, large):
    lines = printed(capfd, large)
    assert len(lines) < 30
    assert "C   4-5 500         · ■ ■ ·   B C        A via 3" in lines
    assert "C   100-109 111-299   · · · · ■ ·   E          C D via 300" in lines
    assert "unreached   6-499 501-511 (no other node may send there)" in lines


def test_a_change_of_a_large_machine(capfd, large):
    lines = printed(capfd, large, "--change", "before", "after")
    assert len(lines) < 60
    assert any(line.startswith("revokes") and line.endswith("100-399 to itself") for line in lines)
    assert any(line.startswith("carried") for line in lines)


def test_json_is_one_object(capfd):
    lines = printed(capfd, TALK, "--change", "slide1", "slide2", "--domains", "slide1", "--json")
    report = json.loads("\n".join(lines))
    assert (report["version"], report["seed"]) == (khhw.__version__, 1)
    assert report["parameters"]["memory_bytes"] == 4194304
    state, change = report["results"]["states"][0], report["results"]["change"]
    assert state["name"] == "slide1"
    assert state["matrix"][3] == [1, 0, 0, 1, 1, 0, 1, 0]
    assert state["hops"][0] == [1, 4, 3, 1, 1, 4, 2, 4]
    assert {"source": 0, "destination": 6, "via": [3]} in state["relayed"]
    assert (change["added"], change["evaded"], change["carried"]) == ([[3, 2]], [], [])
    assert change["revoked"] == [[1, 2], [3, 0], [4, 0], [5, 2], [7, 2]]
    assert len(change["kept"]) == np.sum(change["first_phase"]) == 25
    assert {"source": 6, "destination": 0, "via": [3]} in change["lost"]


def test_pictures(capfd, tmp_path):
    folder = tmp_path / "out"
    lines = printed(capfd, TALK, "--domains", "slide1", "--change", "slide1", "slide2", "-o", str(folder),
                    "--png", str(tmp_path / "one.png"))
    assert sorted(file.name for file in folder.iterdir()) == [
        "change_slide1_slide2.csv", "change_slide1_slide2.png", "domains_slide1.csv", "domains_slide1.png"]
    assert f"picture  {tmp_path / 'one.png'}" in lines
    with (folder / "change_slide1_slide2.csv").open() as file:
        told = {(row["source"], row["destination"]): row["what"] for row in csv.DictReader(file)}
    assert (told["3", "2"], told["1", "2"], told["0", "3"], told["0", "6"]) == ("added", "revoked", "kept", "refused")


def test_the_picture_of_a_change_shows_it(capfd, tmp_path):
    printed(capfd, TALK, "--change", "slide1", "slide2", "--png", str(tmp_path / "one.png"))
    pixels = np.rint(imread(tmp_path / "one.png")[..., :3] * 255).astype(int)
    for what, rgb in (("added", "7ad3b1"), ("revoked", "d55e00"), ("relayed", "a9c9e2")):
        # A cell is thousands of pixels; the key below is fewer.
        assert (pixels == list(bytes.fromhex(rgb))).all(axis=-1).sum() > 3000, what


def test_a_large_machine_is_drawn(capfd, large, tmp_path):
    printed(capfd, large, "--png", str(tmp_path / "one.png"))
    assert imread(tmp_path / "one.png").shape[1] > 2000


@pytest.mark.parametrize(("arguments", "message"), [
    ((TALK, "--domains", "slide3"), f"{TALK}: domains: no 'slide3'; there are slide1, slide2"),
    ((TALK, "--change", "slide1", "slide3"), "no 'slide3'; there are"),
    ((TALK, "--png", "x.jpg"), "--png takes the name of a .png file, not x.jpg"),
    ((TALK, "-o", TALK), "is a file; -o takes a folder"),
    (("nothing.toml",), "nothing.toml:1: cannot be read"),
])
def test_wrong_requests(capfd, arguments, message):
    assert message in refused(capfd, *arguments)


def test_a_machine_without_domains(capfd, tmp_path):
    file = tmp_path / "bare.toml"
    file.write_text("[torus]\nshape = [2, 1, 1]\n")
    assert f"{file}: domains: the machine has none; add a table [domains.NAME]" in refused(capfd, str(file))


def test_a_wrong_rule_is_named_by_its_line(capfd, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text('[torus]\nshape = [2, 1, 1]\n[domains.all]\nrules = [\n  "0 -> 1",\n  "1 -> 2",\n]\n')
    assert f"{file}:6: domains.all.rules[1]: no node 2; nodes are 0 to 1" in refused(capfd, str(file))


def test_ranges():
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2 5 7-8"
    assert ranges([]) == ""
