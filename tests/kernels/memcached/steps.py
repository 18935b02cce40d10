"""Steps of memcached commands, and how they are played to a server so that answers can be compared."""

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SENTINEL", "SENTINEL_ANSWER", "UNKNOWN_UNIQUE", "Played", "Steps", "play"]

SENTINEL = b"version\r\n"
SENTINEL_ANSWER = re.compile(rb"VERSION [^\r\n]*\r\n")
"""Every step ends with the sentinel: what came before its answer is the step's."""

UNKNOWN_UNIQUE = b"9223372036854775807"
"""A unique that no item has."""
_UNIQUE = re.compile(rb"^(VALUE (\S+) \d+ \d+) (\d+)\r\n", re.MULTILINE)


@dataclass(frozen=True)
class Steps:
    """A sequence.

    Parameters
    ----------
    name : str
    sends : tuple of bytes
        What is sent, step by step. ``{cas:KEY}`` becomes the unique that ``gets`` showed last for the key.
    closes : bool
        Whether the server closes the connection at the last step.
    """

    name: str
    sends: tuple[bytes, ...]
    closes: bool = False


Played = list[bytes]
"""What came back, step by step; uniques are replaced by the order of their first appearance."""


def play(steps: Steps, ask: Callable[[bytes], bytes]) -> Played:
    """Play a sequence to a server.

    Parameters
    ----------
    steps : Steps
    ask : callable
        Sends bytes and returns all that comes until the answer to :data:`SENTINEL` (without it) or the end of the
        connection. The bytes end with the sentinel already, unless the step closes.
    """
    uniques: dict[bytes, bytes] = {}
    order: dict[bytes, int] = {}
    answers = [ask(b"flush_all\r\n" + SENTINEL)]
    for index, sent in enumerate(steps.sends):
        last = steps.closes and index == len(steps.sends) - 1
        sent = re.sub(rb"\{cas:(\w+)\}", lambda found: uniques.get(found[1], UNKNOWN_UNIQUE), sent)
        answer = ask(sent if last else sent + SENTINEL)
        for found in _UNIQUE.finditer(answer):
            uniques[found[2]] = found[3]
            order.setdefault(found[3], len(order))
        answers.append(_UNIQUE.sub(lambda found: b"%b #%d\r\n" % (found[1], order[found[3]]), answer))
    return answers
