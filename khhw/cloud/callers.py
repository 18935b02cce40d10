"""Who calls."""

from dataclasses import dataclass

__all__ = ["Caller"]


@dataclass(frozen=True)
class Caller:
    """A principal who has proved who he is.

    Parameters
    ----------
    id : str
        UUID.
    name : str
    is_owner : bool
        Whether he is the owner of the machine.
    """

    id: str
    name: str
    is_owner: bool = False
