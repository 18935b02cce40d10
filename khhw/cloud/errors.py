"""What the cloud refuses: one family of errors, each of a kind that HTTP has a number for, and one sentence."""

import enum

from khhw.errors import RequestError

__all__ = ["CloudError", "Kind", "StoreError"]


class Kind(enum.IntEnum):
    """Why something was refused; the value is the status code of HTTP (RFC 9110, and RFC 6585 for 428)."""

    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    UNAVAILABLE = 503

    @property
    def words(self) -> str:
        """As a client shows it: ``not found``."""
        return self.name.lower().replace("_", " ")


class CloudError(RequestError):
    """A request was refused; nothing was changed, and no number was used up.

    Parameters
    ----------
    kind : Kind
    sentence : str
        What is wrong, where, and what would be right. It has no secrets in it, and is fit for whoever asked.
    quota : bool
        Whether a quota is why: it is a 403 that more quota would heal.
    """

    def __init__(self, kind: Kind, sentence: str, *, quota: bool = False) -> None:
        self.kind, self.sentence, self.quota = kind, sentence, quota
        super().__init__(sentence)

    @classmethod
    def bad(cls, sentence: str) -> "CloudError":
        """The request itself is wrong."""
        return cls(Kind.BAD_REQUEST, sentence)

    @classmethod
    def unauthorized(cls, sentence: str) -> "CloudError":
        """Nobody knows who asks."""
        return cls(Kind.UNAUTHORIZED, sentence)

    @classmethod
    def forbidden(cls, sentence: str) -> "CloudError":
        """Who asks may not."""
        return cls(Kind.FORBIDDEN, sentence)

    @classmethod
    def over_quota(cls, sentence: str) -> "CloudError":
        """Who asks has a quota, and this is beyond it."""
        return cls(Kind.FORBIDDEN, sentence, quota=True)

    @classmethod
    def missing(cls, sentence: str) -> "CloudError":
        """There is no such thing, or none that who asks may know of."""
        return cls(Kind.NOT_FOUND, sentence)

    @classmethod
    def conflict(cls, sentence: str) -> "CloudError":
        """It cannot be, as things stand."""
        return cls(Kind.CONFLICT, sentence)

    @classmethod
    def unavailable(cls, sentence: str) -> "CloudError":
        """It may be asked again later: the disk is full, the store is locked, the machine does not answer."""
        return cls(Kind.UNAVAILABLE, sentence)


class StoreError(RequestError):
    """A state folder that cannot be served: of another schema, another machine, in use, or damaged. Exit code 2."""
