"""Reading a machine file: TOML in, a checked description out, every error with its line and its remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from khhw.machine.checks import find_inconsistency
from khhw.machine.document import DocumentError, read_document
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
        For the first thing that is wrong, with its line.
    """
    def amend(document: dict[str, Any]) -> None:
        if parts and isinstance(document.get("parts", {}), dict):
            document["parts"] = {**document.get("parts", {}), **parts}

    return read_document(source, MachineFile, lambda machine: find_inconsistency(machine, Path(source).parent),
                         whole="machine", error=MachineFileError, amend=amend)
