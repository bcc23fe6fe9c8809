"""One HTML file that shows a run without a server: the page's own modules, and what they would have asked for."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from PIL import Image

from vaekit import __version__, tasks
from vaekit.evaluation.subsets import subset

from . import items
from .bundle import bundle
from .encoding import decode
from .hosting import Hosted
from .page import facts
from .page_points import data_facts, labels, no_data
from .page_training import about, progress
from .plane import Plane

PIXELS = 2**22  # of all decoded places, and of all items, at most


def export_page(hosted: Hosted, *, side: int = 32, most: int = 2000) -> str:
    """The page of a run as one HTML file, which needs nothing else and asks nobody.

    It holds ``side`` × ``side`` decoded places of the plane, of larger images fewer, and ``most`` of the data's items
    with their reconstructions. Raises ValueError for a model without a plane.
    """
    if hosted.run.model.discrete or tasks.latent_size(hosted.run.model) < 2:
        raise ValueError(
            "an exported page shows a plane of decoded items, which this model's latent space does not have"
        )
    if side < 2 or most < 1:
        raise ValueError(f"expected at least 2 places a side and 1 item, got {side} and {most}")
    saved = record(hosted, side, most)
    side = saved["places"]["side"]
    note = (
        f"Saved from {hosted.name} on {date.today():%d %B %Y} with vaekit {__version__}. {side} × {side} places of the "
        f"plane are decoded, what lies between them is blended; {saved['count']:,} items of the data are shown."
    )
    return bundle(saved, note)


def record(hosted: Hosted, side: int, most: int) -> dict[str, Any]:
    """What the page asks for, in the form that ``saved.js`` answers from: a model of two latents, the plane's."""
    run = hosted.run
    size = run.schema.shape[1] * run.schema.shape[2] if run.schema.kind == "image" else 1
    side = max(2, min(side, math.isqrt(PIXELS // size)))
    axes, plane = hosted.axes(), Plane.of(hosted.axes())
    z, places = plane.grid(side)
    decoded = decode(run, z).numpy()
    known = facts(hosted) | {"latents": 2, "labels": None}
    rows, epochs, _ = progress(hosted)
    answers = {
        "page/runs": {"runs": [{"name": hosted.name}]},
        "page/run": known,
        "page/axes": plane.axes(axes),
        "page/history": {"rows": rows, "count": len(rows), "epochs": epochs, "training": False},
        "page/model": about(hosted),
    }
    data = _data(hosted, plane, min(most, PIXELS // size), answers)
    numbers = None if run.schema.kind == "image" else base64.b64encode(items.numbers(run.schema, decoded)).decode()
    return {"run": known, "answers": answers, "places": places, "decoded": _pack(hosted, decoded), "numbers": numbers,
            **data}  # fmt: skip


def _data(hosted: Hosted, plane: Plane, most: int, answers: dict[str, Any]) -> dict[str, Any]:
    """Some of the data's items with their reconstructions and their places; further answers about them."""
    try:
        examples, feed = hosted.examples(), hosted.feed()
    except (OSError, ValueError) as error:
        answers["page/data"] = no_data(error)
        return {"count": 0, "points": "", "items": None}
    chosen = subset(len(feed), most)
    some, part = feed.select(chosen), examples.at(chosen.numpy())
    if len(part) < len(examples):
        part = replace(part, description=f"some of {part.description}")
    x, z = some.batch(slice(None)).x.numpy(), tasks.encode(hosted.run.model, some).numpy()
    told = answers["page/data"] = data_facts(part, hosted.run.schema)
    for name in told["by"]:
        names, values = labels(part, name)
        answers[f"page/colors/{name}"] = {"names": names, "values": values}
    points = base64.b64encode(plane.coordinates(z).astype("<f4").tobytes()).decode()
    both = np.concatenate([x, tasks.reconstruct(hosted.run.model, some).numpy()])
    return {"count": len(part), "points": points, "items": _pack(hosted, both)}


def _pack(hosted: Hosted, x: np.ndarray) -> dict[str, Any]:
    """Items in model units (N, *event) as the page has them; pictures as a PNG file in base64."""
    found = items.payload(hosted.run.schema, x)
    if isinstance(found, dict):
        return found
    count, height, width = found.shape[:3]
    across = max(1, math.isqrt(count * height // width))
    down = math.ceil(count / across)
    sheet = np.zeros((down * across, height, width, found.shape[3]), np.uint8)
    sheet[:count] = found
    pixels = sheet.reshape(down, across, height, width, -1).swapaxes(1, 2).reshape(down * height, across * width, -1)
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(stream, "PNG", optimize=True)
    return {"png": base64.b64encode(stream.getvalue()).decode(), "across": across, "total": count}
