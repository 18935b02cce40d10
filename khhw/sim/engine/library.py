"""The engine's C interface (``core/engine.h``) from Python."""

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Condition", "Ranks", "Reason", "load_library", "pointer", "view"]


Ranks = int | Sequence[int] | npt.NDArray[np.integer[Any]]
"""Nodes, or a number for each of some nodes."""


class Reason(IntFlag):
    """Why the engine returned; ``enum khhw_reason``."""

    CYCLE = 1
    ANSWER = 2
    TAKEN = 4
    PACKET = 8
    INTERRUPT = 16
    HELD = 32
    IDLE = 64
    CONDITION = 128


class Condition(ctypes.Structure):
    """``khhw_condition``."""

    _fields_ = (("vector", c_void_p), ("mask", c_void_p), ("equals", c_uint8), ("all", c_uint8))


_INTERFACE: dict[str, tuple[Any, ...]] = {
    # Name: what it returns, then what it takes.
    "khhw_create": (c_void_p, c_int, c_void_p, c_void_p, c_int, c_uint32),
    "khhw_destroy": (None, c_void_p),
    "khhw_reset": (None, c_void_p, c_int),
    "khhw_now": (c_uint64, c_void_p),
    "khhw_run": (c_int, c_void_p, c_uint64, c_int, POINTER(Condition)),
    "khhw_jump": (None, c_void_p, c_uint64),
    "khhw_irq": (c_void_p, c_void_p),
    "khhw_held": (c_void_p, c_void_p),
    "khhw_quiescent": (c_void_p, c_void_p),
    "khhw_listening": (c_void_p, c_void_p),
    "khhw_irq_before": (c_void_p, c_void_p),
    "khhw_held_before": (c_void_p, c_void_p),
    "khhw_access": (None, c_void_p, c_int, c_void_p, c_void_p, c_void_p, c_int),
    "khhw_answers": (c_int, c_void_p, c_void_p, c_void_p, c_void_p),
    "khhw_access_all": (c_int, c_void_p, c_int, c_void_p, c_uint32, c_void_p, c_int, c_uint64),
    "khhw_send": (None, c_void_p, c_void_p, c_int, c_int),
    "khhw_packet": (c_int, c_void_p, c_void_p, c_int, c_void_p),
    "khhw_serve": (c_int, c_void_p, c_void_p, c_int, c_void_p, c_int, c_int),
    "khhw_peek": (None, c_void_p, c_int, c_void_p, c_void_p, c_size_t, c_void_p),
    "khhw_poke": (None, c_void_p, c_int, c_void_p, c_void_p, c_size_t, c_void_p),
    "khhw_read_name": (c_int, c_void_p, c_int, c_char_p, c_size_t, c_void_p, c_size_t),
    "khhw_sign": (None, c_void_p, c_int),
    "khhw_signatures": (c_void_p, c_void_p),
    "khhw_evaluations": (c_uint64, c_void_p),
    "khhw_bytes": (c_size_t, c_void_p),
}
_WAVES: dict[str, tuple[Any, ...]] = {
    "khhw_write_waves": (
        c_int, c_void_p, c_char_p, c_char_p, c_int, c_void_p, c_uint64, c_uint64, c_uint64),
    "khhw_close_waves": (None, c_void_p),
}
"""What a build for waves has besides."""


def load_library(path: Path, *, waves: bool = False) -> ctypes.CDLL:
    """The functions of a compiled engine.

    Parameters
    ----------
    path : Path
        Of the shared library.
    waves : bool
        It was built for waves.

    Raises
    ------
    OSError
        If it cannot be loaded.
    """
    library = ctypes.CDLL(str(path))
    for name, (result, *arguments) in (_INTERFACE | (_WAVES if waves else {})).items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def pointer(array: npt.NDArray[Any]) -> c_void_p:
    """Where a contiguous array is; the array must live as long as this is used."""
    assert array.flags.c_contiguous
    return array.ctypes.data_as(c_void_p)


def view(address: int, count: int, kind: "type[np.uint8] | type[np.uint64]") -> npt.NDArray[Any]:
    """An array over memory of the engine."""
    size = count * np.dtype(kind).itemsize
    return np.ctypeslib.as_array((c_uint8 * size).from_address(address)).view(kind)
