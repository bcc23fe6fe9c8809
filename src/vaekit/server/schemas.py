"""What requests and answers hold; options are called as on the command line."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vaekit.data.masks import RECTANGLE
from vaekit.recipes import TrainRequest

from .bodies import JSON, NPY, PNG, VAE

ITEMS = "items: nested lists (N, *item), or for each row of a table an object of its cells, null where one is missing"
Numbers = list[float | None]
Items = list[Any]


class Asked(BaseModel):
    """A request; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")
    takes: ClassVar[tuple[str, ...]] = (JSON, NPY, PNG)  # types of its body
    main: ClassVar[str | None] = "x"  # the field that bodies of other types than JSON are


class Labelled(Asked):
    """A request to a model that may be conditional."""

    label: Any = Field(
        None,
        description="of conditional models: a class for all items, a list of one for each, or of lists of covariates",
        json_schema_extra={"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array"}, {"type": "null"}]},
    )

    @field_validator("label")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        cells = value if isinstance(value, list) else [value]
        inner = [each for cell in cells for each in (cell if isinstance(cell, list) else [cell])]
        if any(isinstance(each, dict | list) for each in inner) or value == []:
            raise ValueError("label is a text or a number, or a list of them")
        return value


class OnItems(Asked):
    """A request about items."""

    x: Any = Field(description=ITEMS, json_schema_extra={"type": "array", "items": {}})


class OnLabelledItems(Labelled, OnItems):
    """A request about items, which a conditional model is told the labels of."""


class EncodeRequest(OnLabelledItems):
    """Which items to encode."""


class ReconstructRequest(OnLabelledItems):
    """Which items to encode and decode again."""


class Drawn(Labelled):
    """A request that may draw."""

    draw: bool = Field(False, description="draw values too, not their mean given the latents")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the draws")


class DecodeRequest(Drawn):
    """Which latents to decode."""

    takes = (JSON, NPY)
    main = "z"

    z: Any = Field(
        description="latents (N, D)",
        json_schema_extra={"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
    )


class SampleRequest(Drawn):
    """How many new items, and which."""

    takes = (JSON,)
    main = None

    n: int = Field(16, ge=1, description="how many")
    temperature: float = Field(1.0, gt=0, le=10, description="spread of the latents; the prior's own is 1")


class ScoreRequest(OnLabelledItems):
    """Which items to score."""

    samples: int = Field(100, ge=1, description="importance samples for each item")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the importance samples")


class DetectRequest(OnItems):
    """Which items to judge."""

    explain: int = Field(5, ge=0, le=100, description="how many of the most surprising rows of a table to explain")
    false_alarm: float = Field(0.01, gt=0, lt=1, description="share of normal items that may be called anomalies")


class ImputeRequest(OnLabelledItems):
    """Items with hidden cells: null or NaN; of images also the part that the mask hides."""

    mask: str | list[Any] | None = Field(
        None,
        description="of images: the hidden part, top:bottom,left:right, or (H, W) or (N, H, W) that are true there",
    )
    draws: int = Field(0, ge=0, le=100, description="also answer so many fillings drawn at random")
    intervals: bool = Field(False, description="also answer the ends of each cell's interval")
    level: float = Field(0.9, gt=0, lt=1, description="probability of the intervals")
    samples: int = Field(64, ge=1, description="importance samples for each item")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the draws")

    @field_validator("mask")
    @classmethod
    def _rectangle(cls, value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(RECTANGLE, value.replace(" ", "")):
            raise ValueError(f"the mask is top:bottom,left:right or an array that is true there, got {value[:40]!r}")
        return value


class CompressRequest(OnItems):
    """Which items to compress."""

    quality: float | None = Field(None, ge=0, le=100, description="of images: keep what the latents say of them")


class DecompressRequest(Asked):
    """A .vae file, or its bytes in base64."""

    takes = (JSON, VAE)
    main = "data"
    data: Any = Field(description="the bytes of the file in base64", json_schema_extra={"type": "string"})


class Failure(BaseModel):
    """What was expected, what came, and what to do."""

    error: str


class Latents(BaseModel):
    """Posterior means (N, D)."""

    z: list[list[float]]


class Decoded(BaseModel):
    """Items in the units and the layout of the data."""

    x: Items


class Samples(BaseModel):
    """New items and their latents."""

    x: Items
    z: list[list[float]]


class Scores(BaseModel):
    """Of each item, in nats: the importance-sampled log-likelihood (null of models without a density), the evidence
    lower bound and its two parts, and the effective number of importance samples.
    """

    log_likelihood: Numbers | None
    elbo: Numbers
    reconstruction: Numbers
    kl: Numbers
    ess: Numbers


class Anomalies(BaseModel):
    """Of each item its surprise in nats, its rank among the run's own held-out examples as a p-value, and whether that
    makes it an anomaly; null where the run's data are not known. ``most_surprising`` explains rows of tables.
    """

    surprise: Numbers
    p_value: Numbers | None
    anomaly: list[bool] | None
    threshold: float | None
    held_out: int
    most_surprising: list[dict[str, Any]]


class Filled(BaseModel):
    """Items without hidden cells, drawn ones, and the ends of intervals, if asked for."""

    x: Items
    ess: Numbers | None
    draws: list[Items] | None
    low: Items | None
    high: Items | None


class Compressed(BaseModel):
    """A .vae file in base64, its size and that of the items, in bytes."""

    data: str
    size: int
    content: int
    packed: dict[str, int] = Field(description="how many items are packed without the model, by reason")


class About(BaseModel):
    """A run: how it was trained, what its items and its latents are."""

    name: str
    runs: list[str]
    vaekit: str
    request: TrainRequest
    items: str
    kind: str
    layout: list[int]
    dtype: str | None
    classes: list[str]
    columns: list[dict[str, Any]]
    latents: int
    discrete: bool
    has_density: bool
    parameters: int
    trained: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    limits: dict[str, float]


class Health(BaseModel):
    """Whether the server can answer."""

    status: str
    waiting: int
