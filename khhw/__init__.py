"""khhw: communication domains in hardware, on a torus in RTL, driven from Python."""

from khhw._version import __version__

__all__ = ["Machine", "__version__"]


def __getattr__(name: str) -> object:
    """``khhw.Machine``, imported when it is asked for: a simulator process has no use for all it brings."""
    if name == "Machine":
        from khhw.machine.machine import Machine

        return Machine
    raise AttributeError(f"module 'khhw' has no attribute {name!r}")
