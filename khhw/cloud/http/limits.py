"""Requests that are too large, refused before they are in memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from khhw.cloud.http.problems import problem

__all__ = ["LARGEST_BODY", "SmallBodies"]

LARGEST_BODY = 1 << 20
"""Bytes: the ranks of 65,536 nodes, with room."""


class SmallBodies:
    """Lets no request through whose body is larger than :data:`LARGEST_BODY`, whatever its headers say.

    Parameters
    ----------
    app : ASGI application
        What is behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            await problem(413, "too large", f"a request has a body of at most {LARGEST_BODY} bytes")(
                scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                # Without a length in front it is cut off, so that it cannot be read as JSON.
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, counted, send)
