"""What the service says of itself: OpenAPI, with examples that work for the run."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from vaekit import tasks
from vaekit.data import TableSchema
from vaekit.recipes import Run

from . import rows
from .bodies import JSON, numbers
from .schemas import Asked, Failure

BINARY = {"type": "string", "format": "binary"}
ABOUT = """The tasks of a trained model. Bodies and answers are JSON, .npy or PNG, as Content-Type and Accept say; the
options of a .npy or PNG body are in the query. `run` names the run where there are several. What cannot be answered is
`{"error": "one sentence"}`."""
FAILURES = {
    401: "The token is missing or wrong.",
    404: "There is no such run.",
    406: "Accept asks for a type that this has not.",
    413: "The body is too large, or has too many items.",
    415: "The Content-Type is none that this takes.",
    422: "What came is not what was expected; the sentence says what was.",
    429: "Too many requests.",
    503: "Too many requests wait; try again in a moment.",
    504: "It took too long; ask for less.",
}


def described(asked: type[Asked], answer: type[BaseModel], *gives: str) -> dict[str, Any]:
    """Keywords of a route that takes and gives these."""
    schema = asked.model_json_schema()
    content = {kind: {"schema": schema if kind == JSON else BINARY} for kind in asked.takes}
    options = [
        {"name": name, "in": "query", "required": False, "description": about.get("description", ""), "schema": about}
        for name, about in schema["properties"].items()
        if name != asked.main
    ]
    return {
        "response_model": answer,
        "openapi_extra": {
            "requestBody": {"required": asked.main is not None, "content": content},
            "parameters": options,
        },
        "responses": {
            200: {"content": {kind: {"schema": BINARY} for kind in gives if kind != JSON}},
            **{status: {"model": Failure, "description": text} for status, text in FAILURES.items()},
        },
    }


def document(app: FastAPI, run: Run) -> dict[str, Any]:
    """The OpenAPI document, its examples of the items and latents of a run."""
    content = app.openapi()
    made = examples(run)
    paths = {}
    for path, methods in content["paths"].items():
        paths[path] = {
            method: _with_example(operation, made[path]) if path in made else operation
            for method, operation in methods.items()
        }
    return {**content, "paths": paths}


def examples(run: Run) -> dict[str, Any]:
    """By path a body of JSON that is answered."""
    z = np.zeros((1, tasks.latent_size(run.model)), np.float32)
    x = rows.document(run.schema, _typical(run))
    found: dict[str, Any] = {path: {"x": x} for path in ("/encode", "/reconstruct", "/detect")}
    found |= {"/score": {"x": x, "samples": 10}, "/decode": {"z": numbers(z)}, "/sample": {"n": 4, "seed": 1}}
    if isinstance(run.schema, TableSchema):
        found["/impute"] = {"x": [{**x[0], run.schema.columns[0]: None}]}
    elif run.schema.kind == "image":
        found["/impute"] = {"x": x, "mask": "0:2,0:2"}
    if not isinstance(run.schema, TableSchema) and run.schema.step is not None:
        found["/compress"] = {"x": x}
    return found


def _typical(run: Run) -> np.ndarray:
    """What the middle of the latent space stands for, in model units."""
    z = tasks.sample_latents(run.model, 1, run.context(1), temperature=1e-3)
    return tasks.decode(run.model, z, run.context(1)).numpy()


def _with_example(operation: dict[str, Any], example: Any) -> dict[str, Any]:
    if "requestBody" not in operation:
        return operation
    body = operation["requestBody"]
    content = {**body["content"], JSON: {**body["content"][JSON], "example": example}}
    return {**operation, "requestBody": {**body, "content": content}}
