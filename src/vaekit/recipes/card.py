"""The model card of a run, README.md."""

from __future__ import annotations

from typing import Any

from vaekit import store
from vaekit.core import LatentModel
from vaekit.data import Schema, TableSchema
from vaekit.store import RunFolder

from .request import TrainRequest


def write_card(
    folder: RunFolder,
    request: TrainRequest,
    schema: Schema | TableSchema,
    model: LatentModel,
    history: list[dict[str, Any]],
) -> None:
    """What was trained on what, how it ended, how to load it, and what it must not be taken for."""
    store.write_text(folder.card, _card(folder, request, schema, model, history))


def facts(request: TrainRequest, schema: Schema | TableSchema, model: LatentModel) -> dict[str, str]:
    """What a model is and what it was trained on, in words, by name."""
    return {
        "data": request.data or "arrays given in Python",
        "items": schema.words,
        "training examples": f"{model.shapes.examples:,}, {request.held_out:.0%} of the data held out",
        "latent dimensions": str(request.latent_dim),
        "likelihood": _spell(request.likelihood),
        "posterior": _spell(request.posterior),
        "prior": _spell(request.prior),
        "objective": _spell(request.objective),
        "network": _spell(request.network),
        "model": _spell(request.model),
        "parameters": f"{sum(p.numel() for p in model.parameters()):,}",
    }


def _card(
    folder: RunFolder,
    request: TrainRequest,
    schema: Schema | TableSchema,
    model: LatentModel,
    history: list[dict[str, Any]],
) -> str:
    rows = facts(request, schema, model)
    lines = [f"# {folder.path.name}", "", "A variational autoencoder trained with vaekit.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    if history:
        last = history[-1]
        lines += ["", f"After {last['epoch']} epochs, in nats per example: loss {last['loss']:.3f}, "
                  f"reconstruction {last['reconstruction']:.3f}, KL {last['kl']:.3f}, held-out loss "
                  f"{'none' if last['val_loss'] is None else format(last['val_loss'], '.3f')}."]  # fmt: skip
    if isinstance(schema, TableSchema):
        lines += ["", *_of_table(schema)]
    if not model.has_density:
        lines += ["", "The model has no density over the original values, so likelihoods and bits per dimension "
                  "are not reported for this model."]  # fmt: skip
    lines += ["", "```python", "import vaekit", "", f'vae = vaekit.load("{folder.path.name}")', "vae.sample(16)", "```"]
    lines += ["", "Samples and reconstructions are the model's, not records of anybody; it reflects its training data, "
              "biases included."]  # fmt: skip
    return "\n".join(lines) + "\n"


def _of_table(schema: TableSchema) -> list[str]:
    """What the columns are, and what is assumed of missing cells."""
    lines = ["| column | kind | values |", "|---|---|---|"]
    for column in schema.table:
        named, step = len(column.values), "continuous" if column.step is None else f"steps of {column.step:g}"
        values = f"{named} values" if named else f"{column.extent}, {step}"
        lines.append(f"| {column.name} | {column.kind} | {values} |")
    lines += [f"| {name} | left out | {reason} |" for name, reason in schema.left_out]
    return [*lines, "", "Only observed cells enter the bound, which is right where cells are missing at random: where "
            "whether a cell is missing depends on nothing but observed cells of its row."]  # fmt: skip


def _spell(choice: dict[str, Any] | None) -> str:
    name, *options = (choice or {"name": "none"}).items()
    return name[1] + (" (" + ", ".join(f"{key} {value}" for key, value in options) + ")" if options else "")
