"""Requests ↦ their schemas: options from the query, the rest from a body of any type that a request may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Depends, Request
from pydantic import ValidationError

from . import bodies
from .errors import RefusedError, sentence_of
from .schemas import Asked

M = TypeVar("M", bound=Asked)
OWN = ("run", "token")  # parameters of the query that are not options


def given(model: type[M]) -> Any:
    """A dependency: the request as a ``model``. JSON is an object of its fields; .npy and PNG are its main field, with
    the options in the query. Raises RefusedError with 415 or 422.
    """

    async def read(request: Request) -> M:
        options = {name: _value(request.query_params.getlist(name)) for name in request.query_params if name not in OWN}
        content = {} if _is_bare(request, model) else await _body(request, model)
        if twice := options.keys() & content.keys():
            raise RefusedError(422, f"{min(twice)} is given twice, in the query and in the body")
        try:
            return model.model_validate({**options, **content})
        except ValidationError as error:
            raise RefusedError(422, sentence_of(error.errors())) from error

    return Depends(read)


def gives(*offered: str) -> Any:
    """A dependency: what of the ``offered`` types the client would rather have, see :func:`bodies.wanted`."""

    async def choose(request: Request) -> str:
        return bodies.wanted(request, offered)

    return Depends(choose)


async def _body(request: Request, model: type[Asked]) -> dict[str, Any]:
    kind, content = await bodies.read(request, model.takes)
    if kind != bodies.JSON:
        assert model.main is not None
        return {model.main: content}
    if not isinstance(content, dict):
        raise RefusedError(422, f"expected a JSON object with {', '.join(model.model_fields)}")
    return content


def _is_bare(request: Request, model: type[Asked]) -> bool:
    """Whether there is no body, and need not be."""
    return model.main is None and request.headers.get("content-length", "0") == "0" and (
        "transfer-encoding" not in request.headers
    )  # fmt: skip


def _value(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else list(values)
