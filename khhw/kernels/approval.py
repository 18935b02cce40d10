"""Which kernel images may run on a machine whose nodes strangers load.

A kernel is Python that runs in the process of the simulator: what it may import is a convention, not a wall, and
whoever can have any code run there has what that process has. So where others than the owner of a machine load its
nodes, loaders run only images that the owner approved, each by its SHA-256 as a whole.
"""

import hashlib
import re
from collections.abc import Iterable

from khhw.kernels.image import ImageError

__all__ = ["Approval", "NotApprovedError", "image_digest"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


class NotApprovedError(ImageError):
    """An image that the owner of the machine has not approved."""


def image_digest(image: bytes) -> str:
    """The SHA-256 by which an image is approved, 64 digits in hex."""
    return hashlib.sha256(image).hexdigest()


class Approval:
    """The images that may run; none at first.

    Loaders share one, and ask it at each boot: a kernel that runs goes on when its approval is withdrawn.
    """

    def __init__(self) -> None:
        self._digests: frozenset[str] = frozenset()

    def approve_only(self, digests: Iterable[str]) -> None:
        """Let these images run from now on, and no others.

        Parameters
        ----------
        digests : iterable of str
            As :func:`image_digest` gives them.

        Raises
        ------
        ValueError
            If one is no such sum; nothing has changed then.
        """
        found = frozenset(digests)
        for digest in sorted(found):
            if _DIGEST.fullmatch(digest) is None:
                raise ValueError(f"{digest!r} is no SHA-256: that has 64 of the digits 0 to 9 and a to f")
        self._digests = found

    def check(self, image: bytes) -> None:
        """Refuse an image that is not approved.

        Parameters
        ----------
        image : bytes
            All of it, and nothing behind its end.

        Raises
        ------
        NotApprovedError
            Says its sum, which the owner must know to approve it.
        """
        digest = image_digest(image)
        if digest not in self._digests:
            raise NotApprovedError(f"boot: the owner of the machine has not approved the image with SHA-256 {digest}")
