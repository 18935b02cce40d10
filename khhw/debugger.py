"""Python's debugger in a process whose output somebody else reads: it speaks with the terminal of who started that.

A kernel, a testbench or a part that calls ``breakpoint()`` runs in a process of its own. :class:`Terminal` hands that
process a way to the terminal, and :func:`stop` takes it. Between the two a byte says that the process stops or goes on,
and a byte comes back when nothing else writes to the terminal.
"""

import contextlib
import os
import pdb
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self

from khhw.tracebacks import is_own

__all__ = ["Terminal", "install", "stop"]

_VARIABLE = "KHHW_TERMINAL"
"""In the environment: file descriptors of input, output, and the socket."""
_HOOK = "PYTHONBREAKPOINT"
"""In the environment: what Python calls for ``breakpoint()``."""
_STOPPED, _GOES_ON, _SEEN = b"s", b"g", b"."


class Terminal:
    """The terminal of this process, for the debugger of one that it starts; a context manager.

    Parameters
    ----------
    on_stop : callable
        Called with True when the process stops in the debugger, before that prints anything, and with False when it
        goes on; in a thread of its own.

    Attributes
    ----------
    environment : dict of str to str
        Variables that the process needs.
    descriptors : tuple of int
        File descriptors that it needs.
    """

    def __init__(self, on_stop: Callable[[bool], None]) -> None:
        self.environment: dict[str, str] = {}
        self.descriptors: tuple[int, ...] = ()
        self._on_stop = on_stop
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            ends = [os.dup(0), os.dup(1)]
        except OSError:
            # Without input or output there is nobody to speak with.
            return self
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._listen, args=(ours,), daemon=True)
        self.descriptors = (*ends, theirs.fileno())
        # Who wants another debugger has said so in the environment.
        hook = {} if _HOOK in os.environ else {_HOOK: f"{__name__}.{stop.__name__}"}
        self.environment = {_VARIABLE: ",".join(map(str, self.descriptors)), **hook}
        for end in ends:
            self._stack.callback(os.close, end)
        self._stack.callback(ours.close)
        self._stack.callback(thread.join)
        self._stack.callback(ours.shutdown, socket.SHUT_RDWR)
        self._stack.callback(theirs.close)
        thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _listen(self, ours: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := ours.recv(1):
                self._on_stop(said == _STOPPED)
                ours.sendall(_SEEN)


class _Debugger(pdb.Pdb):
    """Python's debugger, with the terminal for as long as somebody types, and in the user's code only.

    Steps that leave it go on to the next of its lines: what runs in between is the simulator, with all other tasks. A
    file of khhw or of a library is stepped through if that is where ``breakpoint()`` or a breakpoint stands.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._entered: set[str] = set()

    def enter(self, frame: FrameType) -> None:
        """Step in the file of this frame, whoever's it is."""
        self._entered.add(frame.f_code.co_filename)

    def _steps_in(self, frame: FrameType) -> bool:
        return frame.f_code.co_filename in self._entered or is_own(frame.f_code.co_filename)

    def stop_here(self, frame: FrameType) -> bool:
        return self._steps_in(frame) and super().stop_here(frame)

    def dispatch_exception(self, frame: FrameType, arg: Any) -> Any:
        # While somebody steps in a coroutine, Python's stops at each StopIteration below, also where one ends an await
        # of the simulator's.
        return super().dispatch_exception(frame, arg) if self._steps_in(frame) else self.trace_dispatch

    def interaction(self, frame: FrameType | None, traceback: Any) -> None:
        if frame is not None:
            self.enter(frame)
        with _terminal():
            super().interaction(frame, traceback)


_DEBUGGERS: list[_Debugger] = []
"""The one of this process, once it has been asked for: it remembers breakpoints."""


def install() -> None:
    """Have ``breakpoint()`` call :func:`stop` without an import, which code of a kernel could not do."""
    if os.environ.get(_HOOK) == f"{__name__}.{stop.__name__}":
        sys.breakpointhook = stop


def stop(*_arguments: object, header: str | None = None, **_keywords: object) -> None:
    """Stop in the debugger where this is called; what ``breakpoint()`` does in a process with a :class:`Terminal`.

    Parameters
    ----------
    header : str, optional
        Is printed first, as :func:`pdb.set_trace` does.
    """
    if not _DEBUGGERS:
        # Ctrl-C belongs to the process that started this one.
        _DEBUGGERS.append(_Debugger(nosigint=True))
    if header is not None:
        with _terminal():
            print(header)
    caller = sys._getframe(1)
    _DEBUGGERS[0].enter(caller)
    _DEBUGGERS[0].set_trace(caller)


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """Input and output are the terminal's."""
    if _VARIABLE not in os.environ:
        yield
        return
    source, sink, control = map(int, os.environ[_VARIABLE].split(","))
    with socket.socket(fileno=os.dup(control)) as other:
        _tell(other, _STOPPED)
        sys.stdout.flush()
        own = [os.dup(0), os.dup(1)]
        os.dup2(source, 0)
        os.dup2(sink, 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            for descriptor, before in enumerate(own):
                os.dup2(before, descriptor)
                os.close(before)
            _tell(other, _GOES_ON)


def _tell(other: socket.socket, what: bytes) -> None:
    """Tell the process that started this one, and wait until it has acted on it."""
    with contextlib.suppress(OSError):
        other.sendall(what)
        other.recv(1)
