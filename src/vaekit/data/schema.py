"""How raw items map to the numbers that a model sees, and back: inferred once, saved with the model, checked at use."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from vaekit.data.arrays import as_array, check_finite
from vaekit.data.context import Context
from vaekit.data.scaling import channel_axis, image_scaling, item_layout, model_shape, on_grid, vector_scaling

Kind = Literal["image", "vector"]
INTEGERS = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
DTYPES = (*INTEGERS, "float16", "float32", "float64")
MOST_VALUES = 2**31 - 1


@dataclass(frozen=True)
class Schema:
    """The map from raw items to model units, ``x = (raw - offset) / scale``, and all that is needed to go back.

    ``kind``: images or plain vectors. ``shape``: one item as the model sees it, (C, H, W) or (D,). ``layout``: one
    raw item, (H, W), (H, W, C), (C, H, W) or (D,). ``dtype``: of the raw array. ``offset``, ``scale``: one number,
    or one for each column, in raw units. ``step``: the distance between neighbouring recorded values in raw units
    (1, or a fraction 1/n), None where values are continuous. ``low``, ``high``: the raw range, one number (the ends
    of the grid where there is a step) or one for each column. ``classes``, ``columns``: names, () where unknown.
    ``binarized``: grey values in model units are probabilities, from which the model sees draws of 0 and 1.
    ``context``: what the model is told of an item.

    Raises ``ValueError`` if the fields contradict each other.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    kind: Kind
    shape: tuple[int, ...]
    layout: tuple[int, ...]
    dtype: str
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    step: float | None
    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    binarized: bool = False
    context: Context | None = None

    def __post_init__(self) -> None:
        problem = next(_contradictions(self), None)
        if problem:
            raise ValueError(f"the schema is not valid: {problem}")

    @classmethod
    def infer(
        cls, x: Any, *, classes: Sequence[str] = (), columns: Sequence[str] = (), kind: Kind | None = None
    ) -> Schema:
        """Find the schema of ``x``, an array, tensor, list or data frame with the items along its first axis.

        (N, H, W), (N, H, W, C) with C = 1, 3 or 4, and (N, C, H, W) with C = 1 or 3 are images; (N, D) are vectors.
        Images get one offset and scale, which take their range to [0, 1]:

        - only 0 and 1, of any dtype: a grid of two values;
        - whole numbers from 0 to at most 31 (uint8, uint16 or floating): the grid from 0 to their maximum;
        - uint8, and whole floating-point numbers up to 255: the grid 0..255; uint16: the grid 0..65535;
        - other integers: the grid from their minimum to their maximum;
        - floating-point numbers that are all k/255: the grid of 8-bit pictures;
        - other floating-point numbers: continuous, unscaled if within [0, 1], else from minimum to maximum.

        Vectors that are binary or uint8 are treated likewise; the columns of all others are standardized (constant
        ones only centered) and continuous. ``kind``, if given, says what the data must turn out to be.

        Raises ``ValueError`` for other shapes, NaN or infinite values, a single item, and constant data.
        """
        x, names = as_array(x)
        columns = tuple(columns) or names
        layout = item_layout(x.shape)
        found: Kind = "vector" if len(layout) == 1 else "image"
        if kind not in (None, found):
            raise ValueError(f"expected data of kind {kind!r}, but an array of shape {x.shape} holds {found}s")
        if len(x) < 2:
            raise ValueError(f"Found array with 1 sample (shape={x.shape}) while a minimum of 2 is required.")
        check_finite(x, columns)
        if x.min() == x.max():
            raise ValueError(
                f"the data are constant: all {x.size} values are {x.flat[0]}, so there is nothing to learn"
            )
        scaling = image_scaling(x) if found == "image" else vector_scaling(x)
        labels = tuple(map(str, classes)), tuple(map(str, columns))
        return cls(found, model_shape(layout), layout, x.dtype.name, *scaling, *labels)

    def arrange(self, raw: Any) -> np.ndarray:
        """Check ``raw`` against the schema and return it as (N, *shape), unscaled, as a view where possible.

        A data frame's columns are put in the schema's order by name. Values on a grid come back in the schema's
        dtype, others in their own.

        Raises ``ValueError`` for other item shapes or columns, no items, NaN or infinite values, and, where the
        schema has a grid, values that are not on it.
        """
        x, names = as_array(raw)
        if self.columns and names:
            x = x[:, self._order(names)] if names != self.columns else x
        self._check_shape(x)
        check_finite(x, self.columns)
        if self.step is not None:
            x = self._as_recorded(x)
        elif self.kind == "image" and x.dtype.kind != "f":
            raise ValueError(
                f"expected floating-point values like the training data ({self.dtype}, {self.low:g} to {self.high:g}), "
                f"but got {x.dtype}; scale the data as they were for training"
            )
        if self.kind == "vector":
            return x
        axis = channel_axis(self.layout)
        return x[:, None] if axis is None else np.moveaxis(x, axis, -3)

    def normalize(self, raw: Any) -> np.ndarray:
        """Return ``arrange(raw)`` in model units, ``(raw - offset) / scale``, as float32 of shape (N, *shape).

        The arithmetic is done in float64 wherever float32 could lose digits that the data have.
        """
        x = self.arrange(raw).astype(self._exact, order="C")
        if any(self.offset):
            x -= np.asarray(self.offset, self._exact)
        if any(scale != 1 for scale in self.scale):
            x /= np.asarray(self.scale, self._exact)
        return x.astype(np.float32, copy=False)

    def restore(self, x: Any, *, round: bool = True) -> np.ndarray:
        """Take model units (..., *shape) back to raw items (..., *layout), ``raw = x · scale + offset``.

        On a grid, values move to its nearest point and are clipped to [low, high]; integers always are. The result
        has the schema's dtype. Continuous values are neither rounded nor clipped. With ``round=False`` the result is
        floating-point numbers in raw units, whatever the grid and dtype.

        Raises ``ValueError`` for another shape, and for NaN where values must be rounded.
        """
        x, _ = as_array(x)
        if x.shape[-len(self.shape) :] != self.shape:
            raise ValueError(f"expected model units of shape {_shape('...', self.shape)}, but got {x.shape}")
        raw = x.astype(self._exact)
        raw *= np.asarray(self.scale, self._exact)
        raw += np.asarray(self.offset, self._exact)
        if round:
            raw = self._rounded(raw).astype(self.dtype, copy=False)
        if self.kind == "vector":
            return raw
        axis = channel_axis(self.layout)
        return raw[..., 0, :, :] if axis is None else np.moveaxis(raw, -3, axis)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary for JSON, which `from_json` reads back to an equal schema."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, content: Any) -> Schema:
        """Return the schema that `to_json` wrote; raise ``ValueError`` with one sentence if the content is not one."""
        from pydantic import TypeAdapter, ValidationError

        try:
            text = json.dumps(content)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"the schema is not valid: it cannot be written as JSON ({error})") from error
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "its content"
            message = f"the schema is not valid: {place}: {first['msg'][0].lower()}{first['msg'][1:]}"
            raise ValueError(str(first.get("ctx", {}).get("error", message))) from error

    @property
    def words(self) -> str:
        """What an item is, for people."""
        levels = "continuous" if self.step is None else f"a grid of step {self.step:g}"
        levels += ", binarized" if self.binarized else ""
        return f"{self.kind}s, {' × '.join(map(str, self.layout))}, {self.dtype}, {levels}"

    @property
    def _exact(self) -> type[np.floating]:
        """The type in which scaling loses nothing: float64 unless float32 suffices."""
        enough = len(self.scale) == 1 and self.dtype in ("bool", "uint8", "float16", "float32")
        return np.float32 if enough else np.float64

    @property
    def _per_unit(self) -> int:
        """Grid points for each raw unit: 1 for whole numbers, 255 for 8-bit pictures stored as fractions."""
        return 1 if self.step is None else round(1 / self.step)

    def _order(self, names: tuple[str, ...]) -> list[int]:
        missing = [name for name in self.columns if name not in names]
        unknown = [name for name in names if name not in self.columns]
        if missing or unknown:
            lists = [f"{title} {names[:5]}" for title, names in (("missing", missing), ("unknown", unknown)) if names]
            raise ValueError(
                f"expected the columns of the training data, but {' and '.join(lists)}; rename or drop them"
            )
        return [names.index(name) for name in self.columns]

    def _check_shape(self, x: np.ndarray) -> None:
        if x.shape[1:] != self.layout:
            single = x.shape == self.layout or x.ndim < 2
            hint = ". Reshape your data: one single item is x[None]" if single else ""
            expected = _shape("N", self.layout)
            raise ValueError(f"expected items as in the training data, of shape {expected}, but got {x.shape}{hint}")
        if len(x) == 0:
            raise ValueError(f"Found array with 0 sample(s) (shape={x.shape}) while a minimum of 1 is required.")

    def _as_recorded(self, x: np.ndarray) -> np.ndarray:
        """Return values on the grid in the schema's dtype; raise ``ValueError`` if some are not on it."""
        least, most = x.min(), x.max()
        outside = next((str(value) for value in (least, most) if not self.low <= value <= self.high), None)
        if outside or not on_grid(x, self._per_unit):
            grid = "whole numbers" if self._per_unit == 1 else f"multiples of 1/{self._per_unit}"
            raise ValueError(
                f"expected {grid} from {self.low:g} to {self.high:g}, as in the training data ({self.dtype}), but "
                f"found {outside or 'values in between'}; scale the data as they were for training"
            )
        if x.dtype == self.dtype:
            return x
        if x.dtype.kind == "f":
            x = np.rint(x * self._per_unit) / self._per_unit
        return x.astype(self.dtype)

    def _rounded(self, raw: np.ndarray) -> np.ndarray:
        if self.step is None and self.dtype.startswith("float"):
            return raw
        if not np.isfinite(raw).all():
            raise ValueError(f"model units that are NaN or infinite cannot be restored to {self.dtype}")
        raw = np.rint(raw * self._per_unit) / self._per_unit
        return np.clip(raw, np.asarray(self.low, raw.dtype), np.asarray(self.high, raw.dtype))


