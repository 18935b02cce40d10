"""Two runs that may be compared: the same experiment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from khhw.machine.results import Results

__all__ = ["ABSENT", "MismatchError", "Pair", "differing", "may_differ"]

ABSENT = "absent"
_MAY_DIFFER = ("name", "parts")


class MismatchError(ValueError):
    """The two runs did not do the same.

    Parameters
    ----------
    keys : list of (str, str, str)
        Every parameter that differs, with both values.
    """

    def __init__(self, keys: list[tuple[str, str, str]], first: str, second: str) -> None:
        self.keys = keys
        width = max(len(key) for key, _, _ in keys)
        lines = [f"  {key:<{width}}  {one}  |  {other}" for key, one, other in keys]
        super().__init__(
            f"{first} and {second} cannot be compared: they differ in more than their parts\n" + "\n".join(lines)
            + "\nrun both with the same machine file; only [parts], the name, the seed, the version and the build may "
            "differ")


@dataclass(frozen=True)
class Pair:
    """Two runs, checked.

    Parameters
    ----------
    first, second : Results
        The second is described against the first.
    names : (str, str)
        What the runs are called, not alike.

    Raises
    ------
    MismatchError
        If a parameter, the clock or the software cost differs.
    """

    first: Results
    second: Results
    names: tuple[str, str]

    def __post_init__(self) -> None:
        if keys := differing(self.first, self.second):
            raise MismatchError(keys, *self.names)


def differing(first: Results, second: Results) -> list[tuple[str, str, str]]:
    """Everything that must be alike and is not: key, value in the first run, value in the second.

    See :func:`may_differ` for what need not be.
    """
    return _unlike(_must_match(first), _must_match(second))


def may_differ(first: Results, second: Results) -> list[tuple[str, str, str]]:
    """What may differ and does: parts, name, seed, version, build. The seed is the one the run had, whatever its file
    says."""
    found = _unlike(_can_differ(first), _can_differ(second))
    own = {ABSENT: "khhw's own"}
    return [(key, own.get(one, one), own.get(other, other)) for key, one, other in found]


def _must_match(run: Results) -> dict[str, Any]:
    parameters = {key: value for key, value in run.parameters.items() if key not in (*_MAY_DIFFER, "seed")}
    return dict(_flat(parameters)) | {
        "command": run.command, "cpu_model": run.cpu_model, "clock_hz": run.clock_hz}


def _can_differ(run: Results) -> dict[str, Any]:
    parts = {f"parts.{name}": path for name, path in (run.parameters.get("parts") or {}).items()}
    return parts | {"name": run.name, "seed": run.seed, "version": run.version, "build": run.build}


def _unlike(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, str]]:
    keys = [*first, *(key for key in second if key not in first)]
    return [(key, repr(first[key]) if key in first else ABSENT, repr(second[key]) if key in second else ABSENT)
            for key in keys if key not in first or key not in second or first[key] != second[key]]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested tables and lists by dotted key, ``phases[0].kernels[1].arguments``."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{index}]")
    else:
        yield path, value
