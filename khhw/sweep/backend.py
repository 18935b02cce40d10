"""What a sweep asks of whatever measures its points."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from khhw.traffic.measurement import Measurement
from khhw.traffic.point import Build, Point

__all__ = ["ENGINE", "Backend", "OtherHardwareError", "identify", "measured", "prepared"]


@dataclass(frozen=True)
class Backend:
    """Names of functions, ``"module:function"``, so that workers anywhere find their own.

    Parameters
    ----------
    identify : str
        Called with a :class:`~khhw.traffic.point.Build`: text that differs where its hardware or simulator does.
        Cheap: nothing is compiled.
    prepare : str
        Called with a build and the numbers of nodes it is needed for: makes it where it is called, or finds it made.
    measure : str
        Called with a :class:`~khhw.traffic.point.Point`: its measurement.
    """

    identify: str
    prepare: str
    measure: str


ENGINE = Backend(identify="khhw.traffic.engine:identify", prepare="khhw.traffic.engine:prepare",
                 measure="khhw.traffic.measure:measure")
"""The scale engine."""


class OtherHardwareError(RuntimeError):
    """What would be measured is not what the sweep is about."""


def _check(backend: Backend, build: Build, identity: str) -> None:
    from khhw._version import __version__

    own = identify(backend, build)
    if own != identity:
        raise OtherHardwareError(
            f"the sources there (version {__version__}, hardware {own}) are not those the sweep began with (hardware "
            f"{identity}): install the same ones on all workers, and start the sweep again after an edit")


def _find(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), function)
    return found


def identify(backend: Backend, build: Build) -> str:
    """Identity of a build, here."""
    return str(_find(backend.identify)(build))


def prepared(backend: Backend, build: Build, sizes: Sequence[int], identity: str) -> None:
    """Make a build where this is called, for machines of so many nodes.

    Raises
    ------
    OtherHardwareError
        If its identity here is not `identity`.
    """
    _check(backend, build, identity)
    _find(backend.prepare)(build, sizes)


def measured(backend: Backend, point: Point, identity: str) -> Measurement:
    """Measure a point where this is called; raises as :func:`prepared`."""
    # Every time: somebody may have edited the hardware since the last point.
    _check(backend, point.build, identity)
    result = _find(backend.measure)(point)
    assert isinstance(result, Measurement)
    return result
