"""Coverage builds: Verilator counts lines and toggles."""

from pathlib import Path

from khhw.build import toolchain
from khhw.build.backends import VARIANTS, LeanBackend
from khhw.build.cache import digest
from khhw.build.design import Design
from khhw.errors import BuildError

__all__ = ["CountedBackend", "corrected_header"]

_HEADER = "verilated_cov.h"
_EVERY_BIT_ABOVE = "j < width - i * VL_EDATASIZE;"
_BITS_OF_THE_WORD = "j < VL_EDATASIZE && j < width - i * VL_EDATASIZE;"


class CountedBackend(LeanBackend):
    """Verilator with only the ports and what the design names visible, that counts what runs cover.

    Parameters
    ----------
    design : Design
        Traced, see :func:`khhw.build.design.convert`.
    waves, fst : bool
        See :class:`~khhw.build.backends.LeanBackend`.
    """

    def __init__(self, design: Design, waves: bool, fst: bool) -> None:
        super().__init__(design, waves, VARIANTS["coverage"], fst)

    def tool(self) -> object:
        return [super().tool(), digest(corrected_header(self.verilator))]

    def _library(self) -> object:
        return [super()._library(), "coverage"]

    def build(self, folder: Path) -> None:
        # Generated code finds it there before Verilator's own.
        (folder / _HEADER).write_text(corrected_header(self.verilator), encoding="utf-8")
        super().build(folder)


def corrected_header(verilator: toolchain.Verilator) -> str:
    """Verilator's header that counts toggles.

    In a signal of more than one word Verilator 5.048 counts a toggle of a bit also for the bits 32, 64 and so on above
    it: the loop over a word's bits goes on to the end of the signal, and a shift by 32 is one by 0.

    Raises
    ------
    BuildError
        If it is not where Verilator says.
    """
    root = verilator.root or toolchain.run_for_version(
        str(verilator.executable), "--getenv", "VERILATOR_ROOT", pattern=r"(\S+)")
    file = Path(root) / "include" / _HEADER
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"cannot read {file}, which counts coverage: {error.strerror}") from error
    return text.replace(_EVERY_BIT_ABOVE, _BITS_OF_THE_WORD)
