"""Reading a machine file: TOML in, a checked description out, every error with its line and its remedy."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from khhw.machine.checks import find_inconsistencies
from khhw.machine.document import DocumentError, Wrong, read_document
from khhw.machine.file import MachineFile
from khhw.machine.repair import StandIns
from rtl.parameters import ParameterError, Parameters

__all__ = ["MachineFileError", "load"]

_SHAPE = [1, 1, 1]
_STAND_INS: StandIns = {
    ("torus",): {"shape": _SHAPE}, ("torus", "shape"): _SHAPE, ("phases", None, "name"): "unnamed",
    ("phases", None, "kernels", None, "kernel"): "probe",
}


class MachineFileError(DocumentError):
    """A machine file that cannot be run."""


def load(source: Path | str, *, parts: Mapping[str, str] | None = None) -> MachineFile:
    """Read and check a machine file; nothing is built or run.

    Parameters
    ----------
    source : Path or str
        A TOML file.
    parts : mapping of str to str, optional
        Replacements that win over the file's own ``[parts]``, as ``--part`` says them; errors name them so.

    Raises
    ------
    MachineFileError
        With all that is wrong, each with its line.
    """
    def amend(document: dict[str, Any]) -> None:
        if parts and isinstance(document.get("parts", {}), dict):
            document["parts"] = {**document.get("parts", {}), **parts}

    return read_document(
        source, MachineFile, lambda machine, faults: find_inconsistencies(machine, Path(source).parent, faults),
        whole="machine", error=MachineFileError, amend=amend, each=_wrong_node, stand_ins=_STAND_INS,
        given={("parts", name): f"--part {name}={path}" for name, path in (parts or {}).items()})


def _wrong_node(document: dict[str, Any]) -> Iterator[Wrong]:
    """Values that no node has; a node with several refuses only the first."""
    node = document.get("node")
    for name, value in node.items() if isinstance(node, dict) else ():
        try:
            if name in Parameters.names():
                Parameters(**{name: value})
        except ParameterError as error:
            yield ("node", name), str(error)
