"""Playing a recording of a console: shown as it was seen, and never obeyed."""

import time
from collections.abc import Callable
from pathlib import Path

from khhw.cloud.consoles.recording import Moment, events
from khhw.cloud.consoles.rows import Rows

__all__ = ["replay"]

_LONGEST_PAUSE = 3600.0
_COLUMNS = 14
"""Of most moments."""


def replay(
    path: Path, show: Callable[[str], None], rows: Callable[[], Rows], *, speed: float, cycles: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Play a recording.

    Parameters
    ----------
    path : Path
    show : callable
        Given rows that end with newlines.
    rows : callable
        As wide as the terminal is now.
    speed : float
        How many times as fast as it was; infinite: without any pause.
    cycles : bool
        Begin what a node said with the boot and the cycle.
    sleep : callable
        Waits so many seconds.

    Raises
    ------
    RequestError
        If it cannot be read or is no recording.
    """
    last, unfinished = 0.0, ""
    for event in events(path):
        pause, last = min(_LONGEST_PAUSE, (event.seconds - last) / speed), event.seconds
        if pause:
            sleep(pause)
        # A recording of another program may cut its lines anywhere.
        *lines, unfinished = (unfinished + event.text).split("\n")
        for line in lines:
            show(rows().laid_out(_stamp(event.moment) if cycles else "", line.removesuffix("\r")))
    if unfinished:
        show(rows().laid_out(_stamp(None) if cycles else "", unfinished))


def _stamp(moment: Moment | None) -> str:
    return f"{'' if moment is None else f'{moment.boot}:{moment.cycle:,}':<{_COLUMNS}} "
