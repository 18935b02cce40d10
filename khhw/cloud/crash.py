"""Points at which the service can be made to die, for tests: ``KHHW_CRASH_AT=n`` kills it at the n-th that it comes to.

There is one before each commit of the store and one behind it, where nobody has the answer yet; and one before and one
behind what the machine is asked for. Death is SIGKILL: nothing is flushed, no handler runs.
"""

import itertools
import os
import signal

__all__ = ["crash_point"]

_VARIABLE = "KHHW_CRASH_AT"
_passed = itertools.count(1)


def crash_point() -> None:
    """Die here, if it is the one; costs nothing otherwise."""
    wanted = os.environ.get(_VARIABLE)
    if wanted is not None and next(_passed) == int(wanted):
        os.kill(os.getpid(), signal.SIGKILL)
