"""Commands of ``khhw ctl`` that came over ssh: obeyed by the service itself, as whoever has logged in."""

import argparse
import asyncio
import shlex
from typing import Any, NoReturn

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from khhw.cloud.callers import Caller
from khhw.cloud.ctl.arguments import add_commands
from khhw.cloud.ctl.perform import DONE, FAILED, WRONG_REQUEST, Streams, perform
from khhw.cloud.ctl.session import Session
from khhw.cloud.http.ask import CALLER
from khhw.errors import BuildError, RequestError
from khhw.visible import visible

__all__ = ["Inside", "obey"]

_WAIT_SECONDS = 600.0


class _ExitError(Exception):
    """A parser has said all there is to say."""

    def __init__(self, text: str, code: int) -> None:
        self.text, self.code = text, code
        super().__init__(text)


class _Parser(argparse.ArgumentParser):
    """Says nothing on the streams of this process, and does not end it."""

    def print_help(self, file: Any = None) -> None:
        raise _ExitError(self.format_help(), DONE)

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message}; `{self.prog} --help` says more".replace("` --help", "`--help"))


class Inside(httpx.BaseTransport):
    """Requests to an application in this process, made by a thread.

    Parameters
    ----------
    app : FastAPI
    loop : asyncio.AbstractEventLoop
        In which it runs.
    caller : Caller, optional
        Who asks, if that is known; else a token says it, as everywhere.
    """

    def __init__(self, app: FastAPI, loop: asyncio.AbstractEventLoop, caller: Caller | None = None) -> None:
        async def known(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope if caller is None else {**scope, CALLER: caller}, receive, send)

        self._transport = httpx.ASGITransport(known, raise_app_exceptions=False)
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request; waits for its answer."""
        request.read()
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop).result()

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def obey(app: FastAPI, loop: asyncio.AbstractEventLoop, caller: Caller, host: str, line: str) -> tuple[int, Streams]:
    """Carry out a line; its exit code, and what it prints. Blocks, outside of `loop`.

    Parameters
    ----------
    app : FastAPI
    loop : asyncio.AbstractEventLoop
    caller : Caller
    host : str
        The address of the service as the client knows it.
    line : str
    """
    streams = Streams()
    try:
        return _obey(app, loop, caller, host, line, streams), streams
    except _ExitError as said:
        streams.print(said.text)
        return said.code, streams
    except RequestError as error:
        streams.note(f"khhw: {visible(str(error), lines=True)}\n")
        return WRONG_REQUEST, streams
    except BuildError as error:
        streams.note(f"khhw: {visible(str(error), lines=True)}\n")
        return FAILED, streams


def _obey(
    app: FastAPI, loop: asyncio.AbstractEventLoop, caller: Caller, host: str, line: str, streams: Streams,
) -> int:
    parser = _Parser(prog="", description="The cloud of this machine.")
    add_commands(parser, files=False)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise RequestError(f"a command line that is none: {error}") from None
    parser.set_defaults(json=False)
    arguments = parser.parse_args(["--help"] if words == ["help"] else words)
    with httpx.Client(transport=Inside(app, loop, caller), base_url="http://inside", timeout=None) as client:
        return perform(Session(client, wait=_WAIT_SECONDS, host=host), arguments, streams)
