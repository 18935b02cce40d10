"""The thread that carries changes out, and its end."""

import logging
import threading
from types import SimpleNamespace

from khhw.cloud.carrier import Carrier


class Core:
    """One step, which fails when it is let go."""

    def __init__(self):
        self.began, self.end = threading.Event(), threading.Event()

    def connect(self, _machine):
        """Nothing."""

    def step(self):
        """As a step whose store was closed."""
        self.began.set()
        self.end.wait(30)
        raise ValueError("Cannot operate on a closed database.")


def failed_after(caplog, act):
    """What is logged of a step that fails after `act`."""
    core = Core()
    carrier = Carrier(core, SimpleNamespace(alive=True))
    with caplog.at_level(logging.ERROR):
        carrier.start()
        core.began.wait(30)
        act(carrier)
        core.end.set()
        carrier._thread.join(0.5)
        said = [record.getMessage() for record in caplog.records]
        carrier.stop()
    return said


def test_a_step_that_fails_is_told(caplog):
    assert failed_after(caplog, lambda _carrier: None) == ["a step of the core failed; it is tried again"]


def test_a_step_that_outlives_the_service_is_nobody_s_trouble(caplog):
    assert failed_after(caplog, lambda carrier: carrier.stop()) == []
