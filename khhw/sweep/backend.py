"""What a sweep asks of whatever measures its points."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass

from khhw.traffic.measurement import Measurement
from khhw.traffic.point import Build, Point

__all__ = ["ENGINE", "Backend", "identify", "measured", "prepared"]


@dataclass(frozen=True)
class Backend:
    """Names of functions, ``"module:function"``, so that workers anywhere find their own.

    Parameters
    ----------
    identify : str
        Called with a :class:`~khhw.traffic.point.Build`: text that differs where its hardware or simulator does.
        Cheap: nothing is compiled.
    prepare : str
        Called with a build: makes it where it is called, or finds it made.
    measure : str
        Called with a :class:`~khhw.traffic.point.Point`: its measurement.
    """

    identify: str
    prepare: str
    measure: str


ENGINE = Backend(identify="khhw.traffic.engine:identify", prepare="khhw.traffic.engine:prepare",
                 measure="khhw.traffic.measure:measure")
"""The scale engine."""


def _find(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), function)
    return found


def identify(backend: Backend, build: Build) -> str:
    """Identity of a build, here."""
    return str(_find(backend.identify)(build))


@functools.cache
def prepared(backend: Backend, build: Build, identity: str) -> str:
    """Make a build where this is called; the identity it has here.

    Raises
    ------
    RuntimeError
        If it is not `identity`: what would be measured here is something else.
    """
    from khhw import __version__

    own = identify(backend, build)
    if own != identity:
        raise RuntimeError(f"this worker's khhw ({__version__}, hardware {own}) is not that of the sweep (hardware "
                           f"{identity}): install the same sources on both")
    _find(backend.prepare)(build)
    return own


def measured(backend: Backend, point: Point, identity: str) -> Measurement:
    """Measure a point where this is called; see :func:`prepared`."""
    prepared(backend, point.build, identity)
    result = _find(backend.measure)(point)
    assert isinstance(result, Measurement)
    return result
