"""What a round tries: a few choices that the campaign draws, keeps when they showed something new, and changes."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from khhw.fuzz.scenario import MATRICES

__all__ = ["MEANWHILE", "NO_TABLE", "TABLES", "Stimulus", "WAYS", "change", "draw"]

WAYS = (
    "message", "put", "writer", "get", "deposit", "hint", "channel", "range", "source", "descriptor", "ring",
    "register", "guard", "console", "traffic", "crossing", "mixed",
)
"""What hostile software does in a round; :mod:`khhw.fuzz.hostile` says what each is."""

MEANWHILE = ("nothing", "change", "hold")
"""What the owner does meanwhile."""

TABLES = ("both", "column only", "row only")
"""Which guards forbid: with ``column only`` the rows of the hostile allow everything, as if their egress guards were
not there; with ``row only`` the columns of the honest allow everything."""

NO_TABLE = "none"
"""Instead of :data:`TABLES` in the first round of every machine: nothing was ever committed."""

_LENGTHS = 4
_LAPS = (3, 8)


@dataclass(frozen=True)
class Stimulus:
    """A round.

    Parameters
    ----------
    way : str
        One of :data:`WAYS`.
    seed : int
        Of all that is random in it.
    foe : float
        Share of packets for nodes that must not be reached.
    near : float
        Share of what is otherwise as it should be.
    length : int
        0: messages of one small packet, to 3: any length up to the memory.
    laps : int
        How often the rings are filled.
    accesses : int
        Register accesses of each hostile node a lap, beyond those it needs.
    noise : bool
        The traffic generators run, too.
    meanwhile : str
        One of :data:`MEANWHILE`.
    tables : str
        One of :data:`TABLES`, or :data:`NO_TABLE`.
    matrices : tuple of str
        What the owner changes to, in turn; only the first unless `meanwhile` is ``change``.
    """

    way: str
    seed: int
    foe: float
    near: float
    length: int
    laps: int
    accesses: int
    noise: bool
    meanwhile: str
    tables: str
    matrices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self)


def draw(rng: np.random.Generator) -> Stimulus:
    """A round nobody has tried."""
    meanwhile = str(rng.choice(MEANWHILE, p=(0.5, 0.35, 0.15)))
    matrices = 1 + int(rng.integers(2, 4)) if meanwhile == "change" else 1
    return Stimulus(
        way=str(rng.choice(WAYS)), seed=int(rng.integers(1 << 31)), foe=float(rng.choice((0.3, 0.7, 0.95))),
        near=float(rng.choice((0.5, 0.9, 1.0))), length=int(rng.choice(_LENGTHS, p=(0.82, 0.14, 0.03, 0.01))),
        laps=int(rng.integers(*_LAPS)), accesses=int(rng.choice((0, 8, 40))),
        noise=bool(rng.random() < 0.7), meanwhile=meanwhile,
        tables=str(rng.choice(TABLES, p=(0.5, 0.3, 0.2))),
        matrices=tuple(str(name) for name in rng.choice(MATRICES, matrices, p=(0.3, 0.2, 0.15, 0.15, 0.1, 0.1))))


def change(stimulus: Stimulus, rng: np.random.Generator) -> Stimulus:
    """The same round with one choice drawn anew; always with another seed."""
    other = draw(rng)
    names = ["seed", "foe", "near", "length", "laps", "accesses", "noise", "meanwhile", "tables", "matrices"]
    name = str(rng.choice(names))
    values: dict[str, Any] = {name: getattr(other, name), "seed": other.seed}
    if name in ("meanwhile", "matrices"):
        values |= {"meanwhile": other.meanwhile, "matrices": other.matrices}
    return replace(stimulus, **values)
