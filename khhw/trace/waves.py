"""The waves of a run: signals of the fabric by name, one value a cycle."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from khhw.errors import RequestError
from khhw.machine.waves import WAVES_NAMES
from khhw.visible import shell_command
from rtl.fabric import Fabric

__all__ = ["Steps", "Wave", "Waves", "find_waves"]

Steps = npt.NDArray[np.int64]
"""Numbers of simulated clock cycles, counted from 0; time that was skipped has none."""

_NODE = re.compile(rf"{Fabric.module_name}\.node_(\d+)\.irq")


def find_waves(folder: Path) -> Path:
    """The waveform of a run.

    Raises
    ------
    RequestError
        If the folder holds none; says how to make them.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder; khhw trace takes that of a run (khhw run FILE --waves -o DIR)")
    for name in WAVES_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise RequestError(f"{folder} holds no waves ({' or '.join(WAVES_NAMES)}): run the machine again with "
                       f"khhw run FILE --waves -o {shell_command([folder])}")


@dataclass(frozen=True)
class Wave:
    """A signal's history.

    Parameters
    ----------
    starts : numpy array of int
        Steps in which it changed, increasing; the first is 0.
    values : list of int
        What it changed to.
    """

    starts: Steps
    values: list[int]

    def at(self, step: int) -> int:
        """The value in a cycle."""
        return self.values[max(0, int(np.searchsorted(self.starts, step, side="right")) - 1)]

    def pick(self, steps: Steps) -> list[int]:
        """The values in some cycles."""
        indices = np.searchsorted(self.starts, steps, side="right") - 1
        return [self.values[index] for index in indices.tolist()]

    def every(self, steps: int) -> npt.NDArray[np.int64]:
        """The value in each of the first `steps` cycles; for signals of up to 63 bits."""
        lengths = np.diff(np.append(self.starts, steps))
        return np.repeat(np.array(self.values, dtype=np.int64), lengths)


class Waves:
    """Signals of one waveform file. Values are those in front of the clock edge that ends a cycle.

    Parameters
    ----------
    path : Path
        FST or VCD file of a fabric.

    Attributes
    ----------
    cycles : numpy array of int
        The machine's time in each simulated cycle; it jumps where idle time was skipped.

    Raises
    ------
    RequestError
        If it is no waveform, or not one of a fabric.
    """

    def __init__(self, path: Path) -> None:
        import pywellen

        self.path = path
        try:
            waveform = pywellen.Waveform(str(path))  # type: ignore[attr-defined]
        except Exception as error:
            raise RequestError(f"{path} cannot be read as waves: {error}") from error
        self._variables: dict[str, Any] = {}
        for variable in waveform.all_vars():
            self._variables.setdefault(variable.full_name, variable)
        self._kept: dict[str, Wave] = {}
        history = self._history("now", 64)
        # Reset has no cycles of its own: what comes before time 1 belongs to cycle 0.
        self._edges = np.array([time for time, _ in history], dtype=np.int64)
        self.cycles: Steps = np.array([value for _, value in history], dtype=np.int64)

    @property
    def steps(self) -> int:
        """Simulated cycles."""
        return len(self.cycles)

    @property
    def from_start(self) -> bool:
        """Whether they begin with the first cycle of the run: nothing came before them."""
        return not self.cycles[0]

    @cached_property
    def ranks(self) -> frozenset[int]:
        """The nodes in them."""
        return frozenset(int(found[1]) for name in self._variables if (found := _NODE.fullmatch(name)))

    def step_of(self, cycle: int) -> int:
        """The step in which the machine's time is `cycle`, or the last before."""
        return max(0, int(np.searchsorted(self.cycles, cycle, side="right")) - 1)

    def signal(self, name: str, width: int) -> Wave:
        """A signal below the fabric.

        Parameters
        ----------
        name : str
            ``node_0.irq``.
        width : int
            Bits it must have.

        Raises
        ------
        RequestError
            If there is none, or it has another width.
        """
        if name not in self._kept:
            self._kept[name] = self._sample(self._history(name, width))
        return self._kept[name]

    def _history(self, name: str, width: int) -> Sequence[tuple[int, int]]:
        variable = self._variables.get(f"{Fabric.module_name}.{name}")
        if variable is None or variable.bitwidth != width:
            found = "it is not in them" if variable is None else f"it has {variable.bitwidth} bits"
            raise RequestError(f"{self.path}: cannot find {name} of {width} bits, {found}; waves of another version "
                               "of khhw must be made again (khhw run FILE --waves)")
        # What was never initialised is not a number before its first change.
        return [(time, value if isinstance(value, int) else 0) for time, value in variable.signal] or [(0, 0)]

    def _sample(self, history: Sequence[tuple[int, int]]) -> Wave:
        times = np.array([time for time, _ in history], dtype=np.int64)
        steps = np.maximum(np.searchsorted(self._edges, times, side="right") - 1, 0)
        # Of several changes in one cycle the last counts.
        last = np.append(steps[1:] != steps[:-1], True)
        kept = np.flatnonzero(last).tolist()
        starts = steps[last]
        starts[0] = 0
        return Wave(starts, [history[index][1] for index in kept])
