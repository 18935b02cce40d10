"""What goes wrong, as JSON: a sentence, with the status code that HTTP has for it (RFC 9457, problem details)."""

import http
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from khhw.cloud.errors import CloudError, Kind
from khhw.patterns import IN_WORDS

__all__ = ["RESPONSES", "Problem", "answer_problems", "problem", "raw_problem", "sentence"]

_log = logging.getLogger(__name__)
_MOST_SHOWN = 60
_SECRET = ("credential", "sha256")
"""Words in the places of what is not told again."""


class Problem(BaseModel):
    """Why a request was refused; nothing was changed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    title: str
    """The kind, in words: ``not found``."""
    status: int
    """The status code again."""
    detail: str
    """What is wrong, where, and what would be right."""
    quota: bool = False
    """Whether more quota would help."""


RESPONSES: dict[int | str, dict[str, Any]] = {
    kind.value: {"model": Problem, "description": kind.words.capitalize()} for kind in Kind
}
"""For the description: what every operation can answer besides what it does."""


def problem(status: int, title: str, detail: str, *, quota: bool = False) -> JSONResponse:
    """An answer that refuses."""
    headers = {"WWW-Authenticate": "Bearer"} if status == Kind.UNAUTHORIZED else {}
    headers |= {"Retry-After": "1"} if status == Kind.UNAVAILABLE else {}
    content = Problem(title=title, status=status, detail=detail, quota=quota).model_dump()
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def raw_problem(status: int, title: str, detail: str) -> bytes:
    """The same as bytes, for a connection that ends with it: where no application is asked."""
    answer = problem(status, title, detail)
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode(), b"connection: close",
             *(b": ".join(header) for header in answer.raw_headers)]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])


def answer_problems(app: FastAPI) -> None:
    """Let whatever goes wrong in an application be answered so."""

    @app.exception_handler(CloudError)
    async def _refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, CloudError)
        return problem(error.kind, error.kind.words, error.sentence, quota=error.quota)

    @app.exception_handler(RequestValidationError)
    async def _wrong(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem(Kind.BAD_REQUEST, Kind.BAD_REQUEST.words, sentence(error.errors()))

    @app.exception_handler(HTTPException)
    async def _unknown(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail = {404: f"there is no {shortened(request.url.path)}; GET /openapi.json says what there is",
                  405: f"{shortened(request.url.path)} does not take {shortened(request.method)}",
                  }.get(error.status_code, str(error.detail))
        return problem(error.status_code, {404: "not found"}.get(error.status_code, "bad request"), detail)

    @app.exception_handler(Exception)
    async def _failed(request: Request, error: Exception) -> JSONResponse:
        # What a client sent stays out of the log: it may be a secret.
        _log.error("%s %s failed", request.method, request.scope.get("route", request.url.path), exc_info=error)
        return problem(500, "internal error", "the service has failed at this; its log says where")


def sentence(errors: Sequence[Any]) -> str:
    """What pydantic found, in one sentence: the first place, and how many more there are."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return "the body is no JSON"
    path = ".".join(str(step) for step in first["loc"] if step not in ("body", "query", "path", "header"))
    said = _said(first)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    given = first.get("input")
    secret = any(word in path for word in _SECRET)
    shown = f", not {shortened(repr(given))}" if isinstance(given, str | int | float) and not secret else ""
    return f"{shortened(path) or 'the body'}: {said}{shown}{more}"


def _said(error: Any) -> str:
    """What is wrong in one place: what may be there, and not the regular expression of it."""
    if error["type"] == "string_pattern_mismatch":
        return f"it is to be {IN_WORDS[error['ctx']['pattern']]}"
    said = str(error["msg"]).removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def shortened(text: str) -> str:
    """No more of what a client sent than a sentence takes."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
