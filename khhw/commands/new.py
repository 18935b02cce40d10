"""Start a testbench, a kernel or a machine of your own.

The files that are written work as they are: a testbench comes with a small design, a kernel (a ping) with a machine
file that runs it. NAME is in lower case and becomes part of the file names. Nothing is overwritten.
"""

import argparse
import importlib.util
import json
import keyword
import re
from pathlib import Path

__all__ = ["KINDS", "add_arguments", "run", "write_skeleton"]

KINDS = {
    "testbench": (("khhw", "test"), "test_{name}.py"),
    "kernel": (("khhw", "run"), "{name}.toml"),
    "machine": (("khhw", "run"), "{name}.toml"),
}
"""What can be made, the command that runs it, and the file it is given."""

_TEMPLATES = Path(__file__).parents[1] / "templates"
_WORD = "skeleton"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw new``."""
    parser.add_argument("kind", choices=list(KINDS), help="what to make")
    parser.add_argument("name", help="its name, a lower-case Python name")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, default=Path(),
                        help="folder to write to (default: this one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Write the files and say what to do with them."""
    from khhw.commands.output import report
    from khhw.visible import shell_command

    files = write_skeleton(arguments.kind, arguments.name, arguments.folder)
    verb, ending = KINDS[arguments.kind]
    command = shell_command([*verb, arguments.folder / ending.format(name=arguments.name)])
    if arguments.json:
        print(json.dumps(report({"files": [str(file) for file in files], "command": command}), indent=1))
    else:
        for file in files:
            print(f"wrote   {file}")
        print(f"run it  {command}")
    return 0


def write_skeleton(kind: str, name: str, folder: Path) -> list[Path]:
    """Copy the files of a kind, with `name` in place of theirs.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    name : str
        Lower-case Python name.
    folder : Path
        Made if need be.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    RequestError
        If the name cannot be one, or a file is there already; nothing is written then.
    """
    from khhw.errors import RequestError
    from khhw.files import writable_folder

    _check_name(kind, name)
    texts = {folder / source.name.replace(_WORD, name): _renamed(source.read_text(encoding="utf-8"), name)
             for source in sorted((_TEMPLATES / kind).iterdir()) if source.suffix in (".py", ".toml")}
    if there := [str(file) for file in texts if file.exists()]:
        raise RequestError(f"{' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already; "
                           "choose another name, or another folder with -o")
    writable_folder(folder)
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return list(texts)


def _check_name(kind: str, name: str) -> None:
    from khhw.errors import RequestError

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise RequestError(f"{name!r} cannot be a name: lower-case letters, digits and _, a letter first, no keyword")
    if kind != "machine" and importlib.util.find_spec(name) is not None:
        raise RequestError(f"there is a Python module {name!r} already, and a {kind} of that name would hide it; "
                           "choose another name")


def _renamed(text: str, name: str) -> str:
    camel = "".join(word.capitalize() for word in name.split("_"))
    return text.replace(_WORD.capitalize(), camel).replace(_WORD, name)
