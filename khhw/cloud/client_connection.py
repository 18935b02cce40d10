"""The service's end of one connection to a simulator."""

import contextlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

from khhw.cloud.calls import CALLS, ERRORS, HELLO, REFUSED, CallError, Hello, plain
from khhw.cloud.frames import HEADER_BYTES, Frame, FrameError, frame_lengths, packed, parsed
from khhw.cloud.machine import Clock, Heard, MachineDiffersError, MachineError, MachineGoneError

__all__ = ["Connection"]

_HELLO_SECONDS = 30.0


class Connection:
    """Calls over a socket, and what nodes say, read by a thread; dead for good once something is wrong with it.

    Parameters
    ----------
    found : socket.socket
        Connected; this takes it over.
    on_heard : callable (Heard)
        Called in the thread.

    Raises
    ------
    MachineGoneError
        If nobody says hello at the other end.
    MachineDiffersError
        If it is not understood.
    MachineError
        If the machine has too many connections.

    Attributes
    ----------
    hello : Hello
        What the machine is.
    alive : bool
        Whether there is somebody at the other end.
    """

    def __init__(self, found: socket.socket, on_heard: Callable[[Heard], None]) -> None:
        self._socket = found
        self._on_heard = on_heard
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._ids = count(1)
        self._waiting: dict[int, Future[Frame]] = {}
        self._why = ""
        self.alive = True
        self._reading = found.makefile("rb")
        try:
            found.settimeout(_HELLO_SECONDS)
            values = self._receive().values
            if REFUSED in values:
                self._give_up()
                raise MachineError(str(values[REFUSED]))
            self.hello: Hello = plain(HELLO, values)
            found.settimeout(None)
        except (OSError, EOFError, FrameError) as error:
            self._give_up()
            raise MachineGoneError(f"the machine says no hello: {error}") from error
        except CallError as error:
            self._give_up()
            raise MachineDiffersError(f"the machine that runs is of another version of khhw: {error}") from error
        threading.Thread(target=self._run, name="link to the machine", daemon=True).start()

    def _give_up(self) -> None:
        self._reading.close()
        self._socket.close()

    def call(self, name: str, arguments: object, data: bytes = b"") -> Any:
        """Have something done, and wait for what comes of it.

        Parameters
        ----------
        name : str
            In :data:`~khhw.cloud.calls.CALLS`.
        arguments : object
            Of the type it takes.
        data : bytes
            That go with them.

        Raises
        ------
        MachineGoneError
            If the connection ends before the answer.
        MachineError
            What the machine answered.
        """
        future: Future[Frame] = Future()
        with self._lock:
            if not self.alive:
                raise MachineGoneError(self._why)
            ident = next(self._ids)
            self._waiting[ident] = future
        call = CALLS[name]
        values = {"id": ident, "call": name, "arguments": call.arguments.dump_python(arguments, mode="json")}
        try:
            with self._sending:
                self._socket.sendall(packed(Frame(values, data)))
        except OSError as error:
            # Half a frame may have left: nothing can follow it.
            self._end(f"the connection to the machine broke: {error.strerror or error}")
        answer = future.result().values
        if "error" in answer:
            raise ERRORS.get(str(answer["error"]), MachineError)(str(answer.get("message")))
        return plain(call.result, answer.get("result"))

    def close(self) -> None:
        """End it."""
        self._end("the connection to the machine was closed")

    def _end(self, why: str) -> None:
        with self._lock:
            if not self.alive:
                return
            self.alive, self._why = False, why
            waiting, self._waiting = self._waiting, {}
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for future in waiting.values():
            future.set_exception(MachineGoneError(f"{why}; whether it did what it was asked is not known"))

    def _run(self) -> None:
        why = "the machine has ended"
        try:
            while True:
                self._take(self._receive())
        except EOFError:
            pass
        except (OSError, FrameError, CallError) as error:
            why = f"the machine said something that is none of its answers: {error}"
        finally:
            self._end(why)
            self._reading.close()

    def _take(self, frame: Frame) -> None:
        if "heard" in frame.values:
            heard = frame.values["heard"]
            try:
                self._on_heard(Heard(Clock(heard["boot"], heard["cycle"]), heard["rank"], heard["channel"], frame.data,
                                     heard["missed"]))
            except (TypeError, KeyError) as error:
                raise CallError(f"what a node said, without {error}") from None
            return
        with self._lock:
            future = self._waiting.pop(frame.values.get("id", 0), None)
        if future is not None:
            future.set_result(frame)

    def _receive(self) -> Frame:
        """The next frame; EOFError if the other end has ended in front of one."""
        header = self._reading.read(HEADER_BYTES)
        if not header:
            raise EOFError
        text_bytes, data_bytes = frame_lengths(header)
        text, data = self._reading.read(text_bytes), self._reading.read(data_bytes)
        if len(text) < text_bytes or len(data) < data_bytes:
            raise FrameError("a frame that ends in the middle")
        return parsed(text, data)
