"""One TCP connection in the sockets' thread: an asyncio protocol that carries bytes between a socket and its wire."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from khhw.gateway.wire import Wire

__all__ = ["Carrier"]

_CHUNK = 16 << 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_URGENT_AGAIN_SECONDS = 0.05
_scratch = bytearray(_CHUNK)
_PIECES = 64
"""How many are sent before it is the turn of other connections."""
"""What is read goes on to the wire before anything else is read."""


class Carrier(asyncio.BufferedProtocol):
    """Reads only what the wire has room for, and gives the transport no second piece before the first has left.

    Parameters
    ----------
    connection : socket.socket
        Accepted.
    wire : Wire
    linger_seconds : float
        How long the client may go on sending after the connection was closed from here.
    made : callable
        Called when bytes can flow.
    gone : callable
        Called when the connection is no more.
    before_reading : callable
        Called each time before bytes are read.
    """

    def __init__(
        self, connection: socket.socket, wire: Wire, linger_seconds: float, *, made: Callable[[], None],
        gone: Callable[[], None], before_reading: Callable[[], None],
    ) -> None:
        self.wire = wire
        self._socket = connection
        self._linger_seconds = linger_seconds
        self._made, self._gone, self._before_reading = made, gone, before_reading
        self._transport: asyncio.Transport | None = None
        self._leaving = 0
        self._ended = self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._lingers = False

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self._made()
        self.look()

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Room for what is read next; see :class:`asyncio.BufferedProtocol`."""
        self._before_reading()
        return memoryview(_scratch)[:_CHUNK if self._lingers else min(self.wire.room, _CHUNK)]

    def buffer_updated(self, nbytes: int) -> None:
        """See :class:`asyncio.BufferedProtocol`."""
        if self._lingers:
            return
        self.wire.arrived(bytes(_scratch[:nbytes]))
        if not self.wire.room:
            self._pause()

    def eof_received(self) -> bool:
        """The client sends no more, and still gets its answers."""
        self._ended = True
        if not self._lingers:
            self.wire.arrived(b"")
        return not self._lingers

    def resume_writing(self) -> None:
        """The piece given last has left."""
        self._sent()
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._transport = None
        self._cancel()
        self.wire.lost()
        self._gone()

    # Called by the simulation's side, in this thread.

    def look(self) -> None:
        """Something of the wire has changed."""
        if self._transport is None:
            return
        if self.wire.aborted:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.abort()
            return
        self._send()
        if self._paused and not self._ended and self.wire.room:
            self._resume()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, action)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _pause(self) -> None:
        if self._transport is not None and not self._paused and not self._ended:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _sent(self) -> None:
        self.wire.sent(self._leaving)
        self._leaving = 0

    def _send(self) -> None:
        """Give the transport what there is, a piece at a time; end when all that will ever come has left."""
        transport = self._transport
        pieces = 0
        while transport is not None and not transport.is_closing() and not self._leaving:
            data = self.wire.outgoing(_CHUNK)
            if not data:
                break
            pieces += 1
            if pieces > _PIECES:
                self._later(0, self._send)
                return
            if self.wire.urgent_behind(len(data)):
                if not self._send_urgent(data):
                    return
                continue
            self._leaving = len(data)
            transport.write(data)
            if transport.get_write_buffer_size():
                return
            self._sent()
        if self.wire.finished and not self._lingers:
            self._bow_out()

    def _send_urgent(self, data: bytes) -> bool:
        """Past the transport, which has nothing left to send; False if the system has no room now."""
        try:
            self.wire.sent(self._socket.send(data, socket.MSG_OOB))
        except BlockingIOError:
            self._later(_URGENT_AGAIN_SECONDS, self._send)
            return False
        except OSError:
            self.abort()
            return False
        return True

    def _bow_out(self) -> None:
        """All is sent. What the client still sends is dropped for a while, so that it can read the end in peace."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._lingers = True
        try:
            transport.write_eof()
        except OSError:
            self.abort()
            return
        if self._ended:
            transport.close()
        else:
            self._resume()
            self._later(self._linger_seconds, self.abort)
