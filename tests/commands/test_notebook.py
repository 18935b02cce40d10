"""The example notebook, executed from the first cell to the last as its reader would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "experiment.ipynb"

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=800, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""
"""In a process of its own: the kernel's sockets and event loop stay out of pytest's."""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook with its outputs; what it writes is beside it."""
    folder = tmp_path_factory.mktemp("notebook") / "examples"
    folder.mkdir()
    for file in (NAME, "pair.toml"):
        shutil.copy(ROOT / "examples" / file, folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython"),
                   "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    done = subprocess.run([sys.executable, "-c", EXECUTE, NAME], cwd=folder, env=environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / NAME


def outputs(notebook: Path) -> list[nbformat.NotebookNode]:
    return [output for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"
            for output in cell.outputs]


@pytest.mark.rare
def test_it_measures_and_draws(executed: Path) -> None:
    found = outputs(executed)
    assert [output for output in found if output.output_type == "error"] == []
    texts = "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in found)
    assert "('done', 'ppc450')" in texts
    assert "of 240/256 of the wire" in texts
    assert sum("image/png" in output.get("data", {}) for output in found) == 1
    assert (executed.parents[1] / "out" / "notebook" / "pair.png").read_bytes().startswith(b"\x89PNG")


def test_the_one_in_the_checkout_holds_no_outputs() -> None:
    assert outputs(ROOT / "examples" / NAME) == []
