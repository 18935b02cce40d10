"""HTTP that waits for a client's request so long, and not longer."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from khhw.cloud.http.problems import raw_problem

__all__ = ["PatientHttp", "patient"]


class PatientHttp(H11Protocol):
    """Closes connections whose next request does not arrive; see :func:`patient`.

    What follows a request has limits of its own: uvicorn's for the pause behind an answer, the socket's for what a
    client leaves unread, and that of websockets, whose clients are asked whether they are still there.
    """

    request_seconds = 30.0
    _late: asyncio.TimerHandle | None = None
    _switched = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """And has gone."""
        self._expect_nothing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Something has arrived."""
        super().handle_events()
        if self._switched or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._expect_nothing()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """What follows is no request any more, and another protocol's."""
        super().handle_websocket_upgrade(event)
        self._switched = True

    def on_response_complete(self) -> None:
        """A request is answered, and the next may be here already."""
        self._expect()
        super().on_response_complete()

    def _expect(self) -> None:
        self._expect_nothing()
        self._late = self.loop.call_later(self.request_seconds, self._give_up)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            self.transport.write(raw_problem(408, "request timeout", (
                f"no whole request came within {self.request_seconds:g} s; send it at once")))
        self.transport.close()


def patient(seconds: float) -> type[PatientHttp]:
    """The protocol that waits so long for a request; for uvicorn's configuration."""
    return type("PatientHttp", (PatientHttp, ), {"request_seconds": seconds})
