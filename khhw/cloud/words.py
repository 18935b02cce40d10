"""Words that people choose: names, digests, keys and texts, and what they may be made of."""

import re
from collections.abc import Sequence

from khhw.cloud.errors import CloudError
from khhw.node.commands import list_ranks
from khhw.patterns import DIGEST, IN_WORDS, KEY, NAME

__all__ = ["check_digest", "check_key", "check_name", "check_text", "nodes_in_words"]


def check_name(name: str) -> None:
    """BAD_REQUEST unless it is a name of a principal or a lease."""
    _check(NAME, name, f"a name is {IN_WORDS[NAME]}; not {name!r}")


def check_digest(digest: str) -> None:
    """BAD_REQUEST unless it is a SHA-256."""
    _check(DIGEST, digest, f"sha256 is {IN_WORDS[DIGEST]}")


def check_key(key: str) -> None:
    """BAD_REQUEST unless it is an idempotency key."""
    _check(KEY, key, f"an idempotency key is {IN_WORDS[KEY]}")


def check_text(text: str, what: str, *, most: int, least: int = 1) -> None:
    """BAD_REQUEST unless it can be shown, and is not too long."""
    if not (least <= len(text) <= most and text.isprintable()):
        raise CloudError.bad(f"{what} is {least} to {most} printable characters")


def nodes_in_words(ranks: Sequence[int]) -> str:
    """``node 3``, ``nodes 0,4-7``, or ``no nodes``."""
    return f"{'node' if len(ranks) == 1 else 'nodes'} {list_ranks(ranks)}" if ranks else "no nodes"


def _check(pattern: str, text: str, sentence: str) -> None:
    """Whether all of a text is like this; `$` would let a newline pass, and does so in Python only."""
    if text.endswith("\n") or re.match(pattern, text) is None:
        raise CloudError.bad(sentence)
