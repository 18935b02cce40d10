"""The one object that ``--json`` prints."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from khhw._version import __version__
from khhw.build.provenance import provenance

__all__ = ["in_ascii", "report"]


def report(
    results: Any, *, seed: int | None = None, parameters: Mapping[str, Any] | None = None, build: str | None = None,
    cpu_model: str | None = None, also: Iterable[str] = (),
) -> dict[str, Any]:
    """What every command's JSON has: who made it, where and with what, and `results`. None where a key has no meaning.

    `also` names what it depends on beside khhw's packages, see :func:`khhw.build.provenance.provenance`.
    """
    return {"version": __version__, "provenance": provenance(also).model_dump(), "seed": seed,
            "parameters": dict(parameters or {}), "build": build, "cpu_model": cpu_model, "results": results}


def in_ascii(text: str) -> str:
    """JSON with the same meaning, in which strings hold nothing that a terminal obeys."""
    return re.sub(r"[^\n -~]+", lambda found: "".join(f"\\u{code:04x}" for code in _utf_16(found[0])), text)


def _utf_16(text: str) -> memoryview:
    return memoryview(text.encode("utf-16", "surrogatepass")[2:]).cast("H")
