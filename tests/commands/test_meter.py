"""``khhw meter``: what it reads, signs, verifies and refuses."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import khhw
from khhw.cli import main
from khhw.machine.meter_record import MeterLaw
from rtl.meter_lines import MeterLine

pytest.importorskip("cryptography")

ROOT = Path(__file__).parents[2]
PAIR = str(ROOT / "examples" / "pair.toml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the owner's keys, and a reading that he has signed."""
    folder = tmp_path_factory.mktemp("meter")
    assert main(["meter", "--new-key", str(folder / "owner.pem")]) == 0
    assert main(["meter", PAIR, "--engine", "native", "--recount", "--seed", "5", "-o", str(folder / "out.json"),
                 "--sign", str(folder / "owner.pem")]) == 0
    return folder


def verified(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, output and complaints of a check."""
    code = main(["meter", "--verify", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_keys_are_for_the_owner_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stat.S_IMODE((folder / "owner.pem").stat().st_mode) == 0o600
    assert "PUBLIC KEY" in (folder / "owner.pub.pem").read_text()
    before = (folder / "owner.pem").read_bytes()
    assert main(["meter", "--new-key", str(folder / "owner.pem")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (folder / "owner.pem").read_bytes() == before


def test_a_reading_says_of_what_it_is(folder: Path) -> None:
    reading = json.loads((folder / "out.json").read_text())
    assert (reading["version"], reading["seed"], reading["build"]) == (khhw.__version__, 5, "fast")
    assert reading["provenance"] and reading["parameters"]["name"] == "A pair"
    assert reading["machine_file"]["name"] == "pair.toml" and len(reading["machine_file"]["sha256"]) == 64
    assert reading["passed"] and reading["state"] == "done" and reading["kernels"]
    assert all(len(sha256) == 64 for sha256 in reading["kernels"].values())
    meters, laws = reading["results"]["meters"], reading["results"]["laws"]
    assert [meter["node"] for meter in meters] == [0, 1]
    assert all(meter["tag"] and meter["cycle"] and set(meter["counts"]) == {line.name for line in MeterLine}
               for meter in meters)
    assert all(law["holds"] for law in laws)
    assert {"packets sent = received + refused + dropped + under way", "flits times cables = flits on all cables",
            "OWN_SENT_PACKETS = recounted from packets, at every node"} <= {law["name"] for law in laws}


def test_whoever_has_the_file_and_the_key_can_check_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, errors = verified(capsys, folder / "out.json", "--key", folder / "owner.pub.pem")
    assert (code, errors) == (0, "") and said.startswith("the signature fits: signed by ")
    code, said, errors = verified(capsys, folder / "out.json")
    assert (code, errors) == (0, "") and "whether that is the owner's key was not checked" in said
    code, said, _ = verified(capsys, folder / "out.json", "--json")
    assert code == 0 and json.loads(said)["valid"] and not json.loads(said)["trusted"]


def test_one_digit_that_was_changed_is_noticed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    text = (folder / "out.json").read_text()
    (sent,) = {line for line in text.splitlines() if '"OWN_SENT_FLITS": ' in line and not line.endswith(" 192,")}
    digit = sent.rstrip(",")[-1]
    changed = sent.rstrip(",")[:-1] + str((int(digit) + 1) % 10) + ","
    (tmp_path / "out.json").write_text(text.replace(sent, changed, 1))
    code, said, errors = verified(capsys, tmp_path / "out.json", "--key", folder / "owner.pub.pem")
    assert (code, said) == (1, "")
    assert "the signature does not fit" in errors


def test_a_reading_of_somebody_else_is_not_the_owners(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["meter", "--new-key", str(tmp_path / "other.pem")]) == 0
    capsys.readouterr()
    code, said, errors = verified(capsys, folder / "out.json", "--key", tmp_path / "other.pub.pem")
    assert (code, said) == (1, "") and "is signed by" in errors


def test_what_bears_no_signature_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reading = json.loads((folder / "out.json").read_text())
    del reading["signature"]
    (tmp_path / "out.json").write_text(json.dumps(reading))
    code, _, errors = verified(capsys, tmp_path / "out.json")
    assert code == 2 and "there is no signature" in errors
    del reading["public_key"]
    (tmp_path / "out.json").write_text(json.dumps(reading))
    code, _, errors = verified(capsys, tmp_path / "out.json")
    assert code == 2 and f"{tmp_path / 'out.json'} is not signed: khhw meter --sign KEY makes one that is" in errors


def test_a_signed_reading_is_not_written_over(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.json"
    before = (folder / "out.json").read_bytes()
    out.write_bytes(before)
    assert main(["meter", PAIR, "--engine", "native", "-o", str(out)]) == 2
    assert f"{out} is a signed reading, and would be lost; choose another name" in capsys.readouterr().err
    assert out.read_bytes() == before
    reading = json.loads(before)
    del reading["signature"]
    out.write_text(json.dumps(reading))
    assert main(["meter", PAIR, "--engine", "native", "-o", str(out)]) == 0
    assert json.loads(out.read_text())["passed"]
    capsys.readouterr()
    for text in ("a key, or a machine file", "[1]", "{}"):
        out.write_text(text)
        assert main(["meter", PAIR, "--engine", "native", "-o", str(out)]) == 2
        assert f"{out} is there already, is no reading, and would be lost" in capsys.readouterr().err
        assert out.read_text() == text


def snippet() -> str:
    """The program of the page for those who have no khhw."""
    page = (ROOT / "docs" / "meter.md").read_text(encoding="utf-8")
    return page.partition("```python\n")[2].partition("```")[0]


def test_who_has_no_khhw_checks_as_the_command_does(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    def checked(file: Path) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-c", snippet(), str(file)], capture_output=True, encoding="utf-8",
                              cwd=tmp_path, check=False)
        return done.returncode, done.stdout.strip()

    code, said, _ = verified(capsys, folder / "out.json", "--json")
    assert checked(folder / "out.json") == (code, json.loads(said)["signed_by"])
    text = (folder / "out.json").read_text()
    for changed in (text.replace('"seed": 5', '"seed": 6, "seed": 5', 1), text.replace('"seed": 5', '"seed": 6', 1)):
        assert changed != text
        (tmp_path / "out.json").write_text(changed)
        assert verified(capsys, tmp_path / "out.json")[0] != 0
        assert checked(tmp_path / "out.json") == (1, "")


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meter", PAIR, "--engine", "native"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["node", "peers", "sent", "bytes", "received", "bytes", "byte-hops", "busy", "cycles"]
    rows = [line.split() for line in lines[:lines.index("")] if " own " in line]
    assert [row[0] for row in rows] == ["0", "1", "all"]
    assert [int(cell.replace(",", "")) for cell in rows[0][2:6]] == [220, 6196 * 8, 48, 192 * 8]
    assert any(line.startswith("holds ") for line in lines)
    assert main(["meter", PAIR, "--engine", "native", "--json"]) == 0
    assert "signature" not in json.loads(capsys.readouterr().out)


def test_a_law_that_does_not_hold_is_told_with_both_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    law = MeterLaw(name="one = another", left=12345, right=1, holds=False)
    monkeypatch.setattr("khhw.commands.meter._recounted", lambda *_: [law])
    assert main(["meter", PAIR, "--engine", "native", "--recount"]) == 1
    said = capsys.readouterr()
    assert "DOES NOT HOLD  one = another: 12,345 and 1" in said.out
    assert "khhw: Meters: one = another does not hold: 12,345 and 1." in said.err


@pytest.mark.parametrize(("words", "why"), [
    ((), "khhw meter takes one of these"),
    ((PAIR, "--verify", "x.json"), "not FILE and --verify"),
    ((PAIR, "--key", "x.pem"), "it needs --verify"),
    (("--verify", "x.json", "--sign", "y.pem"), "--sign goes with a machine file, not with --verify"),
    (("--new-key", "x.pem", "--seed", "4"), "--seed goes with a machine file"),
    ((PAIR, "--sign", "missing.pem"), "--sign needs -o or --json"),
    ((PAIR, "--sign", "missing.pem", "--json"), "missing.pem: cannot be read"),
    ((PAIR, "--seed", "-1"), "--seed must be from 0"),
    (("missing.toml",), "missing.toml"), (("--verify", "missing.json"), "missing.json: cannot be read"),
    (("--verify", PAIR), "is not JSON"),
    (("--verify", "x.json", "--key", PAIR), "holds no public key in PEM"),
    ((PAIR, "--sign", PAIR, "--json"), "holds no private key in PEM"),
])
def test_what_is_refused(words: tuple[str, ...], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["meter", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and why in said.err
    assert list(tmp_path.iterdir()) == []
