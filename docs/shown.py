"""Outputs of commands that ``docs/trace.md`` shows.

Run it in the root of the checkout: ``python -m docs.shown`` runs the commands and writes what they print into the page;
a test compares.
"""

import contextlib
import io
import re
import shlex
import subprocess
from pathlib import Path

from khhw.cli import main as khhw

__all__ = ["PAGE", "printed", "shown"]

PAGE = Path(__file__).with_name("trace.md")
_BLOCK = re.compile(r"(```sh\n((?:(?!```).)*)```\n\n```text\n)(.*?)(?=```)", re.DOTALL)


def shown() -> list[tuple[list[list[str]], str]]:
    """Commands, each as its words, and the output of the last one of them, in the order of the page."""
    return [(_words(block[2]), block[3]) for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


def _words(commands: str) -> list[list[str]]:
    return [shlex.split(line) for line in commands.splitlines()]


def printed(command: list[str]) -> str:
    """What a command prints; what is not khhw's is a program of the system."""
    if command[0] != "khhw":
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    with contextlib.redirect_stdout(io.StringIO()) as output:
        if khhw(command[1:]) != 0:
            raise SystemExit(f"{shlex.join(command)} failed")
    return output.getvalue()


def main() -> None:
    def again(block: re.Match[str]) -> str:
        return block[1] + [printed(command) for command in _words(block[2])][-1]

    PAGE.write_text(_BLOCK.sub(again, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
