"""Tracebacks of exceptions that were made to break whoever prints them."""

from collections.abc import Callable

import pytest

from khhw.kernels.image import place_of
from khhw.tracebacks import own_traceback


class SilentError(Exception):
    """Says nothing of itself."""

    def __getattribute__(self, name: str) -> object:
        raise ValueError("no")


def chain() -> BaseException:
    """More causes than Python can print."""
    error = ValueError("the first")
    for number in range(5000):
        following = ValueError(number)
        following.__cause__, error = error, following
    return error


@pytest.mark.parametrize(("make", "last"), [
    (chain, "ValueError: 4999"), (SilentError, ""),
    (lambda: SyntaxError("odd", (5, 1, 1, "text")), "SyntaxError: odd"),
])
def test_no_exception_breaks_who_tells_it(make: Callable[[], BaseException], last: str) -> None:
    found = ""
    try:
        raise make()
    except BaseException as error:
        found = own_traceback(error)
        assert place_of(error) == ""
    assert found.rpartition("\n")[2] == last
    assert len(found) < 21_000 and (not last or __file__ in found)
