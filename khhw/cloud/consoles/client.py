"""A client of the service at a console, over its websocket."""

import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI

from khhw.cloud.consoles.messages import TO_PERSON, FromPerson, ToPerson, Welcome
from khhw.errors import RequestError

__all__ = ["Seat", "ServiceLostError", "console_number", "seat"]

_NAME = re.compile(r"(?:con)?([0-9]{1,10})\Z")
_LARGEST = 1 << 20
"""Bytes of a message of the service: the ranks of 65,536 nodes, with room."""


class ServiceLostError(RequestError):
    """The service ended, or what it says is nothing that a service says."""


def console_number(text: str) -> int:
    """The number of a console by its name, as in ``con7``.

    Raises
    ------
    RequestError
        If it is no such name.
    """
    if (found := _NAME.match(text)) is None:
        raise RequestError(f"{text!r} is no console; they are called con2, con3, ... (`khhw ctl consoles` lists them)")
    return int(found[1])


class Seat:
    """A place at a console.

    Parameters
    ----------
    connection : websockets.asyncio.client.ClientConnection
    welcome : Welcome
        What the service said first.
    """

    def __init__(self, connection: ClientConnection, welcome: Welcome) -> None:
        self.welcome = welcome
        self._connection = connection

    async def ask(self, wanted: FromPerson) -> None:
        """Ask for something; what comes of it is among the messages."""
        await self._send(wanted.model_dump_json())

    async def send(self, data: bytes) -> None:
        """Send bytes of a file."""
        await self._send(data)

    async def _send(self, data: str | bytes) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed:
            raise ServiceLostError("the service has ended the connection") from None

    async def messages(self) -> AsyncIterator[ToPerson]:
        """What the service says from now on; ends when it ends the connection in order.

        Raises
        ------
        ServiceLostError
            If it does not.
        """
        try:
            async for text in self._connection:
                yield _checked(text)
        except ConnectionClosed:
            raise ServiceLostError("the service is lost; what was typed last may be done or not") from None


@asynccontextmanager
async def seat(
    url: str, token: str, console: int, *, read_only: bool = False, raw: bool = False,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Seat]:
    """Take a place at a console.

    Parameters
    ----------
    url : str
        Of the service: ``http://127.0.0.1:8500``, or with ``https``.
    token : str
    console : int
    read_only : bool
        Write nothing.
    raw : bool
        Have the bytes that nodes say, besides the text.
    context : ssl.SSLContext or None
        What the service's certificate is checked with; for ``https``.

    Raises
    ------
    RequestError
        If no service answers there, or it does not let one in; with its own sentence.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    query = "&".join(name for name, wanted in (("read_only=true", read_only), ("raw=true", raw)) if wanted)
    path = f"{parts.path.rstrip('/')}/v1/consoles/{console}/stream"
    address = urlunsplit(("wss" if secure else "ws", parts.netloc, path, query, ""))
    try:
        connection = await connect(
            address, additional_headers={"Authorization": f"Bearer {token}"}, max_size=_LARGEST,
            ssl=context if secure else None,
            # What the environment says of proxies is not for tokens.
            proxy=None)
    except InvalidStatus as error:
        raise RequestError(_refusal(url, error.response.status_code, error.response.body)) from None
    except ssl.SSLCertVerificationError as error:
        raise RequestError(f"{url} has a certificate that this computer does not trust ({error.verify_message}); give "
                           "the service's with --cafile FILE") from None
    except (InvalidURI, InvalidHandshake, InvalidMessage, ValueError) as error:
        raise RequestError(f"what answers at {url} is no service of khhw's cloud: {error}") from None
    except OSError as error:
        raise RequestError(f"no service answers at {url}: {error.strerror or error}") from None
    async with connection:
        welcome = await _first(connection, url)
        yield Seat(connection, welcome)


async def _first(connection: ClientConnection, url: str) -> Welcome:
    try:
        first = _checked(await connection.recv())
    except ConnectionClosed:
        raise ServiceLostError(f"the service at {url} has ended the connection") from None
    if not isinstance(first, Welcome):
        raise ServiceLostError(f"what answers at {url} does not begin as a service does")
    return first


def _checked(text: str | bytes) -> ToPerson:
    try:
        return TO_PERSON.validate_json(text)
    except ValidationError:
        raise ServiceLostError("the service said something that a console has no message for; is it of another version "
                               "of khhw?") from None


def _refusal(url: str, status: int, body: bytes | bytearray | None) -> str:
    try:
        said = json.loads(body or b"")["detail"]
    except (ValueError, TypeError, KeyError):
        return f"what answers at {url} is no service of khhw's cloud (status {status})"
    return str(said)
