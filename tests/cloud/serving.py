"""A service over a machine that does at once what it is asked, in a process: ``python -m tests.cloud.serving FOLDER``.

It prints its address and the port for ssh, as JSON on a line.
"""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from khhw.cloud.core import Core
from khhw.cloud.serve import Service
from khhw.cloud.settings import Settings
from tests.cloud.world import SpokenMachine

__all__ = ["serving"]

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def serving(folder: Path, **options: str) -> Iterator[dict[str, Any]]:
    """What a service of a world in a process of its own prints, while it runs; `options` are of :class:`Settings`."""
    words = [f"{name}={value}" for name, value in options.items()]
    process = subprocess.Popen([sys.executable, "-m", "tests.cloud.serving", str(folder), *words], cwd=ROOT,
                               stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stdout is not None
        yield {**json.loads(process.stdout.readline()), "process": process}
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGKILL), "it ends in order, unless a test has killed it"


def main(folder: Path, *words: str) -> None:
    """Serve until SIGTERM."""
    options: dict[str, Any] = {"port": 0, "ssh_port": 0}
    for word in words:
        name, _, value = word.partition("=")
        options[name] = int(value) if value.isdecimal() else value == "yes" if value in ("yes", "no") else value
    machine = SpokenMachine(folder)
    state = folder / "state"
    core = Core.open(state, machine.info)
    service = Service(state, core, machine, Settings(**options))
    service.run(lambda: print(json.dumps(
        {"url": service.url, "ssh_port": service.ssh_port, "certificate": str(service.certificate)}), flush=True))
    core.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
