"""Whatever goes wrong as one sentence of JSON, ``{"error": "..."}``, with the status that says whose fault it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from .hosting import UnknownRunError
from .worker import BusyError

log = logging.getLogger("vaekit.server")


class RefusedError(Exception):
    """A request that is answered with a status of 4xx and a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


def answer(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to a request that failed."""
    return JSONResponse({"error": sentence}, status, headers)


def handle_errors(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Let an app answer every exception in this way; of a path of the ``routers`` it says which methods there are."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    methods = {route.path: ", ".join(sorted(route.methods or ())) for route in routes}

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return answer(error.status, str(error))

    @app.exception_handler(BusyError)
    async def busy(request: Request, error: BusyError) -> JSONResponse:
        return answer(503, str(error), {"Retry-After": "1"})

    @app.exception_handler(UnknownRunError)
    async def unknown(request: Request, error: UnknownRunError) -> JSONResponse:
        return answer(404, str(error.args[0]))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(422, sentence_of(error.errors(), 1))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code not in (404, 405):
            return answer(error.status_code, str(error.detail), dict(error.headers or {}))
        path, allowed = request.url.path[:80], methods.get(request.url.path)
        if not allowed:
            return answer(404, f"there is nothing at {path}; /docs lists what there is")
        return answer(405, f"{path} takes {allowed}, not {request.method}", {"Allow": allowed})

    @app.exception_handler(ValueError)
    @app.exception_handler(TypeError)
    @app.exception_handler(OSError)
    @app.exception_handler(OverflowError)
    async def unsuited(request: Request, error: Exception) -> JSONResponse:
        log.debug("refused", exc_info=error)  # where it comes from, should it be our own mistake
        return answer(422, " ".join(str(error).split()) or type(error).__name__)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return answer(500, unforeseen(error))


def unforeseen(error: Exception) -> str:
    """What is said of an error that is nobody's but the server's; its log says more."""
    log.error("unexpected error", exc_info=error)
    return f"unexpected {type(error).__name__} in the server; its log says more"


def sentence_of(errors: Sequence[Any], skipped: int = 0) -> str:
    """What is wrong first, by the errors of pydantic; ``skipped`` parts of its place say nothing."""
    first = errors[0]
    place = ".".join(str(part)[:40] for part in first["loc"][skipped:]) or "the body"
    if first["type"] == "extra_forbidden":
        return f"there is no option {place!r} here; /docs says which there are"
    problem = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = first.get("input")
    shown = "" if isinstance(given, dict | list | bytes | None) else f", got {str(given)[:80]!r}"
    return problem if first["type"] == "value_error" else f"{place}: {problem[:1].lower()}{problem[1:]}{shown}"
