"""Sizes of keys and values as in Facebook's ETC pool.

Atikoglu, Xu, Frachtenberg, Jiang, Paleczny: Workload Analysis of a Large-Scale Key-Value Store, SIGMETRICS 2012,
doi:10.1145/2254756.2254766. Section 5 gives key sizes as a generalized extreme value distribution and value sizes as
a generalized Pareto distribution with the parameters here. The paper's table of frequencies for values of 0 to 14
bytes is not used: the Pareto distribution stands for all sizes, as in several load generators.
"""

import math
import random

from khhw.kernels.memcached.answers import MAXIMUM_KEY

__all__ = [
    "KEY_SIZE", "VALUE_SIZE", "etc_key_bytes", "etc_value_bytes", "generalized_extreme_value", "generalized_pareto",
]

KEY_SIZE = (30.7984, 8.20449, 0.078688)
"""Location, scale, shape of the key sizes' generalized extreme value distribution."""
VALUE_SIZE = (0.0, 214.476, 0.348238)
"""Location, scale, shape of the value sizes' generalized Pareto distribution."""


def generalized_extreme_value(uniform: float, location: float, scale: float, shape: float) -> float:
    """Inverse of the distribution function; `uniform` is in (0, 1)."""
    return location + scale * (math.pow(-math.log(uniform), -shape) - 1) / shape


def generalized_pareto(uniform: float, location: float, scale: float, shape: float) -> float:
    """Inverse of the distribution function; `uniform` is in [0, 1)."""
    return location + scale * (math.pow(1 - uniform, -shape) - 1) / shape


def etc_key_bytes(choose: random.Random, shortest: int) -> int:
    """Size of a key, `shortest` to the longest the server takes."""
    size = generalized_extreme_value(choose.uniform(1e-12, 1 - 1e-12), *KEY_SIZE)
    return max(shortest, min(MAXIMUM_KEY, round(size)))


def etc_value_bytes(choose: random.Random, largest: int) -> int:
    """Size of a value, 1 to `largest`."""
    return max(1, min(largest, round(generalized_pareto(choose.random(), *VALUE_SIZE))))
