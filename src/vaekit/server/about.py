"""What the server says of itself and of its runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from vaekit import __version__, store, tasks
from vaekit.data import Schema, TableSchema
from vaekit.recipes import Run

from . import documents
from .depends import GivenHost, GivenRun, GivenSettings, GivenWorker
from .hosting import Hosted
from .modules import WEB
from .schemas import About, Failure, Health

router = APIRouter(tags=["about"])
LIMITS = ("body", "items", "samples", "rate", "seconds", "waiting")


@router.get("/info", responses={404: {"model": Failure, "description": documents.FAILURES[404]}})
async def info(hosted: GivenRun, host: GivenHost, worker: GivenWorker, settings: GivenSettings) -> About:
    """How a run was trained, what its items and its latents are, and what the server allows."""
    about = await worker.run(_about, hosted)
    limits = {name: getattr(settings, name) for name in LIMITS}
    return About(name=hosted.name, runs=host.names, vaekit=__version__, limits=limits, **about)


@router.get("/healthz", responses={503: {"model": Health, "description": "The server cannot answer."}})
async def health(worker: GivenWorker) -> Response:
    """Whether the server can answer."""
    found = Health(status="ok" if worker.alive else "the worker has stopped", waiting=worker.waiting)
    return JSONResponse(found.model_dump(), 200 if worker.alive else 503)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, hosted: GivenRun, worker: GivenWorker) -> dict[str, Any]:
    """The OpenAPI document, with examples for the run."""
    return await worker.run(documents.document, request.app, hosted.run)


@router.get("/docs", include_in_schema=False)
async def docs() -> FileResponse:
    """The same to read and to try."""
    return FileResponse(WEB / "docs.html")


def _about(hosted: Hosted) -> dict[str, Any]:
    run = hosted.run
    schema, model = run.schema, run.model
    evaluation = hosted.path and hosted.path / "evaluation.json"
    return {
        "request": run.request,
        "items": schema.words,
        "kind": schema.kind,
        "layout": list(schema.layout),
        "dtype": schema.dtype if isinstance(schema, Schema) else None,
        "classes": list(schema.context.names if schema.context else getattr(schema, "classes", ())),
        "columns": _columns(run),
        "latents": tasks.latent_size(model),
        "discrete": model.discrete,
        "has_density": model.has_density,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained": dict(run.history[-1]) if run.history else None,
        "evaluation": store.read_json(evaluation) if evaluation and evaluation.exists() else None,
    }


def _columns(run: Run) -> list[dict[str, Any]]:
    if not isinstance(run.schema, TableSchema):
        return [{"name": name} for name in run.schema.columns]
    names = ("name", "kind", "low", "high", "values")
    return [{name: about for name, about in asdict(column).items() if name in names} for column in run.schema.table]