def _contradictions(schema: Schema) -> Iterator[str]:
    """Yield what is wrong with the fields of a schema, each as the end of a sentence."""
    kind, layout, ends = schema.kind, schema.layout, (schema.low, schema.high)
    if len(layout) not in ((1,) if kind == "vector" else (2, 3)) or min(layout, default=0) < 1:
        yield f"layout {layout} is not that of one {kind}"
    elif math.prod(layout) > MOST_VALUES:
        yield f"an item of {math.prod(layout)} values is too large"
    elif schema.shape != model_shape(layout):
        yield f"shape {schema.shape} does not belong to layout {layout}"
    if schema.dtype not in DTYPES:
        yield f"dtype {schema.dtype!r} is not one of {', '.join(DTYPES)}; convert the data"
    width = len(schema.scale)
    if len(schema.offset) != width or width not in ((1,) if kind == "image" else (1, layout[0])):
        yield "offset and scale must hold one number, or for vectors one for each column"
    if not all(map(math.isfinite, (*schema.offset, *schema.scale))) or min(schema.scale, default=1) <= 0:
        yield "offset and scale must be finite and scale positive"
    if {np.shape(end) for end in ends} not in (({()},) if kind == "image" else ({()}, {layout})):
        yield "low and high must be one number, or for vectors one for each column"
    elif not (np.isfinite(ends).all() and np.less_equal(*ends).all()):
        yield "low and high must be finite and low not above high"
    if schema.step is not None and not _is_grid(schema):
        yield f"step {schema.step} must be 1 or a fraction 1/n that divides the range from one low to one high"
    if schema.binarized and (isinstance(schema.low, tuple) or [schema.low, schema.high] != _ends(schema)):
        yield "only values scaled from their whole range to [0, 1] can be binarized"
    if schema.columns and (len(schema.columns) != math.prod(layout) or len(set(schema.columns)) != len(schema.columns)):
        yield "columns must be one different name for each column"


def _ends(schema: Schema) -> list[float]:
    """The raw values that are 0 and 1 in model units."""
    return [schema.offset[0], schema.offset[0] + schema.scale[0]]


def _is_grid(schema: Schema) -> bool:
    step, low, high = schema.step, schema.low, schema.high
    if step is None or isinstance(low, tuple) or isinstance(high, tuple) or not 1e-6 <= step <= 1:
        return False
    points = np.array([1, low, high]) / step
    return bool(low < high and np.allclose(points, np.rint(points), rtol=0, atol=1e-6))


def _shape(first: str, item: tuple[int, ...]) -> str:
    return f"({', '.join([first, *map(str, item)])})"
