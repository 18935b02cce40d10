"""Who asks over HTTP, and whether he has asked this before."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.patterns import KEY

__all__ = ["CALLER", "Asked", "Changing", "Reading"]

CALLER = "khhw.caller"
"""Key in the scope of a request that the service has made itself."""

_bearer = HTTPBearer(
    auto_error=False, description="A token, as `khhw cloud init` and `POST /v1/principals/{name}/tokens` give it.")
_FEW_NODES = 512
"""Nodes up to which all of them are told in some milliseconds."""
Answer = TypeVar("Answer")


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
    quick : bool
        Whether answers are small, so that they are read at once.
    """

    core: Core
    token: str | None
    key: str | None = None
    known: Caller | None = None
    quick: bool = True

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

    async def look(self, question: Callable[[Core, Caller], Answer], *, much: bool = False) -> Answer:
        """Ask the core something that changes nothing, with an answer that may be `much`.

        A thread costs more than to read a little, and threads hold up each other; reading waits for nobody who writes.
        """
        if self.quick and not much:
            return question(self.core, self.caller)
        return await run_in_threadpool(lambda: question(self.core, self.caller))


async def _reading(
    request: Request, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Asked:
    # A scope is made by the server; no client can put anything of its own there.
    state = request.app.state
    return Asked(state.core, token.credentials if token else None, known=request.scope.get(CALLER),
                 quick=state.machine.info.nodes <= _FEW_NODES)


async def _changing(
    asked: Annotated[Asked, Depends(_reading)],
    idempotency_key: Annotated[str | None, Header(
        pattern=KEY,
        description="Chosen by the client, a UUID for example: asked again with the same key, by the same principal, a "
                    "change gives the same answer and is not made a second time.")] = None,
) -> Asked:
    return replace(asked, key=idempotency_key)


Reading = Annotated[Asked, Depends(_reading)]
"""A request that changes nothing."""
Changing = Annotated[Asked, Depends(_changing)]
"""A request that changes something."""
