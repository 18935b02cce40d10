"""Machine files for tests, of two shapes: one build of each serves them all."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from khhw.build.cache import lock
from khhw.machine.machine import EngineName, Machine
from khhw.machine.results import Results

ROOT = Path(__file__).parents[2]
TALK = ROOT / "examples" / "talk.toml"
KERNELS = Path(__file__).parent / "kernels"
NODES = 8

PROBE = '{ kernel = "probe", arguments = "seed={seed} settle=600 quiet=1500" }'
"""The probe in a hurry: all nodes boot it with one line, so little waiting is enough."""


def matrix_of(rows: Iterable[str]) -> npt.NDArray[np.bool_]:
    """isAllowed from the destinations of each source, one digit a rank."""
    return np.array([[str(destination) in row for destination in range(NODES)] for row in rows])


def write_machine(folder: Path, text: str, *kernels: str, shape: tuple[int, int, int] = (2, 2, 2)) -> Path:
    """A machine file in `folder`, of the talk's nodes, with copies of test kernels beside it."""
    for kernel in kernels:
        shutil.copy(KERNELS / kernel, folder)
    file = folder / "machine.toml"
    file.write_text(f"[torus]\nshape = {list(shape)}\n[node]\nmemory_bytes = {4 << 20}\n{text}")
    return file


def write_pair(folder: Path, text: str, *kernels: str) -> Path:
    """The same with two nodes."""
    return write_machine(folder, text, *kernels, shape=(2, 1, 1))


def phase(name: str, *kernels: str, **values: str) -> str:
    """A phase: kernels as inline tables, further keys as text."""
    keys = "".join(f'{key} = "{value}"\n' for key, value in values.items())
    return f'[[phases]]\nname = "{name}"\n{keys}kernels = [{", ".join(kernels)}]\n'


def domains(name: str, matrix: npt.NDArray[np.bool_]) -> str:
    """A named matrix."""
    return f"[domains.{name}]\nmatrix = {matrix.astype(int).tolist()}\n"


def run_once(shared: Path, file: Path, engine: EngineName) -> Path:
    """Folder with the results of a run that all tests of a session share, in whichever process they are.

    Parameters
    ----------
    shared : Path
        pytest's temporary folder of this process.
    file : Path
        Machine file.
    """
    root = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = root / f"{file.stem}-{engine}"
    with lock(folder):
        if not (folder / "results.json").is_file():
            Machine.load(file, engine=engine).run(folder)
    return folder


def said(results: Results, node: int) -> list[str]:
    """What a node said, without its prompt."""
    return [line.text.removeprefix(f"node {node}> ") for line in results.results.console if line.node == node]
