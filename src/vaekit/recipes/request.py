"""What to train, as one checked schema for Python, JSON, config files and the command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from . import registry

Choice = dict[str, Any]  # a member of a noun: its name and options; a name alone and an instance are turned into it


class TrainRequest(BaseModel):
    """Every choice of a training. ``None`` is filled from the data by :func:`vaekit.recipes.defaults.complete`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: str | None = Field(None, description="name of a data set, or path of a file or folder")
    columns: dict[str, Any] | None = Field(
        None, description="file (.toml, .json) that says what the columns of a table are: see vaekit data show"
    )
    resize: int | tuple[int, int] | None = Field(None, description="height and width that images are scaled to")
    include_test: bool = Field(False, description="train on the published test set too; nothing is then held out of it")
    held_out: float = Field(0.1, ge=0, lt=1, description="share of the examples kept for choosing the best weights")
    binarize: bool = Field(False, description="draw 0 and 1 from grey values, anew at each look in training")
    conditional: bool = Field(False, description="tell the model the label of each example")
    model: Choice = Field({"name": "one-layer"}, description="how the latents chain")
    latent_dim: int | tuple[int, ...] | None = Field(
        None, description="number of latent dimensions, or channels, height and width of a latent image"
    )
    network: Choice | None = Field(None, description="network of encoder and decoder")
    likelihood: Choice | None = Field(None, description="distribution of the data given the latents")
    posterior: Choice = Field({"name": "diagonal-normal"}, description="distribution of the latents given the data")
    prior: Choice | None = Field(None, description="distribution of the latents")
    refit: Choice | None = Field(None, description="prior that is fitted to the latents after training, in its place")
    refit_epochs: int = Field(20, ge=0, description="passes over the latents in fitting it")
    objective: Choice = Field({"name": "elbo"}, description="bound that is maximized")
    beta: float | None = Field(None, ge=0, description="weight of the KL, short for objective.beta")
    warmup: float | None = Field(None, ge=0, le=1, description="share of the steps over which the KL's weight rises")
    epochs: int | None = Field(None, ge=1, description="passes over the training data")
    batch_size: int | None = Field(None, ge=1, description="examples in a step")
    lr: float = Field(2e-3, gt=0, description="learning rate of Adam, the schedule's peak")
    schedule: Choice = Field({"name": "one-cycle"}, description="course of the learning rate")
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay")
    weight_step: float | None = Field(
        None, gt=0, description="step in which weights will be stored, which adds their size to the loss; none if out"
    )
    average: float | None = Field(
        None, gt=0, lt=1, description="decay of averaged weights, which are kept; none if out"
    )
    keep: Literal["best", "last"] = Field("best", description="weights to keep: best by the held-out bound, or last")
    patience: int | None = Field(None, ge=1, description="epochs without a better held-out bound before stopping")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of everything random")
    split_seed: int | None = Field(None, ge=0, lt=2**32, description="seed of what is held out, if not the rest's")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="number format of the networks")
    compile: bool = Field(False, description="compile the training step with torch.compile (needs a C++ compiler)")

    @field_validator(*registry.NOUNS, mode="before")
    @classmethod
    def _spell(cls, value: Any, info: ValidationInfo) -> Any:
        return None if value is None else registry.spell(str(info.field_name), value)

    @field_validator("refit", mode="before")
    @classmethod
    def _spell_prior(cls, value: Any) -> Any:
        return None if value is None else registry.spell("prior", value)

    @field_validator("columns", mode="before")
    @classmethod
    def _read_columns(cls, value: Any) -> Any:
        if value is None:
            return None
        from vaekit.data.schemafile import check_choices, read_choices

        try:
            return read_choices(value) if isinstance(value, str | Path) else check_choices(value)
        except OSError as error:
            raise ValueError(str(error)) from error

    @field_validator("latent_dim", mode="after")
    @classmethod
    def _size(cls, value: Any) -> Any:
        size = (value,) if isinstance(value, int) else value
        if size is not None and (len(size) not in (1, 3) or min(size) < 1):
            raise ValueError(f"latent_dim is a number, or channels, height and width, of at least 1; got {value}")
        return size[0] if size is not None and len(size) == 1 else value

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Check a mapping. Raises ValueError with one sentence on the first thing wrong."""
        for key in content:
            if key not in cls.model_fields:
                raise registry.unknown("option", key, cls.model_fields)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "value_error":
                raise ValueError(first["msg"].removeprefix("Value error, ")) from error
            problem = first["msg"].removeprefix("Input ")
            raise ValueError(f"{first['loc'][0]} {problem}, got {str(first['input'])[:80]!r}") from error

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`parse` reads."""
        return self.model_dump(mode="json")


def merged(noun: str, before: Any, value: Any) -> Any:
    """A later choice of a noun's member; options without a name change the one before, or the default."""
    if not isinstance(value, Mapping) or "name" in value:
        return value
    before = before or TrainRequest.model_fields[noun].default
    return {**({"name": before} if isinstance(before, str) else before or {}), **value}


def altered(options: Mapping[str, Any], choices: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options with later choices in their place, see :func:`merged`."""
    changes = {name: merged(name, options.get(name), value) for name, value in (choices or {}).items()}
    return {**options, **changes}


def read_config_file(path: str | Path) -> dict[str, Any]:
    """The options in a TOML, YAML or JSON file. Raises ValueError or OSError with one sentence."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OSError(f"cannot read the config file {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        if path.suffix == ".toml":
            content = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            import yaml

            content = yaml.safe_load(text)
        elif path.suffix == ".json":
            content = json.loads(text)
        else:
            raise ValueError(f"a config file ends in .toml, .yaml, .yml or .json, got {path.name!r}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # yaml.YAMLError, without importing yaml for the other formats
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold options by name, got {type(content).__name__}")
    return {str(key).replace("-", "_"): value for key, value in content.items()}
