"""Where the service listens, and what it may not do."""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from khhw.errors import RequestError

__all__ = ["LOCALHOST", "PORT", "SSH_PORT", "Settings", "bound"]

LOCALHOST = "127.0.0.1"
PORT, SSH_PORT = 8480, 2222


@dataclass(frozen=True)
class Settings:
    """How a service is reached.

    Parameters
    ----------
    host : str
        Address to listen on.
    port, ssh_port : int
        TCP ports; 0 takes one that is free. None: no ssh.
    certificate, key : Path, optional
        For TLS, in PEM; None: one is made, where there must be one.
    tls : bool
        Whether HTTP is over TLS even on localhost.

    Raises
    ------
    RequestError
        If they make no sense.
    """

    host: str = LOCALHOST
    port: int = PORT
    ssh_port: int | None = SSH_PORT
    certificate: Path | None = None
    key: Path | None = None
    tls: bool = False

    def __post_init__(self) -> None:
        for name, port in (("--port", self.port), ("--ssh-port", self.ssh_port)):
            if port is not None and not 0 <= port <= 65535:
                raise RequestError(f"{name} must be from 0 to 65535, not {port}")
        if (self.certificate is None) != (self.key is None):
            raise RequestError("--certificate and --key go together: a certificate, and the key that belongs to it")

    @property
    def secured(self) -> bool:
        """Whether HTTP is over TLS: always where others could read along."""
        return self.tls or self.certificate is not None or not is_local(self.host)


def is_local(host: str) -> bool:
    """Whether nobody but this computer can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bound(host: str, port: int, option: str) -> socket.socket:
    """A socket that has a port, and does not listen yet: who comes too early is refused, and does not wait.

    Raises
    ------
    RequestError
        If the port is taken, or the address is not this computer's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # asyncio sends at once only where a socket says that it is TCP; else the rest of an answer waits 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise RequestError(f"--host {host}: {error.strerror or error}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise RequestError(f"cannot listen on {host} port {port}: {error.strerror}; choose another port with {option}, "
                           "0 takes one that is free") from None
    listener.setblocking(False)
    return listener
