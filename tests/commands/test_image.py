"""``khhw image``: what it writes is what loaders run."""

from pathlib import Path

import pytest

from khhw.cli import main
from khhw.kernels import flood
from khhw.kernels.approval import image_digest
from khhw.kernels.image import build_image, load_image

OWN = "async def main(node, arguments):\n    await node.sleep({})\n"


def test_a_kernel_of_khhw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["image", "flood"]) == 0
    made = (tmp_path / "flood.image").read_bytes()
    assert made == build_image(flood)
    assert image_digest(made) in capsys.readouterr().out


def test_own_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    file, image = tmp_path / "own.py", tmp_path / "made"
    for cycles in (1, 2):
        # An earlier image is replaced, and nothing else is.
        file.write_text(OWN.format(cycles), encoding="utf-8")
        assert main(["image", "own.py", "-o", "made"]) == 0
        load_image(image.read_bytes())
    assert image.read_bytes() == build_image(file)
    assert main(["image", "own.py", "-o", "own.py"]) == 2
    assert "own.py is there already and no image" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == OWN.format(2)
