"""Reading a sweep specification: TOML in, a checked description out, every error with its line and its remedy."""

from pathlib import Path

from khhw.machine.document import DocumentError, read_document
from khhw.machine.repair import StandIns
from khhw.sweep.checks import find_inconsistencies
from khhw.sweep.spec import SweepSpec

__all__ = ["SweepSpecError", "load"]

_SHAPES = [[2, 1, 1]]
_STAND_INS: StandIns = {
    ("grid",): {"loads": [0.1], "shapes": _SHAPES}, ("grid", "loads"): [0.1], ("grid", "shapes"): _SHAPES,
}


class SweepSpecError(DocumentError):
    """A specification that cannot be swept."""


def load(source: Path | str) -> SweepSpec:
    """Read and check a sweep specification; nothing is built or run.

    Parameters
    ----------
    source : Path or str
        A TOML file.

    Raises
    ------
    SweepSpecError
        With all that is wrong, each with its line.
    """
    return read_document(
        source, SweepSpec, lambda spec, faults: find_inconsistencies(spec, Path(source).parent, faults), whole="sweep",
        error=SweepSpecError, stand_ins=_STAND_INS)
