"""Every command with every bad input: a sentence and exit code 2, no traceback, and nothing lost."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from khhw.build import testbench
from khhw.build.results import NO_CASE, CaseResult, RunResult
from khhw.cli import COMMANDS, main
from khhw.errors import RequestError
from khhw.machine.file import MachineFile
from khhw.visible import shell_command, visible
from tests.report.synthetic import synthetic_results

ROOT = Path(__file__).resolve().parents[2]
TALK = ROOT / "examples" / "talk.toml"
SWEEP = ROOT / "examples" / "sweep.toml"
DEEP = b"[" * 2000 + b"]" * 2000
LATIN_1 = "größe".encode("latin-1")

READ = {
    "run": ("run", "FILE"), "memcached": ("memcached", "FILE"), "domains": ("domains", "FILE"),
    "serve": ("serve", "FILE"), "sweep": ("sweep", "FILE"), "bench": ("bench", "cosim", "--machine", "FILE"),
    "test": ("test", "FILE"), "attack": ("attack", "--show", "FILE"), "report": ("report", "FILE"),
    "trace": ("trace", "FOLDER"), "report of a sweep": ("report", "FOLDER"),
    "report of two": ("report", "GOOD", "FILE"), "cloud": ("cloud", "init", "FILE", "--state", "out"),
    "ctl": ("ctl", "--token-file", "FILE", "list"), "console": ("console", "replay", "FILE"),
    "image": ("image", "FILE", "-o", "out"), "meter": ("meter", "FILE"),
    "meter's reading": ("meter", "--verify", "FILE"), "net": ("net", "up", "FILE"),
}
"""Commands that read a file, or a folder with files of theirs."""
KIND = {"test": "py", "attack": "json", "report": "json", "trace": "json", "report of a sweep": "json",
        "report of two": "json", "console": "cast", "image": "py",
        "meter's reading": "json"}
"""Endings of what they read; else TOML."""
WRITE = {
    "run": ("run", TALK, "-o"), "memcached": ("memcached", TALK, "-o"), "domains": ("domains", TALK, "-o"),
    "a picture": ("domains", TALK, "--png"), "serve": ("serve", TALK, "-o"), "sweep": ("sweep", SWEEP, "-o"),
    "demo": ("demo", "domains", "-o"), "report": ("report", "GOOD", "-o"), "new": ("new", "machine", "some_name", "-o"),
    "verilog": ("verilog", "--top", "router", "-o"), "reference": ("reference", "-o"), "attack": ("attack", "-o"),
    "test": ("test", "guard", "-o"), "test of coverage": ("test", "guard", "--coverage", "-o"),
    "cloud": ("cloud", "init", TALK, "--state"), "image": ("image", "probe", "-o"), "meter": ("meter", TALK, "-o"),
    "meter's key": ("meter", "--new-key"),
}
"""Commands that write to a path they are given."""
NEITHER = ("cache", "doctor")


def good_run(folder: Path) -> Path:
    """A folder of a run."""
    folder.mkdir()
    synthetic_results().write(folder / "results.json")
    return folder


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that exits with 2 says: sentences."""
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("khhw: ") and "Traceback" not in said
    assert len(said) < 1000, "no more than a sentence or two"
    return said


def test_no_command_is_left_out() -> None:
    assert {words[0] for words in (*READ.values(), *WRITE.values())} | set(NEITHER) == set(COMMANDS)


