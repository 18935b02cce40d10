"""A console over a websocket: text messages are JSON (:mod:`khhw.cloud.consoles.messages`), binary ones file bytes."""

import logging
from collections.abc import AsyncIterator

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from khhw.cloud.consoles.hub import Hub, Visit
from khhw.cloud.consoles.messages import FROM_PERSON, Refused
from khhw.cloud.consoles.tasks import first_of
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.cloud.http.ask import Asked
from khhw.cloud.http.problems import problem, sentence
from khhw.cloud.models import Console

__all__ = ["router"]

router = APIRouter()
"""To be included by the service's application, whose state has `core` and `hub`."""


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """Whether a line of the log is not what uvicorn says of every client that is refused: that is no fault here."""
    return "without completing handshake" not in record.getMessage()


logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)


@router.websocket("/v1/consoles/{console}/stream")
async def stream(websocket: WebSocket, console: int, read_only: bool = False, raw: bool = False) -> None:
    """Be at a console until either side ends it.

    A client that may not is answered as by any other operation: by a status of HTTP, and a problem as JSON.
    """
    core: Core = websocket.app.state.core
    hub: Hub = websocket.app.state.hub
    asked = Asked(core, _token(websocket.headers.get("authorization", "")))

    def look() -> Console:
        # Asked again while they are here: a token may be revoked, and its holder disabled.
        return core.channels.get(asked.caller, console)

    try:
        caller = await run_in_threadpool(lambda: asked.caller)
        async with hub.visit(caller.name, look, read_only=read_only, raw=raw) as visit:
            await websocket.accept()
            await first_of(_tell(websocket, visit), _Client(websocket, visit).obey())
    except CloudError as error:
        await websocket.send_denial_response(problem(error.kind, error.kind.words, error.sentence, quota=error.quota))


def _token(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _tell(websocket: WebSocket, visit: Visit) -> None:
    """Send what they are to hear, until there is no more."""
    try:
        while (message := await visit.person.next()) is not None:
            await websocket.send_text(message.model_dump_json())
        await websocket.close()
    except WebSocketDisconnect:
        pass


class _Client:
    """What comes over a websocket."""

    def __init__(self, websocket: WebSocket, visit: Visit) -> None:
        self._websocket = websocket
        self._visit = visit
        self._gone = False

    async def obey(self) -> None:
        """Do what they ask, one thing after the other, until they are gone."""
        while (message := await self._receive()) is not None:
            try:
                wanted = FROM_PERSON.validate_json(message.get("text") or "")
            except ValidationError as error:
                said = sentence(error.errors(include_url=False)) if message.get("text") else (
                    "bytes came that no file was announced for")
                self._visit.person.answer(Refused(text=said))
                await self._visit.person.room()
            else:
                await self._visit.ask(wanted, self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        """The bytes of a file."""
        while (message := await self._receive()) is not None:
            if message.get("bytes") is None:
                raise CloudError.bad("text came where bytes of the file were to come; nothing was written")
            yield message["bytes"]

    async def _receive(self) -> Message | None:
        """The next message; None once the client is gone."""
        if not self._gone:
            message = await self._websocket.receive()
            self._gone = message["type"] == "websocket.disconnect"
            if not self._gone:
                return message
        return None
