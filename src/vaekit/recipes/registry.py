"""Names ↔ members: the one place where a string becomes an object.

A name is the class's in kebab case, without the noun: ``DiscretizedLogistic`` is ``discretized-logistic``,
``VampPrior`` is ``vamp``. Names resolve here and through entry points of the group ``vaekit.<noun>`` only, never as
import paths. The members' modules, and torch with them, are imported when a name is first looked up.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_args, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

NOUNS = {  # the module of the members, and where their base class is
    "likelihood": ("vaekit.likelihoods", "vaekit.core:Family"),
    "posterior": ("vaekit.posteriors", "vaekit.core:Family"),
    "prior": ("vaekit.priors", "vaekit.core:Prior"),
    "objective": ("vaekit.objectives", "vaekit.core:Objective"),
    "model": ("vaekit.models", "vaekit.core:LatentModel"),
    "network": ("vaekit.networks", "vaekit.networks:Network"),
    "schedule": ("vaekit.training.schedules", "vaekit.training.schedules:Schedule"),
}
SUFFIXES = r"(Prior|Likelihood|Posterior|Schedule|(?<=[a-z])VAE)$"


def unknown(what: str, name: object, valid: Iterable[str]) -> ValueError:
    """The error for a name that is not one of ``valid``, with the nearest one."""
    valid = sorted(valid)
    near = difflib.get_close_matches(str(name), valid, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return ValueError(f"unknown {what} {str(name)[:80]!r}{hint} valid names: {', '.join(valid)}")


def name_of(member: type) -> str:
    """The name that stands for a class."""
    words = re.sub(SUFFIXES, "", member.__name__)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", words).lower()


@cache
def base_of(noun: str) -> type:
    """The class that all members of a noun derive from."""
    module, _, name = NOUNS[noun][1].partition(":")
    return getattr(import_module(module), name)


@cache
def members(noun: str) -> dict[str, type]:
    """All members of a noun by name, third parties' included."""
    base, public = base_of(noun), vars(import_module(NOUNS[noun][0])).values()
    found = {name_of(v): v for v in public if inspect.isclass(v) and issubclass(v, base) and not inspect.isabstract(v)}
    for point in entry_points(group=f"vaekit.{noun}"):
        found.setdefault(point.name, point.load())
    return found


def maker(member: type) -> Callable[..., Any]:
    """What makes a member from its options: the constructor, or ``assemble``, which takes the parts first."""
    return getattr(member, "assemble", member)


def options(member: type) -> dict[str, inspect.Parameter]:
    """The parameters of a member that are its options."""
    parameters = list(inspect.signature(_function(member)).parameters.items())[1:]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)  # those of object.__init__
    return {name: parameter for name, parameter in parameters if parameter.kind not in variadic}


def nested(noun: str, member: type) -> dict[str, str]:
    """The options that are members themselves, annotated with a noun's base class, and their nouns; the member's own
    noun goes before others with the same base.
    """
    kinds = {key: {hint, *get_args(hint)} for key, hint in _hints(member).items()}
    nouns = [noun, *NOUNS]
    found = {key: next((n for n in nouns if base_of(n) in kind), None) for key, kind in kinds.items()}
    return {key: value for key, value in found.items() if value is not None}


def check(noun: str, choice: str | Mapping[str, Any]) -> dict[str, Any]:
    """A name, or a mapping with a name and options, as a mapping whose name and options exist and have the right types.

    Texts are read as what the constructor's annotation asks for: ``"8"`` is 8 where a whole number is expected. Raises
    ValueError.
    """
    given = {"name": choice} if isinstance(choice, str) else dict(choice)
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"{noun} needs a 'name', one of {', '.join(sorted(members(noun)))}")
    if name not in members(noun):
        raise unknown(noun, name, members(noun))
    member = members(noun)[name]
    valid, hints, inside = options(member), _hints(member), nested(noun, member)
    for key in given:
        if key not in valid:
            raise (
                unknown(f"option of {noun} {name!r}:", key, valid)
                if valid
                else ValueError(f"{noun} {name!r} has no options, got {key!r}")
            )
    return {"name": name} | {
        key: spell(inside[key], _parsed(value))
        if key in inside and value is not None
        else _typed(noun, key, value, hints.get(key, Any))
        for key, value in given.items()
    }


def _parsed(choice: Any) -> Any:
    """A choice inside of another, as a command line gives it: a name, or a mapping in JSON."""
    if not isinstance(choice, str) or not choice.startswith("{"):
        return choice
    try:
        return json.loads(choice)
    except ValueError as error:
        raise ValueError(f"{choice[:80]!r} is not valid JSON: {error}") from error


def _hints(member: type) -> dict[str, Any]:
    return get_type_hints(_function(member))


def _function(member: type) -> Callable[..., Any]:
    """The function whose parameters, after the first, are a member's options."""
    return getattr(member, "assemble", member.__init__)


def _typed(noun: str, key: str, value: Any, hint: Any) -> Any:
    """The value as the annotation asks for; one number stands for a sequence of one."""
    try:
        adapter = TypeAdapter(hint)
    except PydanticSchemaGenerationError:  # a third party's own class
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        with suppress(ValidationError):
            return adapter.validate_python([value])
        problem = error.errors()[0]["msg"].removeprefix("Input ")
        raise ValueError(f"{noun}.{key} {problem}, got {str(value)[:80]!r}") from error


def build(noun: str, choice: Any, *parts: Any) -> Any:
    """A new member from a name, a mapping of name and options, or an instance, which is copied.

    Models need their ``parts`` besides.
    """
    if isinstance(choice, base_of(noun)):
        return copy.deepcopy(choice)
    if not isinstance(choice, str | Mapping):
        kind = base_of(noun).__name__
        raise TypeError(f"{noun} is a name, a mapping with a name, or a {kind}; got {type(choice).__name__}")
    given = check(noun, choice)
    member = members(noun)[given.pop("name")]
    for key, inner in nested(noun, member).items():
        if given.get(key) is not None:
            given[key] = build(inner, given[key])
    try:
        return maker(member)(*parts, **given)
    except TypeError as error:
        raise ValueError(f"{noun} {name_of(member)!r}: {error}") from error


def spell(noun: str, choice: Any) -> dict[str, Any]:
    """The mapping of name and options from which :func:`build` makes an equal member."""
    if isinstance(choice, str | Mapping):
        return check(noun, choice)
    if not isinstance(choice, base_of(noun)):
        kind = base_of(noun).__name__
        raise ValueError(f"{noun} is a name, a mapping with a name, or a {kind}; got {type(choice).__name__}")
    valid = members(noun)
    name = next((name for name, member in valid.items() if type(choice) is member), None)
    if name is None:
        raise ValueError(
            f"{type(choice).__name__} has no name, so it could not be loaded again; "
            f"register it as an entry point of the group 'vaekit.{noun}'"
        )
    inside, values = nested(noun, type(choice)), {key: getattr(choice, key) for key in options(type(choice))}
    spelled = {key: spell(inside[key], values[key]) for key in inside if values.get(key) is not None}
    return {"name": name, **values, **spelled}