@pytest.mark.parametrize("command", READ)
@pytest.mark.parametrize(("content", "words"), [
    (DEEP, "too deep|recursion|nested|no results|DUT|token|recording"),
    (b"# " + LATIN_1 + b"\n{", "UTF-8|utf-8|testbench|recording|compile"),
    (b"\0\1\2", ""), (b"", ""), (None, ""),
], ids=["deep", "latin-1", "binary", "empty", "a folder"])
def test_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, content: bytes | None, words: str,
) -> None:
    ending = KIND.get(command, "toml")
    folder = tmp_path / "given"
    folder.mkdir()
    name = {"report of a sweep": "sweep.json", "trace": "results.json", "test": "test_given.py"}.get(
        command, f"given.{ending}")
    file = folder / name
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(b"x = " + content if ending == "toml" and content == DEEP else content)
    (folder / "dump.vcd").touch()
    paths = {"FILE": file, "FOLDER": folder, "GOOD": good_run(tmp_path / "good")}
    said = refused(capsys, *(paths.get(word, word) for word in READ[command]))
    assert str(folder) in said, "it names the file"
    assert not words or any(word in said for word in words.split("|")), said
    assert "Error(" not in said, said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", WRITE)
@pytest.mark.parametrize("where", ["a file", "below a file", "/proc/khhw", "/dev/full"])
def test_where_nothing_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, where: str,
) -> None:
    # What every conversion begins with, found converted or not.
    monkeypatch.setattr("khhw.build.design.lock", no_build)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    target = Path({"a file": "file", "below a file": "file/below.png"}.get(where, where))
    if command in ("a picture", "attack", "meter", "meter's key"):
        # These write a file: one that is there would be written anew.
        target = {"a file": Path("folder.png"), "/dev/full": Path("full.png")}.get(where, target.with_suffix(".png"))
        Path("folder.png").mkdir()
        Path("full.png").symlink_to("/dev/full")
    paths = {"GOOD": good_run(tmp_path / "good")}
    said = refused(capsys, *(paths.get(str(word), word) for word in WRITE[command]), target)
    assert "-o" in said or "name a file" in said or "write" in said or "made there" in said
    assert (tmp_path / "file").read_text() == "kept"
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(("words", "said"), [
    (("test", "host_gate", "-k", "zzz"), "no case of host_gate has 'zzz' in its name; its cases are "),
    (("test", "host_gate", "memory", "-k", "zzz"), "no case of these testbenches has 'zzz' in its name"),
])
def test_a_case_that_is_not_there(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str,
) -> None:
    assert said in refused(capsys, *words)


def test_cases_of_a_name_are_run_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    folders = []

    def run(bench: testbench.Testbench, _values: object, _options: object) -> RunResult:
        folders.append(bench.block)
        found = [CaseResult(name=f"{name}/a=1", passed=True, skipped=False, seconds=0.0, simulated_ns=0.0, message="",
                            detail="") for name in bench.cases if bench.block == "one"]
        return RunResult(cases=tuple(found), error="" if found else NO_CASE, folder=tmp_path, log=tmp_path / "log",
                         seed=1)

    monkeypatch.setattr("khhw.build.testbench.run_testbench", run)
    for name, decorators in (("one", "@cocotb.parametrize(a=[1])\n"), ("two", "@cocotb.parametrize(b=[1])\n"),
                             ("three", "@cocotb.test()\n")):
        (tmp_path / f"test_{name}.py").write_text(f'DUT = "a:B"\n{decorators}async def case_{name}(dut): pass\n')
    assert main(["test", str(tmp_path), "-k", "a=1", "--json"]) == 0
    assert [found["block"] for found in json.loads(capsys.readouterr().out)["results"]] == ["one"]
    assert folders == ["one", "two"], "what cannot have such a case is not built"
    folders.clear()
    assert "its cases are case_two" in refused(capsys, "test", tmp_path / "test_two.py", "-k", "a=1")
    assert folders == ["two"]


def no_build(*_arguments: object) -> None:
    raise AssertionError("something was built before the output was tried")


