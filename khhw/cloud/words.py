"""Words that people choose: names, digests and texts, and what they may be made of."""

import re
from collections.abc import Sequence

from khhw.cloud.errors import CloudError
from khhw.node.commands import list_ranks

__all__ = ["DIGEST", "NAME", "check_digest", "check_name", "check_text", "nodes_in_words"]

NAME = "^[A-Za-z][A-Za-z0-9_-]{0,62}$"
"""Of a principal, or a lease."""
DIGEST = "^[0-9a-f]{64}$"
"""A SHA-256."""


def check_name(name: str) -> None:
    """BAD_REQUEST unless it is a name of a principal or a lease."""
    if not _whole(NAME, name):
        raise CloudError.bad(f"a name is a letter, then up to 62 letters, digits, - and _; not {name!r}")


def check_digest(digest: str) -> None:
    """BAD_REQUEST unless it is a SHA-256."""
    if not _whole(DIGEST, digest):
        raise CloudError.bad("sha256 is 64 hexadecimal digits in lower case")


def check_text(text: str, what: str, *, most: int, least: int = 1) -> None:
    """BAD_REQUEST unless it can be shown, and is not too long."""
    if not (least <= len(text) <= most and text.isprintable()):
        raise CloudError.bad(f"{what} is {least} to {most} printable characters")


def nodes_in_words(ranks: Sequence[int]) -> str:
    """``node 3``, ``nodes 0,4-7``, or ``no nodes``."""
    return f"{'node' if len(ranks) == 1 else 'nodes'} {list_ranks(ranks)}" if ranks else "no nodes"


def _whole(pattern: str, text: str) -> bool:
    """Whether all of a text is like this; `$` would let a newline pass, and does so in Python only."""
    return not text.endswith("\n") and re.match(pattern, text) is not None
