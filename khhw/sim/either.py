"""Waiting for the first of several simulator events."""

from functools import partial
from typing import Any

from cocotb.triggers import Trigger

__all__ = ["Either"]


class Either(Trigger):
    """Fires with the first of `triggers`, which is then `fired`.

    cocotb's own ``First`` starts a task for each of them; a program that lives on interrupts took half as long again.

    Parameters
    ----------
    *triggers : Trigger
        What to wait for. Each fires at most once while this is awaited.
    """

    def __init__(self, *triggers: Trigger) -> None:
        super().__init__()
        self.fired: Trigger | None = None
        self._triggers = triggers
        self._registered: dict[Trigger, Any] = {}

    def _prime(self) -> None:
        self._registered = {trigger: trigger._register(partial(self._first, trigger)) for trigger in self._triggers}

    def _unprime(self) -> None:
        for registered in self._registered.values():
            registered.cancel()
        self._registered = {}

    def _first(self, trigger: Trigger) -> None:
        self.fired = trigger
        del self._registered[trigger]
        self._unprime()
        self._react()
