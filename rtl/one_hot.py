"""Choosing by one-hot signals."""

from functools import reduce
from operator import or_

from amaranth.hdl import Value, ValueLike

__all__ = ["gather", "lowest"]


def lowest(requests: Value) -> Value:
    """The lowest bit that is set, one-hot."""
    return (requests & (~requests + 1))[:len(requests)]


def gather(select: Value, values: list[ValueLike]) -> Value:
    """The value that one-hot `select` points at; 0 for none."""
    masked = [Value.cast(value) & chosen.replicate(len(Value.cast(value)))
              for chosen, value in zip(select, values, strict=True)]
    return reduce(or_, masked)
