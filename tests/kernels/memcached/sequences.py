"""Sequences of memcached commands that servers are compared with: hand-picked ones, and any number of random ones.

All begin with an empty server.
"""

import random
from collections.abc import Sequence

from tests.kernels.memcached.hand_picked import K250, K251, hand_picked, set_command
from tests.kernels.memcached.steps import SENTINEL, SENTINEL_ANSWER, UNKNOWN_UNIQUE, Played, Steps, play

__all__ = [
    "ALL", "DIFFERENCES", "DIFFERENT", "GENERATED", "HAND_PICKED", "SENTINEL", "SENTINEL_ANSWER", "Played", "Steps",
    "generate", "play", "random_command",
]

_KEYS = (b"a", b"b", b"c", b"n", b"m", K250)
_NUMBERS = (b"0", b"1", b"9", b"10", b"99", b"12 ", b"18446744073709551615", b"x1", b"")
_EXPIRY = (b"0", b"0", b"0", b"100", b"-1", b"x")


def random_command(choose: random.Random) -> bytes:
    key = choose.choice(_KEYS)
    noreply = b" noreply" if choose.random() < 0.15 else b""
    match choose.randrange(12):
        case 0 | 1 | 2:
            verb = choose.choice((b"set", b"set", b"add", b"replace", b"append", b"prepend"))
            value = choose.choice((*_NUMBERS, choose.randbytes(choose.randrange(300))))
            declared = len(value) + (
                choose.choice((-1, 1)) if choose.random() < 0.04 and len(value) > 4 and value.isalnum() else 0
            )
            return (
                b"%b %b %d %b %d%b\r\n%b\r\n"
                % (verb, key, choose.choice((0, 0, 1, 77)), choose.choice(_EXPIRY[:5]), declared, noreply, value)
                if declared <= len(value)
                else set_command(key, value)
            )
        case 3:
            return b"cas %b 0 0 1 %b%b\r\nC\r\n" % (
                key,
                choose.choice((b"{cas:%b}" % key, UNKNOWN_UNIQUE)) if key != K250 else UNKNOWN_UNIQUE,
                noreply,
            )
        case 4 | 5:
            return b"%b %b\r\n" % (
                choose.choice((b"get", b"gets")),
                b" ".join(choose.choices(_KEYS, k=choose.randrange(1, 4))),
            )
        case 6 | 7:
            delta = choose.choice((b"1", b"5", b"95", b"18446744073709551615", b"-1", b"z"))
            return b"%b %b %b%b\r\n" % (choose.choice((b"incr", b"decr")), key, delta, noreply)
        case 8:
            return b"delete %b%b\r\n" % (key, noreply)
        case 9:
            return b"touch %b %b%b\r\n" % (key, choose.choice(_EXPIRY), noreply)
        case 10:
            return b"%b %b %b\r\n" % (choose.choice((b"gat", b"gats")), choose.choice(_EXPIRY), key)
    return choose.choice(
        (b"flush_all%b\r\n" % noreply, b"get\r\n", b"bogus\r\n", b"set a 0 0\r\n", b"get %b\r\n" % K251, b"\r\n")
    )


def generate(seed: int, steps: int = 12) -> Steps:
    """A random sequence; the same for the same seed."""
    choose = random.Random(f"memcached {seed}")
    return Steps(f"random_{seed}", tuple(random_command(choose) for _ in range(steps)))


HAND_PICKED: Sequence[Steps] = tuple(hand_picked())
GENERATED: Sequence[Steps] = tuple(generate(seed) for seed in range(60))

_META = "the classic text protocol is there, the meta commands are not"
DIFFERENCES: dict[str, str] = {
    "meta_noop": _META,
    "meta_get": _META,
    "meta_set": _META,
    "refresh_certs": "there is no TLS on a torus",
    "lru_crawler": "there is no crawler: room is found when it is needed",
}
"""Sequences whose answers differ from the original's, and why."""

DIFFERENT: Sequence[Steps] = (
    Steps("meta_noop", (b"mn\r\n",)),
    Steps("meta_get", (b"mg a v\r\n",)),
    Steps("meta_set", (b"ms a 1\r\nx\r\n",)),
    Steps("refresh_certs", (b"refresh_certs\r\n",)),
    Steps("lru_crawler", (b"lru_crawler crawl all\r\n",)),
)
ALL: Sequence[Steps] = (*HAND_PICKED, *GENERATED, *DIFFERENT)
