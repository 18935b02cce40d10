"""The one object that ``--json`` prints."""

from collections.abc import Mapping
from typing import Any

from khhw import __version__

__all__ = ["report"]


def report(
    results: Any, *, seed: int | None = None, parameters: Mapping[str, Any] | None = None, build: str | None = None,
    cpu_model: str | None = None,
) -> dict[str, Any]:
    """What every command's JSON has: who made it, with what, and `results`. None where a key has no meaning."""
    return {"version": __version__, "seed": seed, "parameters": dict(parameters or {}), "build": build,
            "cpu_model": cpu_model, "results": results}
