"""What can go wrong between two nodes. Every error names the direction or the window it is about."""

__all__ = [
    "ClosedError", "NetError", "NoAnswerError", "NoRoomError", "NotAllowedError", "ResetError", "SegmentError",
    "WindowError",
]


class NetError(Exception):
    """A call of ``khhw.net`` failed."""


class NotAllowedError(NetError):
    """This node's own guard refuses packets to the peer."""


class NoAnswerError(NetError):
    """Nothing came back in time."""


class ResetError(NetError):
    """The peer does not know the connection, refuses it or has given it up."""


class NoRoomError(ResetError):
    """One of the two nodes has no room for another connection; it may have when one has ended."""


class ClosedError(NetError):
    """The call came after the end: the connection, the listener or the net is closed."""


class WindowError(NetError):
    """A window cannot be opened, or was used for what it is not open to."""


class SegmentError(ValueError):
    """A packet that is no segment of a stream."""
