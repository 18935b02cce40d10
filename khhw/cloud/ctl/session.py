"""A client of the service: asks over HTTP, asks again what may have been lost, and waits for what takes time."""

import math
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from khhw.errors import BuildError, RequestError

__all__ = ["RefusedError", "Session", "UndoneError"]

_TRIES = 3
_PAUSE = 0.3
_POLL_SECONDS = 10.0
_HOPELESS = (httpx.UnsupportedProtocol, httpx.ConnectError)
"""Errors after which asking again cannot help."""
_NEVER_SENT = (*_HOPELESS, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors after which the service has nothing of a request."""


class RefusedError(RequestError):
    """The service has refused a request.

    Parameters
    ----------
    status : int
        HTTP's.
    sentence : str
        What it said.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status, self.sentence = status, sentence
        super().__init__(sentence)


class UndoneError(BuildError):
    """A change is in the store, but it is not known that the machine has carried it out. Exit code 1."""


class Session:
    """Asks one service, as one principal.

    Parameters
    ----------
    client : httpx.Client
        With the address of the service, and the token in its headers.
    wait : float
        Seconds to wait for the machine to carry a change out; 0: not at all.
    host : str, optional
        Where people reach consoles by ssh; None: the host of the client's address.
    """

    def __init__(self, client: httpx.Client, *, wait: float = 600.0, host: str | None = None) -> None:
        self._client = client
        self._wait = wait
        self.host = host or str(client.base_url.host)

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask something; each ``{}`` of a path is filled beforehand with :meth:`path`."""
        return self._ask("GET", path, parameters, None, {})

    def change(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Change something, once: asked again with the same idempotency key if the answer is lost."""
        return self._ask(method, path, parameters, body, {"Idempotency-Key": str(uuid.uuid4())})

    def intend(self, method: str, path: str, body: Any = None, **parameters: Any) -> dict[str, Any]:
        """Change something, and wait for the machine; the intent.

        Raises
        ------
        UndoneError
            If the machine has not carried it out in time, or the service does not tell any more.
        """
        intent: dict[str, Any] = self.change(method, path, body, **parameters)
        deadline = time.monotonic() + self._wait
        while self._wait and intent["state"] != "done":
            left = deadline - time.monotonic()
            if left <= 0:
                said = f"; the machine says: {intent['error']}" if intent["error"] else ""
                raise UndoneError(f"not done after {self._wait:g} s, and tried again until it is{said}; "
                                  f"khhw ctl intent {intent['id']} tells how far it is")
            intent = self._looked_up(intent["id"], min(left, _POLL_SECONDS))
        return intent

    def _looked_up(self, number: str, seconds: float) -> dict[str, Any]:
        """An intent, when it is done or after some seconds."""
        try:
            intent: dict[str, Any] = self.get(f"/v1/intents/{number}", wait=seconds)
        except RequestError as error:
            raise UndoneError(f"the change is accepted, and will be made when the service runs; but {error}; do not "
                              f"ask again: khhw ctl intent {number} tells how far it is") from None
        return intent

    @staticmethod
    def path(form: str, *parts: object) -> str:
        """A path with names in it that somebody typed."""
        return form.format(*(quote(_sendable(str(part)), safe="") for part in parts))

    def _ask(self, method: str, path: str, parameters: Mapping[str, Any], body: Any, headers: dict[str, str]) -> Any:
        _sendable(body)
        given = {name: value for name, value in parameters.items() if value is not None}
        perhaps_made = False
        for attempt in range(_TRIES):
            try:
                answer = self._client.request(method, path, params=given, json=body, headers=headers)
            except httpx.TransportError as error:
                perhaps_made |= method != "GET" and not isinstance(error, _NEVER_SENT)
                if attempt + 1 == _TRIES or isinstance(error, _HOPELESS):
                    said = self._unreachable(error)
                    raise UndoneError(f"it is not known whether the change is accepted: {said}; look before you ask "
                                      "again (khhw ctl list)") if perhaps_made else RequestError(said) from None
            except httpx.InvalidURL as error:
                raise RequestError(f"{self._client.base_url} is no address of a service: {error}") from None
            else:
                if answer.status_code != 503 or attempt + 1 == _TRIES:
                    return _content(answer)
            time.sleep(_PAUSE * 2 ** attempt)
        raise AssertionError("the last attempt returns or raises")

    def _unreachable(self, error: Exception) -> str:
        url = str(self._client.base_url).rstrip("/")
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return f"{url} has a certificate that this computer does not trust; give the service's with --cafile FILE"
        scheme = urlsplit(url).scheme
        hint = "" if scheme == "https" else "; is `khhw cloud serve` running there, without TLS?"
        said = re.sub(r"^\[Errno -?[0-9]+\] |\.$", "", str(error)) or type(error).__name__
        return f"no service answers at {url}: {said}{hint}"


_T = TypeVar("_T")


def _sendable(value: _T) -> _T:
    """The same, if JSON in UTF-8 has it."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise RequestError(f"{value!r} is no text in UTF-8") from None
        case float() if not math.isfinite(value):
            raise RequestError(f"a number is to be given, and not {value}")
        case dict():
            for one in value.values():
                _sendable(one)
    return value


def _content(answer: httpx.Response) -> Any:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if answer.is_success and content is not None:
        return content
    detail = content.get("detail") if isinstance(content, dict) else None
    if not isinstance(detail, str):
        raise RequestError(f"what answers at {answer.url.host}:{answer.url.port} is no service of khhw's cloud "
                           f"(status {answer.status_code})")
    raise RefusedError(answer.status_code, detail)
