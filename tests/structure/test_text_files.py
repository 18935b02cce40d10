"""Text is read and written in UTF-8, whatever the user's locale says."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.structure.test_imports import parsed

ROOT = Path(__file__).resolve().parents[2]

ASCII = ("khhw/build/backends.py", "khhw/build/engine.py", "khhw/build/lanes/", "khhw/build/recipe.py",
         "khhw/build/signal_offsets.py")
"""What makes builds writes ASCII that khhw has made itself; a change of one of these makes everything anew."""

LONGEST = 400
"""Lines of a file that one can still take in."""


def undecided(text: str) -> Iterator[int]:
    """Lines with calls that leave the encoding of a text to the locale."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Call) and _has_text(node) and "encoding" not in _keywords(node):
            yield node.lineno


def _has_text(call: ast.Call) -> bool:
    """Whether it reads or writes a text."""
    method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    modes = [value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)
             and value.value and set(value.value) <= set("rwaxbt+")]
    if name == "open" and not method:
        return not any("b" in mode for mode in modes)
    if name in ("open", "TemporaryFile", "NamedTemporaryFile"):
        # Drivers have a method of that name, which takes no mode.
        return any("b" not in mode for mode in modes)
    return (name in ("read_text", "write_text") and method) or (name in ("run", "Popen") and "text" in _keywords(call))


def _keywords(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def test_encodings_are_said():
    files = [str(file.relative_to(ROOT)) for folder in ("khhw", "rtl") for file in (ROOT / folder).rglob("*.py")]
    assert [f"{file}:{line}" for file in files if not file.startswith(ASCII)
            for line in undecided((ROOT / file).read_text(encoding="utf-8"))] == []


def test_the_rule_finds_what_it_is_for():
    assert list(undecided("p.read_text()\np.write_text('x')\nopen('x')\np.open('w')\nTemporaryFile('w')\n"
                          "subprocess.run(a, text=True)\ngzip.open(p, 'rt')")) == [1, 2, 3, 4, 5, 6, 7]
    assert list(undecided("p.read_text(encoding='utf-8')\nopen('x', 'rb')\np.open('wb')\nTemporaryFile(dir=p)\n"
                          "node.open(0, 1)\nread_text(p)\nsubprocess.run(a)\nawait net.open(node)")) == []


def test_files_do_one_thing():
    folders = ("khhw", "rtl", "testbenches", "formal", "benchmarks", "examples", "tests")
    assert [str(file.relative_to(ROOT)) for folder in folders for file in (ROOT / folder).rglob("*.py")
            if len(file.read_text(encoding="utf-8").splitlines()) > LONGEST] == []
