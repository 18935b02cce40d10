"""Kept results say where they come from; pages that show them say whether that has changed."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docs import kept
from docs.kept import KEPT, RESULTS, Kept, changed, inserted, main, note, pages, read, table
from khhw.build.provenance import ROOT, Provenance, provenance, source_digest, source_digests
from khhw.commands.output import report

_LINK = re.compile(r"\]\(results/([\w-]+)\.json\)")


def test_every_result_is_declared() -> None:
    assert sorted(KEPT) == sorted(file.stem for file in RESULTS.glob("*.json"))


@pytest.mark.parametrize("name", KEPT)
def test_a_result_says_where_it_comes_from(name: str) -> None:
    of = Provenance.model_validate(read(name)["provenance"])
    assert re.fullmatch(r"[0-9a-f]{40}", of.commit or "") and re.fullmatch(r"\d{4}-\d\d-\d\d", of.date or "")
    assert all((ROOT / path).exists() for path in KEPT[name].sources)
    # Results from before they said it have the digests of their commit, where some packages were elsewhere.
    assert of.processor.model is None or set(KEPT[name].sources) <= set(of.sources)


def test_pages_say_what_is_true() -> None:
    stale = [page.name for page in pages() if (text := page.read_text(encoding="utf-8")) != inserted(text)]
    assert stale == [], "write them again with: python -m docs.kept"


def test_who_shows_a_result_says_whether_it_has_aged() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        shown = set(_LINK.findall(text)) if page != kept.PAGE else set()
        assert shown == set(re.findall(r"<!-- kept: ([\w-]+) -->", text)), page.name


def test_a_change_of_a_source_ages_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("rtl", "khhw/sim", "khhw/net"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "machine.toml").write_text("seed = 1\n[torus]\nshape = [2, 2, 2]\n[[phases]]\nname = 'one'\n")
    parameters = {"seed": 1, "torus": {"shape": [2, 2, 2], "more": 0}, "phases": [{"name": "one", "kernels": []}]}
    results = {"provenance": Provenance(sources=source_digests(tmp_path, ["machine.toml"])).model_dump(),
               "parameters": parameters}
    one = Kept("make it", ("rtl", "khhw/sim"), "machine.toml")
    assert changed(one, results, tmp_path) == []
    (tmp_path / "khhw" / "net" / "__init__.py").write_text("other = 1\n")
    (tmp_path / "rtl" / "__pycache__").mkdir()
    (tmp_path / "rtl" / "__pycache__" / "x.pyc").write_text("compiled")
    assert changed(one, results, tmp_path) == [], "it does not depend on these"
    (tmp_path / "rtl" / "block.py").write_text("")
    assert changed(one, results, tmp_path) == ["rtl"], "a new file"
    (tmp_path / "khhw" / "sim" / "__init__.py").rename(tmp_path / "khhw" / "sim" / "renamed.py")
    assert changed(one, results, tmp_path) == ["rtl", "khhw/sim"], "another name"
    shutil.rmtree(tmp_path / "khhw" / "sim")
    assert changed(one, results, tmp_path) == ["rtl", "khhw/sim"], "nothing left"
    parameters["phases"].append({"name": "two"})  # type: ignore[attr-defined]
    assert changed(one, results, tmp_path)[-1] == "machine.toml", "the machine that ran is another one"
    assert changed(replace(one, apart=("phases",)), results, tmp_path) == ["rtl", "khhw/sim"]


def test_what_is_said_of_an_aged_and_of_a_current_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    now = report([], parameters={})
    old: dict[str, Any] = json.loads(json.dumps(now))
    old["provenance"]["sources"]["rtl"] = "0" * 16
    for name, content in (("current", now), ("old", old)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    monkeypatch.setattr(kept, "KEPT", {"current": Kept("measure one", ("rtl", "khhw/sim")),
                                       "old": Kept("measure two", ("rtl", "khhw/sim"))})
    rows = {row.split("]")[0].strip("| ["): row for row in table().splitlines()[2:]}
    assert rows["current"].endswith("| current |") and rows["old"].endswith("| aged |")
    assert "sources are the same now" in note("current") and "sources have changed since" in note("old")
    assert now["provenance"]["commit"][:7] in note("old")
    assert main(["--check"]) == 1
    printed = capsys.readouterr().out
    assert "old: rtl changed" in printed and "measure two" in printed and "measure one" not in printed
    shutil.copyfile(tmp_path / "current.json", tmp_path / "old.json")
    assert main(["--check"]) == 0


def test_where_this_process_runs() -> None:
    now = provenance(["examples/talk.toml"])
    assert re.fullmatch(r"[0-9a-f]{40}", now.commit or "") and now.modified in (True, False)
    assert now.processor.cores and now.tools.python and now.tools.verilator and now.tools.compiler
    assert now.sources["examples/talk.toml"] == source_digest(ROOT / "examples" / "talk.toml")
    assert now.sources["rtl"] != now.sources["khhw/sim"] and all(now.sources.values())


def test_a_hook_of_another_repository_does_not_lend_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = provenance()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q",
                    "--allow-empty", "-m", "other"], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert provenance() == here


def test_all_that_is_written_has_it() -> None:
    """Results of runs and sweeps are checked where these are run; a program with a header of its own would lack it."""
    assert report([])["provenance"] == provenance().model_dump()
    own = [str(file.relative_to(ROOT)) for folder in ("khhw", "benchmarks", "examples", "tests")
           for file in (ROOT / folder).rglob("*.py")
           if re.search(r"""["']version["']: *(khhw\.)?__version__""", file.read_text(encoding="utf-8"))]
    assert own == ["khhw/commands/output.py"]
