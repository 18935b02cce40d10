"""A build that has begun: what is known of how long it takes, and how far it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from khhw.build import history
from khhw.estimate import Span

__all__ = ["Begun", "OnBegin"]

# The three make the share of 11 builds, of 8 to 41 files of C++, differ from the share of their time by 0.13 at most,
# and by 0.25 where one file is nearly all.
_VERILATED = 0.1
"""Share of a build that is done when there is C++ to compile."""
_HEADERS = 1.5e6
"""Headers are compiled first, which takes as long as so many bytes of C++."""
_SLOW = 0.15
"""Verilator has code that runs once compiled without optimisation: of its bytes so many count."""


@dataclass(frozen=True)
class Begun:
    """A build that is really made, not found.

    Parameters
    ----------
    folder : Path
        It is filled.
    kind : str
        What builds, and how; for builds of one kind time goes by size.
    size : float
        Bytes of Verilog.
    """

    folder: Path
    kind: str
    size: float

    @classmethod
    def of(cls, folder: Path, kind: str, sources: tuple[Path, ...]) -> "Begun":
        """The build of some Verilog files in a folder."""
        return cls(folder, f"build-{kind}", float(sum(source.stat().st_size for source in sources)))

    @property
    def known(self) -> Span | None:
        """Seconds that it takes by earlier ones on this machine; None if there are none about this size."""
        return history.known(self.kind, self.size)

    def note(self, seconds: float) -> None:
        """It has ended, after so many seconds."""
        history.note(self.kind, seconds, self.size)

    @property
    def done(self) -> float:
        """About what share is done, from 0 to 1, by the C++ that is compiled already; 0 before there is any."""
        total, compiled, begun = _HEADERS, 0.0, False
        try:
            if not any(self.folder.rglob("*.mk")):
                return 0.0
            for source in self.folder.rglob("V*.cpp"):
                work = source.stat().st_size * (_SLOW if "__Slow" in source.name else 1.0)
                total += work
                if source.with_suffix(".o").is_file():
                    compiled += work
                    begun = True
        except OSError:
            # It was cleared away meanwhile.
            return 1.0
        return _VERILATED + (1 - _VERILATED) * (compiled + _HEADERS * begun) / total


OnBegin = Callable[[Begun], None]
"""Called when a build begins that is not there yet."""
