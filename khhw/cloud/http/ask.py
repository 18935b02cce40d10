"""Who asks over HTTP, and whether he has asked this before."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError

__all__ = ["CALLER", "Asked", "Changing", "Reading"]

CALLER = "khhw.caller"
"""Key in the scope of a request that the service has made itself."""

_bearer = HTTPBearer(
    auto_error=False, description="A token, as `khhw cloud init` and `POST /v1/principals/{name}/tokens` give it.")
_KEY_LENGTH = 255


@dataclass(frozen=True)
class Asked:
    """A request, before anybody has looked at who sent it: that takes a look into the store, in a thread.

    Parameters
    ----------
    core : Core
    token : str, optional
    key : str, optional
        Idempotency key.
    known : Caller, optional
        Who asks, where the service itself has made the request for somebody whom it knows by ssh.
    """

    core: Core
    token: str | None
    key: str | None = None
    known: Caller | None = None

    @property
    def caller(self) -> Caller:
        """Who asks.

        Raises
        ------
        CloudError
            If nobody knows him.
        """
        if self.known is not None:
            return self.known
        if not self.token:
            raise CloudError.unauthorized("this needs a token: send the header 'Authorization: Bearer TOKEN'")
        return self.core.principals.authenticate(self.token)


async def _reading(
    request: Request, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Asked:
    # A scope is made by the server; no client can put anything of its own there.
    return Asked(request.app.state.core, token.credentials if token else None, known=request.scope.get(CALLER))


async def _changing(
    asked: Annotated[Asked, Depends(_reading)],
    idempotency_key: Annotated[str | None, Header(
        max_length=_KEY_LENGTH, pattern=r"^[!-~]+$",
        description="Chosen by the client, a UUID for example: asked again with the same key, by the same principal, a "
                    "change gives the same answer and is not made a second time.")] = None,
) -> Asked:
    return replace(asked, key=idempotency_key)


Reading = Annotated[Asked, Depends(_reading)]
"""A request that changes nothing."""
Changing = Annotated[Asked, Depends(_changing)]
"""A request that changes something."""
