"""What was converted to Verilog before: found again as long as the same imports come from the same files.

A conversion does not depend on the folders that imports are looked for in, but on what is found there. So a folder
that holds nothing that the conversion imported makes no difference: machines and working folders anywhere share
one conversion.
"""

import json
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Any

from khhw.build.cache import file_digest, use, write_atomically

__all__ = ["DESCRIPTION", "Conversion", "find", "forget", "import_folders", "keep", "load", "providers"]

DESCRIPTION = "design.json"
"""In a folder of Verilog: what it is."""

_KEPT = 8
"""Conversions of one request that are kept, the last ones: one for each set of files that imports come from."""
_SUFFIXES = sorted(all_suffixes(), key=len, reverse=True)


@dataclass(frozen=True)
class Conversion:
    """One conversion.

    Parameters
    ----------
    folder : str
        Name of the folder with its Verilog.
    inputs : mapping of str to str
        Digests of the files that were imported.
    imports : mapping of str to list of str
        Of each package or module without a package that was imported, the folders of the path that have it
        (:func:`providers`); those of the standard library and of installed packages are in no such folder.
    """

    folder: str
    inputs: Mapping[str, str]
    imports: Mapping[str, Sequence[str]]

    def is_current(self, path: Sequence[Path]) -> bool:
        """Whether a conversion that looks for its imports in `path` would be the same."""
        return (providers(path, self.imports) == self.imports
                and all(file_digest(Path(name)) == value for name, value in self.inputs.items()))


def import_folders(path: Iterable[str]) -> list[Path]:
    """Folders of an import path, but for those that every process of an environment has: its library, and its
    commands' folder, which is there for some commands only."""
    scheme = sysconfig.get_paths()
    common = [Path(scheme[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")]
    folders = dict.fromkeys(Path(entry).resolve() for entry in path)
    return [folder for folder in folders if folder.is_dir() and not any(folder == each or each in folder.parents
                                                                        for each in common)]


def providers(path: Sequence[Path], names: Iterable[str]) -> dict[str, list[str]]:
    """Where in `path` an import of each name ends: at the first folder that has a module or package of it, else in all
    that have a folder of it, which are one package then; in none if the list is empty."""
    wanted = {name: list[str]() for name in names}
    ended: set[str] = set()
    for folder in path:
        modules, folders = _offered(folder)
        for name in (modules | folders) & wanted.keys() - ended:
            if name in modules:
                wanted[name] = [str(folder)]
                ended.add(name)
            else:
                wanted[name].append(str(folder))
    return wanted


def _offered(folder: Path) -> tuple[set[str], set[str]]:
    """Names of the modules and packages in a folder, and those of other folders in it."""
    modules, folders = set[str](), set[str]()
    try:
        for each in folder.iterdir():
            suffix = next((suffix for suffix in _SUFFIXES if each.name.endswith(suffix)), "")
            if suffix:
                modules.add(each.name.removesuffix(suffix))
            elif each.name.isidentifier() and each.is_dir():
                packaged = any((each / f"__init__{suffix}").is_file() for suffix in _SUFFIXES)
                (modules if packaged else folders).add(each.name)
    except OSError:
        pass
    return modules, folders


def load(index: Path) -> list[Conversion]:
    """What was kept in a file, the last one first; nothing where it is missing or damaged."""
    try:
        found: list[dict[str, Any]] = json.loads(index.read_text(encoding="utf-8"))["conversions"]
        return [Conversion(**each) for each in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def find(index: Path, made: Path, path: Sequence[Path]) -> str | None:
    """Name of the folder in `made` with the Verilog that a conversion now would give; None if there is none.

    From here on nobody removes it.
    """
    for each in load(index):
        if not each.is_current(path) or not (made / each.folder / DESCRIPTION).is_file():
            continue
        try:
            use(made / each.folder)
        except OSError:
            continue
        return each.folder
    return None


def keep(index: Path, new: Conversion) -> None:
    """Keep it instead of what was converted from the same folders before."""
    others = [each for each in load(index) if each.imports != new.imports]
    _write(index, [new, *others][:_KEPT])


def forget(index: Path, made: Path) -> None:
    """Keep no conversion whose Verilog is gone; without any the file goes."""
    left = [each for each in load(index) if (made / each.folder).is_dir()]
    if left:
        _write(index, left)
    else:
        index.unlink(missing_ok=True)


def _write(index: Path, conversions: Sequence[Conversion]) -> None:
    plain = {"conversions": [asdict(each) for each in conversions]}
    write_atomically(index, json.dumps(plain, indent=1) + "\n")
