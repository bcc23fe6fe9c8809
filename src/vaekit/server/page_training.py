"""How a run was trained, and what is known of the model: its choices, its numbers, what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from vaekit import store
from vaekit.data import TableSchema
from vaekit.evaluation.meaning import DISENTANGLEMENT, EVALUATION, LATENTS, LIKELIHOOD, SAMPLES, Meaning
from vaekit.recipes.card import facts
from vaekit.store import RunFolder

from .depends import GivenHost, GivenRun
from .hosting import Hosted

router = APIRouter()
QUIET = 60.0  # seconds without a word, or three epochs, after which a training counts as stopped
SECTIONS: dict[str, Meaning] = {"likelihood": LIKELIHOOD, "latents": LATENTS, "disentanglement": DISENTANGLEMENT}
TITLES = {"likelihood": "Likelihood", "latents": "Latent space", "disentanglement": "Factors"}


@router.get("/history")
def history(host: GivenHost, run: str | None = None, after: int = 0) -> dict[str, Any]:
    """``rows`` of the epochs beyond ``after``, the ``count`` of those done, how many ``epochs`` there will be, and
    whether the run is ``training``; also of a run that has no weights yet.
    """
    rows, epochs, training = progress(host.get(run))
    return {"rows": rows[max(after, 0) :], "count": len(rows), "epochs": epochs, "training": training}


@router.get("/model")
def model(hosted: GivenRun) -> dict[str, Any]:
    """What is known of the model, see :func:`about`."""
    return about(hosted)


def about(hosted: Hosted) -> dict[str, Any]:
    """The ``card``, the ``columns`` of a table, and the last ``evaluation``, None if there is none."""
    run, folder = hosted.run, None if hosted.path is None else RunFolder(hosted.path)
    report = store.read_json(folder.evaluation) if folder is not None and folder.evaluation.exists() else None
    return {
        "card": list(facts(run.request, run.schema, run.model).items()),
        "columns": _columns(run.schema) if isinstance(run.schema, TableSchema) else [],
        "evaluation": None if report is None else evaluation(report),
    }


def evaluation(report: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation.json in ``sections`` of numbers with their units and meanings, and the ``findings``."""
    sections = [_section("Evaluation", EVALUATION, report)]
    for name, meaning in SECTIONS.items():
        if report.get(name):
            sections.append(_section(TITLES[name], meaning, {**report, **report[name]}))
    sections += [_samples(quality) for quality in report.get("sample_quality") or []]
    return {"data": report["data"], "n": report["n"], "sections": sections, "findings": report.get("findings", [])}


def _section(title: str, meaning: Meaning, report: Mapping[str, Any]) -> dict[str, Any]:
    numbers = [
        {"name": name, "value": report.get(name), "unit": unit, "about": about}
        for name, (unit, about) in meaning.items()
    ]
    return {"title": title, "numbers": [number for number in numbers if number["value"] is not None]}


def _samples(quality: Mapping[str, Any]) -> dict[str, Any]:
    """The quality of drawn samples, with intervals, beside what the training examples themselves get."""
    drawn, floor = quality["draws"], quality["floor"]
    numbers = [
        {
            **drawn[name],
            "name": name,
            "unit": unit,
            "about": f"{about}; training examples: {floor[name]['value']:.3g}",
        }
        for name, (unit, about) in SAMPLES.items()
        if drawn.get(name) and floor.get(name)
    ]
    return {"title": "Samples", "numbers": numbers}


def _columns(schema: TableSchema) -> list[dict[str, str]]:
    known = [
        {"name": column.name, "kind": column.kind, "values": f"{len(column.values)} values" if column.values else
         column.extent} for column in schema.table
    ]  # fmt: skip
    return known + [{"name": name, "kind": "left out", "values": why} for name, why in schema.left_out]


def progress(hosted: Hosted) -> tuple[list[dict[str, Any]], int, bool]:
    """The rows of the epochs, how many there will be, and whether the training goes on."""
    if hosted.path is None:
        return hosted.run.history, hosted.run.request.epochs or len(hosted.run.history), False
    folder = RunFolder(hosted.path)
    rows = store.read_jsonl(folder.metrics) if folder.metrics.exists() else []
    epochs = folder.read_config()["request"].get("epochs") or len(rows)
    longest = max([QUIET, *(3 * float(row.get("seconds") or 0) for row in rows)])
    return rows, epochs, len(rows) < epochs and _age(folder.metrics, folder.config) < longest


def _age(*paths: Path) -> float:
    """Seconds since one of the files was last written; infinite if there is none."""
    written = [path.stat().st_mtime for path in paths if path.exists()]
    return time.time() - max(written) if written else float("inf")
