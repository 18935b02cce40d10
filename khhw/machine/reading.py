"""Reading a machine file: TOML in, a checked description out, every error with its line and its remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from khhw.machine.checks import find_inconsistencies
from khhw.machine.document import DocumentError, Place, read_document, without_unknown
from khhw.machine.file import MachineFile

__all__ = ["MachineFileError", "load"]


class MachineFileError(DocumentError):
    """A machine file that cannot be run."""


def load(source: Path | str, *, parts: Mapping[str, str] | None = None) -> MachineFile:
    """Read and check a machine file; nothing is built or run.

    Parameters
    ----------
    source : Path or str
        A TOML file.
    parts : mapping of str to str, optional
        Replacements that win over the file's own ``[parts]``.

    Raises
    ------
    MachineFileError
        With all that is wrong, each with its line.
    """
    def amend(document: dict[str, Any]) -> None:
        if parts and isinstance(document.get("parts", {}), dict):
            document["parts"] = {**document.get("parts", {}), **parts}

    return read_document(source, MachineFile, lambda machine: find_inconsistencies(machine, Path(source).parent),
                         whole="machine", error=MachineFileError, amend=amend, spare=_spare)


def _spare(document: dict[str, Any], place: Place, unknown: bool) -> bool:
    """Make of a machine file with something wrong at `place` one whose other parts can be checked."""
    match place:
        case ("domains", name, *_) if isinstance(document["domains"], dict):
            # Its name is known; what it says is not looked at.
            document["domains"][name] = {"rules": []}
        case ("phases", int(index), *rest) if not unknown or rest[0] == "kernels":
            phase = document["phases"][index]
            given = phase.get("name") if isinstance(phase, dict) and rest[:1] != ["name"] else None
            document["phases"][index] = {"name": given if isinstance(given, str) else f"phase_{index}"}
        case ("memcached" | "serve" | "parts" | "host" | "name" | "seed" as section, *_):
            document.pop(section, None)
        case _:
            return without_unknown(document, place, unknown)
    return True