@pytest.mark.parametrize("environment", [
    {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
], ids=["latin-1", "ascii", "C"])
def test_a_terminal_that_knows_few_characters(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "漢.toml"
    text = "name = '漢字 … π'\n[torus]\nshape = [2, 1, 1]\n[domains.'π']\nrules = ['0 -> 1']\n"
    file.write_text(text, encoding="utf-8")
    code = ("import sys; from khhw.cli import main; main(['domains', sys.argv[1]]); "
            r"sys.exit(main(['domains', '\u0436']))")
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], env={**os.environ, **environment}, capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
    assert rb"\u6f22\u5b57" in done.stdout
    assert rb"\u0436:1: cannot be read" in done.stderr


@pytest.mark.parametrize("arguments", [("doctor",), ("run", "--schema")])
def test_output_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "khhw", *arguments], stdout=full, stderr=subprocess.PIPE,
                              encoding="utf-8", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("khhw: what was to be printed or written cannot be: the disk is full (No space left")
    assert len(done.stderr.splitlines()) == 1


def test_without_any_output() -> None:
    done = subprocess.run(f"{shlex.quote(sys.executable)} -m khhw doctor --json >&-", shell=True, cwd=ROOT,
                          stderr=subprocess.PIPE, encoding="utf-8", check=False)
    assert done.stderr == "" and done.returncode in (0, 1)


def test_a_disk_that_becomes_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = good_run(tmp_path / "good")
    (folder / "report.html").symlink_to("/dev/full")
    assert "the disk is full (No space left on device); make room" in refused(capsys, "report", folder)
    assert json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize(("name", "what"), [("a b", "a blank"), ("a$b", "character '$'"), ("a#b", "character '#'")])
def test_builds_in_a_path_that_make_takes_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, what: str,
) -> None:
    with monkeypatch.context() as here:
        here.setenv("KHHW_BUILD", str(tmp_path / name))
        assert main(["run", str(TALK), "-o", str(tmp_path / "out")]) == 2
    printed, said = capsys.readouterr()
    assert printed == "", "nothing is said to be built"
    assert what in said
    assert "which make and Verilator cannot handle; set KHHW_BUILD to a folder whose name has none" in said
    assert not (tmp_path / name).exists()


def test_commands_to_copy_are_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "machine", "knots", "-o", "my files"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("run it  ")
    assert Path(shlex.split(command)[-1]).is_file()
    (tmp_path / "an empty folder").mkdir()
    assert "-o 'an empty folder'" in refused(capsys, "report", "an empty folder")
    assert "-o 'an empty folder'" in refused(capsys, "trace", "an empty folder")


@pytest.mark.parametrize("name", [
    "plain", "two words", "it's", "o_ü", "漢\t'\\\n", "\udcc3\udcbc", "\u202eevil", "\x1b[31m"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_words_of_a_command_are_what_a_shell_reads(name: str, encoding: str) -> None:
    command = shell_command(["printf", "%s", name], encoding)
    assert command == visible(command)
    command.encode(encoding)
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)


@pytest.mark.parametrize("words", [("new", "machine", "knots", "-o"), ("report",), ("trace",)])
def test_a_command_on_a_terminal_of_few_characters_can_be_typed(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "o_ü"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "khhw", *words, str(folder)], capture_output=True, check=False, cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert rf"$'{tmp_path}/o_\xc3\xbc".encode() in done.stdout + done.stderr


def test_results_name_what_there_is() -> None:
    results = synthetic_results()
    names = ", ".join(map(repr, results.results.matrix))
    with pytest.raises(LookupError, match=f"no matrix of a phase 'nope'; there are {names}"):
        results.matrix("nope")
    first = next(iter(results.results.matrix))
    assert (results.matrix(first) == results.matrix(first, "observed")).all()
    with pytest.raises(LookupError, match="no matrix 'seen'; there are configured and observed"):
        results.matrix(first, "seen")
    with pytest.raises(LookupError, match="no measurement of one's own 'mine:X'; there is none"):
        results.own("mine:X", MachineFile)
    machine = MachineFile.model_validate({"torus": {"shape": [2, 1, 1]}, "domains": {"a": {"rules": ["0 -> 1"]}}})
    with pytest.raises(LookupError, match="no domains 'b'; there are 'a'"):
        machine.matrix("b")
    with pytest.raises(RequestError, match=r"absent\.json: cannot be read: No such file"):
        type(results).read("absent.json")
