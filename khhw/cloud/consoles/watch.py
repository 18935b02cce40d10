"""Waiting for what each of some nodes is to say."""

import asyncio
from collections.abc import Iterable

from khhw.control.console import ERROR, Answer, Said

__all__ = ["NodeFailedError", "Watch"]


class NodeFailedError(RuntimeError):
    """A node said that something went wrong, or did not say what it should have."""


class Watch:
    """Looks for an answer of each of some nodes, or for the first error that one of them reports.

    Parameters
    ----------
    ranks : iterable of int
    accept : Answer
    """

    def __init__(self, ranks: Iterable[int], accept: Answer) -> None:
        self._accept = accept
        self._missing = set(ranks)
        self._problem = ""
        self._ended = asyncio.Event()

    def heard(self, said: Said) -> None:
        """A node said a line."""
        if said.rank not in self._missing or self._problem:
            return
        if self._accept.within(said):
            self._missing.remove(said.rank)
        elif ERROR.within(said):
            self._problem = f"node {said.rank} said {said.text!r}"
        if self._problem or not self._missing:
            self._ended.set()

    def give_up(self, why: str) -> None:
        """It will not be said any more."""
        self._problem = self._problem or why
        self._ended.set()

    async def wait(self, seconds: float) -> bool:
        """Whether all have answered; False if that is still to come after some seconds.

        Raises
        ------
        NodeFailedError
            If it will not.
        """
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        if self._problem:
            raise NodeFailedError(self._problem)
        return True

    def silent(self) -> NodeFailedError:
        """Nothing came of those that are missing."""
        return NodeFailedError(f"nodes {sorted(self._missing)} did not say {str(self._accept)!r}")
