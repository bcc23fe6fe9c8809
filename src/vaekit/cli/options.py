"""The options of a training: one for each field of :class:`vaekit.recipes.TrainRequest`, and how they add up.

A field that names a member of a noun has two spellings: ``--prior NAME`` chooses it, and ``--prior.OPTION VALUE`` sets
one of its options; without a name, of whatever a preset, a file or the default has chosen.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from cyclopts import Group, Parameter
from pydantic.fields import FieldInfo

from vaekit.recipes.presets import preset
from vaekit.recipes.registry import NOUNS
from vaekit.recipes.request import TrainRequest, merged, read_config_file

SUFFIX = "__options"  # of the parameter that gathers a noun's dotted options
OTHER = "Training"  # the section of the help for every field that is in none
SECTIONS = {
    "Data": ("columns", "resize", "include_test", "held_out", "binarize", "conditional"),
    "Model (names and options: vaekit info)": (
        "model",
        "latent_dim",
        "network",
        "likelihood",
        "posterior",
        "prior",
        "refit",
        "refit_epochs",
    ),
    OTHER: (),
    "Machine": ("seed", "split_seed", "device", "precision", "compile"),
}


def takes_request(command: Callable[..., Any]) -> Callable[..., Any]:
    """Replace ``**given`` in a command's signature by an option for each field of the request, except ``data``."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=[*own, *_parameters()])  # pyright: ignore[reportFunctionMemberAccess]
    return command


def combined(data: str | None, preset_name: str | None, config: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of preset, file and command line, the later winning; ``given`` is what ``**given`` holds.

    An option of a noun whose name nobody gave, nor the defaults, is left as a mapping without a name. Raises ValueError
    and OSError for an unknown preset and for a file that cannot be read.
    """
    file = read_config_file(config) if config else {}
    inside = file.pop("preset", None)
    name = preset_name or inside
    options: dict[str, Any] = preset(str(name)) if name is not None else {}
    for layer in (file, choices(given), {} if data is None else {"data": data}):
        for key, value in layer.items():
            options[key] = merged(key, options.get(key), value) if key in NOUNS else value
    return options


def choices(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given on the command line by field; a noun's name and dotted options as one mapping."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        noun = key.removesuffix(SUFFIX)
        if noun not in NOUNS:
            found[key] = value[0] if isinstance(value, list) and len(value) == 1 else value
        elif key == noun:
            found[noun] = {"name": value, **found.get(noun, {})}
        else:
            texts = {name.replace("-", "_"): text[0] if len(text) == 1 else text for name, text in value.items()}
            found[noun] = {**found.get(noun, {}), **texts}
    return found


def _parameters() -> list[inspect.Parameter]:
    groups = {title: Group.create_ordered(title) for title in SECTIONS}
    title_of = {field: title for title, fields in SECTIONS.items() for field in fields}
    parameters = []
    for name, field in TrainRequest.model_fields.items():
        if name == "data":
            continue
        option = f"--{name.replace('_', '-')}"
        group = groups[title_of.get(name, OTHER)]
        is_flag = field.annotation is bool
        about = Parameter(
            name=option,
            help=field.description,
            group=group,
            consume_multiple=True,
            negative=f"--no-{option[2:]}" if is_flag else (),
            show_default=False if is_flag else None,
        )
        default = field.default["name"] if isinstance(field.default, dict) else field.default
        parameters.append(_keyword(name, Annotated[_type(name, field), about], default))
        if name in NOUNS:
            dotted = Parameter(name=option, show=False, group=group, consume_multiple=True)
            parameters.append(_keyword(name + SUFFIX, Annotated[dict[str, list[str]] | None, dotted], None))
    return parameters


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _type(name: str, field: FieldInfo) -> Any:
    """What the command line accepts for a field; the request checks the rest."""
    if name in NOUNS or dict[str, Any] in get_args(field.annotation):  # a member of a noun by its name
        return str | None
    if get_origin(field.annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
        if any(get_origin(kind) is tuple for kind in kinds):  # such as a height and width, or one number for both
            return list[int] | None
    return field.annotation
