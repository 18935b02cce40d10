"""How many may be connected: a bound in all and for each address, kept where connections are accepted.

Every connection costs a file descriptor from its first packet on, long before anybody knows whose it is: in the
handshake of TLS, in front of a request, before a login. So it is counted by the socket itself, until that is closed.
"""

import ipaddress
import resource
import socket
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["Admission", "BoundedListener", "Limits"]

_WANTED_FILES = 4096
_OWN_FILES = 400
"""Descriptors that are not for clients: two for each reader of the store, of which there is one a thread at most."""
_MOST = 2048
_FEWEST = 16
_TOLD = 16
"""Connections that were refused stay open behind the bound until so many more were: one that is closed at once takes
back what it was told, because its request arrives then where nobody is (RFC 9293, 3.10.7.1: a reset)."""
_AT_ONCE = 64
"""Refused one after the other, before somebody else gets a turn."""
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 6))
"""Seconds, seconds, and how often: a client whose computer is gone is missed after three minutes."""


@dataclass(frozen=True)
class Limits:
    """What clients may take of a service.

    Parameters
    ----------
    connections : int
        Open at a time, by HTTP and ssh together.
    of_an_address : int
        Of them from one address; of IPv6, from one network of 64 bits.
    request_seconds : float
        In which a request has arrived, from the connection, or the answer before it, to its last byte.
    unread_seconds : float
        For which a client may leave unread what it was sent.
    """

    connections: int
    of_an_address: int
    request_seconds: float = 30.0
    unread_seconds: float = 180.0

    @classmethod
    def of_this_process(cls) -> Self:
        """As many connections as the files leave room for that this process may open, which it raises to 4,096."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < _WANTED_FILES:
            soft = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        files = _MOST + _OWN_FILES if soft == resource.RLIM_INFINITY else soft
        connections = max(_FEWEST, min(_MOST, files - _OWN_FILES))
        # Half, so that no address takes all, and one computer's programs have many.
        return cls(connections, connections // 2)


class Admission:
    """Counts connections; one for all sockets of a service.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: Counter[str] = Counter()

    def refusal(self, origin: str) -> str | None:
        """Why nobody more comes in from an address or network, in a sentence; None if somebody does."""
        if self._open.total() >= self.limits.connections:
            return f"the service has {self.limits.connections} connections, and takes no more; try again later"
        if self._open[origin] >= self.limits.of_an_address:
            return (f"{origin} has {self.limits.of_an_address} connections open, and no address has more; close some "
                    "first")
        return None

    def enter(self, origin: str) -> None:
        """Somebody is there."""
        self._open[origin] += 1

    def leave(self, origin: str) -> None:
        """Somebody has gone."""
        self._open[origin] -= 1
        if not self._open[origin]:
            del self._open[origin]


class BoundedListener(socket.socket):
    """A socket that listens, and takes no more connections than it should; see :meth:`over`.

    Whom it does not take is told why.
    """

    _admission: Admission
    _told: Callable[[str], bytes]
    _refused: deque[socket.socket]

    @classmethod
    def over(cls, bound: socket.socket, admission: Admission, told: Callable[[str], bytes]) -> Self:
        """In place of a socket that is bound.

        Parameters
        ----------
        bound : socket.socket
            Of TCP, not blocking; it is taken over.
        admission : Admission
        told : callable (str) -> bytes
            What a client is sent that is refused, of a sentence.
        """
        listener = cls(bound.family, bound.type, bound.proto, fileno=bound.detach())
        listener.setblocking(False)
        listener._admission, listener._told, listener._refused = admission, told, deque()
        return listener

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection that is within the bounds.

        Raises
        ------
        BlockingIOError
            If there is none now.
        """
        for _ in range(_AT_ONCE):
            found, address = super().accept()
            origin = _origin(str(address[0]))
            why = self._admission.refusal(origin)
            if why is None:
                return _Admitted.over(found, origin, self._admission), address
            self._refuse(found, why)
        raise BlockingIOError

    def _refuse(self, found: socket.socket, why: str) -> None:
        with suppress(OSError):
            found.setblocking(False)
            found.send(self._told(why))
            found.shutdown(socket.SHUT_WR)
        self._refused.append(found)
        if len(self._refused) > _TOLD:
            self._refused.popleft().close()

    def close(self) -> None:
        """Listen no more."""
        while self._refused:
            self._refused.popleft().close()
        super().close()


class _Admitted(socket.socket):
    """A connection that is counted until it is closed."""

    _leave: Callable[[], None] | None = None

    @classmethod
    def over(cls, found: socket.socket, origin: str, admission: Admission) -> Self:
        """In place of a connection that was accepted."""
        one = cls(found.family, found.type, found.proto, fileno=found.detach())
        admission.enter(origin)
        one._leave = lambda: admission.leave(origin)
        with suppress(OSError):
            # It has gone again; whoever reads from it learns so.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                one.setsockopt(socket.IPPROTO_TCP, option, value)
            unread = round(1000 * admission.limits.unread_seconds)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread)
        return one

    def close(self) -> None:
        """End it."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
        super().close()


def _origin(address: str) -> str:
    """By what connections are told apart: whoever has one address of IPv6 has the others of its network, too."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))
