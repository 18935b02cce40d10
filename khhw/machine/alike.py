"""Which measurements of memcached are the same one, taken again in another phase."""

from khhw.machine.results import MemcachedPoint

__all__ = ["held", "mixed"]

_HELD = ("values", "value_bytes", "distribution", "loop", "offered_per_second", "clients", "connections",
         "gets_per_cent", "hops", "cpu_model", "cpu_scale")


def held(point: MemcachedPoint, *vary: str) -> tuple[object, ...]:
    """Everything a point was measured under but path, operation, phase, and what is varied.

    The mean size of ETC values is measured, not chosen: it tells no two points apart. Neither does the share of GETs
    where all operations are of one kind: that is the operation again.
    """
    alike = {"value_bytes"} if point.values == "etc" else set()
    if not mixed(point):
        alike.add("gets_per_cent")
    return tuple(None if name in alike else getattr(point, name) for name in _HELD if name not in vary)


def mixed(point: MemcachedPoint) -> bool:
    """Whether GETs and SETs were measured together."""
    return point.gets_per_cent is not None and 0 < point.gets_per_cent < 100
