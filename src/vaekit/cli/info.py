"""``vaekit info``."""

from __future__ import annotations

import inspect
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from vaekit.recipes.presets import PRESETS, preset
from vaekit.recipes.registry import NOUNS, members, options, unknown
from vaekit.recipes.request import TrainRequest

from . import show

if TYPE_CHECKING:
    from vaekit.core import LatentModel
    from vaekit.data import Schema, TableSchema
    from vaekit.recipes import Run
    from vaekit.store import RunFolder

CHOICES = ("model", "latent_dim", "network", "likelihood", "posterior", "prior", "objective", "beta", "warmup")
TRAINING = (
    "epochs", "batch_size", "lr", "schedule", "clip", "weight_decay", "average", "keep", "patience", "seed",
    "precision",
)  # fmt: skip


def info(what: Annotated[str | None, Parameter(help="a run's folder, or the name of a preset")] = None, /) -> None:
    """Show a run, a preset, or what there is."""
    out = show.console()
    if what is None:
        _everything(out)
    elif what in PRESETS:
        _preset(out, what)
    elif Path(what).exists():
        _run(out, what)
    else:
        raise ValueError(f"{unknown('run or preset', what, PRESETS)}, and folders of runs")


def _run(out: Console, path: str) -> None:
    from vaekit.recipes import Run
    from vaekit.store import RunFolder

    run, folder = Run.load(path), RunFolder(path)
    out.print(f"Run {folder.path}", style="bold", soft_wrap=True)
    _choices(out, run.request, run.schema, run.model.shapes.examples)
    _layers(out, run.model)
    try:
        _results(out, run, folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"metrics.jsonl or evaluation.json in {folder.path} is damaged: {error}") from error


def _results(out: Console, run: Run, folder: RunFolder) -> None:
    """How the training ended, and what the last evaluation said."""
    from vaekit.store import read_json

    from .report import table, title

    if run.history:
        last = run.history[-1]
        numbers = ", ".join(f"{name} {last[name]:.3f}" for name in ("loss", "reconstruction", "kl"))
        out.print(f"\nTrained for {show.counted(last['epoch'], 'epoch')}: {numbers} nats per example", style="bold")
    if folder.evaluation.exists():
        report = read_json(folder.evaluation)
        out.print(f"\nEvaluated on {title(report)}", style="bold")
        out.print(table(report))


def _preset(out: Console, name: str) -> None:
    from vaekit import data, recipes

    out.print(f"Preset {name}: {PRESETS[name].summary}\n", style="bold", soft_wrap=True)
    request = TrainRequest.parse(preset(name))
    absent = {entry.name for entry in data.catalogue() if entry.where == "not yet downloaded"}
    if request.data is None or request.data in absent:
        _choices(out, request)
        first = "vaekit train DATA --preset" if request.data is None else "vaekit data fetch"
        out.print(f"\nThe layers depend on the data; to see them, first: {first} {request.data or name}")
        return
    completed, schema, examples = recipes.plan(request, recipes.load_run_data(request))
    _choices(out, completed, schema, examples)
    _layers(out, recipes.build_model(completed, schema, examples))


def _choices(
    out: Console, request: TrainRequest, schema: Schema | TableSchema | None = None, examples: int | None = None
) -> None:
    """What was chosen, without what was left out."""
    rows: dict[str, Any] = {"data": request.data or ("yours" if schema is None else "arrays given in Python")}
    if schema is not None:
        rows["items"] = schema.words
    if schema is not None and schema.kind == "table" and schema.left_out:
        rows["left out"] = "; ".join(f"{name} ({reason})" for name, reason in schema.left_out)
    if examples is not None:
        test = ", the test set included" if request.include_test else ""
        held_out = f"{request.held_out:.0%} of the data" if request.held_out else "nothing"
        rows["training examples"] = f"{examples:,}{test}; {held_out} held out"
    for name in (*CHOICES, *TRAINING):
        value = getattr(request, name)
        if value is not None:
            rows[name.replace("_", "-")] = show.choice(value)
    out.print(show.table(rows.items(), ("", "")))


def _layers(out: Console, model: LatentModel) -> None:
    """A table for the encoder and one for the decoder, and the total."""
    from .layers import model_layers

    for part, layers in model_layers(model).items():
        total = sum(layer.parameters for layer in layers)
        out.print(f"\n{part.capitalize()}: {show.counted(total, 'parameter')}", style="bold")
        rows = [(layer.name, " × ".join(map(str, layer.shape)), f"{layer.parameters:,}") for layer in layers]
        out.print(show.table(rows, ("layer", "output, before cropping", "parameters"), right=(2,)))
    out.print(f"\n{sum(p.numel() for p in model.parameters()):,} parameters in all", style="bold")


def _everything(out: Console) -> None:
    _versions(out)
    out.print()
    presets = [(name, preset.summary) for name, preset in PRESETS.items()]
    out.print(show.table(presets, ("--preset", "")))
    for noun in NOUNS:
        rows = [(name, _options(member), _summary(member)) for name, member in members(noun).items()]
        out.print("", show.table(rows, (f"--{noun}", "options and their defaults", "")))
    _defaults(out)


def _versions(out: Console) -> None:
    import numpy
    import torch

    from vaekit import __version__
    from vaekit.training import Precision, choose_device

    device = choose_device()
    versions = {"Python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__}
    rows = {
        "vaekit": ", ".join([__version__, *(f"{name} {version}" for name, version in versions.items())]),
        "device": f"{device}, {Precision(device).name}, {show.counted(torch.get_num_threads(), 'thread')}",
    }
    if device.type == "cuda":
        rows["GPU"] = torch.cuda.get_device_name(device)
    out.print(show.table(rows.items(), ("", "")))


def _defaults(out: Console) -> None:
    from vaekit.recipes import complete

    rows = [
        (f"--{name.replace('_', '-')}", show.choice(field.default), field.description)
        for name, field in TrainRequest.model_fields.items()
        if field.default is not None and field.default is not False
    ]
    out.print("", show.table(rows, ("option", "default", "")))
    out.print("\nchosen from the data where left open", style="dim")
    rules = (inspect.getdoc(complete) or "").partition("\n\n")[2].replace("``", "")
    out.print(re.sub(r"\n(?!- )\s*", " ", rules))


def _options(member: type) -> str:
    return ", ".join(f"{name} {show.plain(parameter.default)}" for name, parameter in options(member).items()) or "–"


def _summary(member: type) -> str:
    return (inspect.getdoc(member) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "")
