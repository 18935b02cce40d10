"""What a round tries: a few choices that the campaign draws, keeps when they showed something new, and changes."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from khhw.attack.scene import MATRICES

__all__ = ["Genome", "MEANWHILE", "NO_TABLE", "TABLES", "WAYS", "change", "draw"]

WAYS = (
    "message", "put", "get", "deposit", "hint", "channel", "range", "source", "descriptor", "ring", "register", "guard",
    "console", "traffic", "crossing", "mixed",
)
"""What hostile software does in a round; :mod:`khhw.attack.hostile` says what each is."""

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
class Genome:
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


def draw(dice: np.random.Generator) -> Genome:
    """A round nobody has tried."""
    meanwhile = str(dice.choice(MEANWHILE, p=(0.5, 0.35, 0.15)))
    matrices = 1 + int(dice.integers(2, 4)) if meanwhile == "change" else 1
    return Genome(
        way=str(dice.choice(WAYS)), seed=int(dice.integers(1 << 31)), foe=float(dice.choice((0.3, 0.7, 0.95))),
        near=float(dice.choice((0.5, 0.9, 1.0))), length=int(dice.choice(_LENGTHS, p=(0.82, 0.14, 0.03, 0.01))),
        laps=int(dice.integers(*_LAPS)), accesses=int(dice.choice((0, 8, 40))),
        noise=bool(dice.random() < 0.7), meanwhile=meanwhile,
        tables=str(dice.choice(TABLES, p=(0.5, 0.3, 0.2))),
        matrices=tuple(str(name) for name in dice.choice(MATRICES, matrices, p=(0.3, 0.2, 0.15, 0.15, 0.1, 0.1))))


def change(genome: Genome, dice: np.random.Generator) -> Genome:
    """The same round with one choice drawn anew; always with another seed."""
    other = draw(dice)
    names = ["seed", "foe", "near", "length", "laps", "accesses", "noise", "meanwhile", "tables", "matrices"]
    name = str(dice.choice(names))
    values: dict[str, Any] = {name: getattr(other, name), "seed": other.seed}
    if name in ("meanwhile", "matrices"):
        values |= {"meanwhile": other.meanwhile, "matrices": other.matrices}
    return replace(genome, **values)
