"""Whatever a user holds (array, list, tensor, data frame) as one numpy array of numbers, or a clear refusal."""

from __future__ import annotations

from typing import Any

import numpy as np

Size = tuple[int, int]  # height, width


def as_array(raw: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return ``raw`` as a numeric array in native byte order, with the column names if it is a data frame.

    Arrays and lists are taken as they are; torch tensors are recognised by their methods, detached and moved to the
    CPU; pandas, polars and pyarrow frames need numeric (or boolean) columns. Nothing is copied where that can be
    avoided.

    Raises ``TypeError`` for what is not array-like and ``ValueError`` for arrays that do not hold real numbers.
    """
    names: tuple[str, ...] = ()
    if hasattr(raw, "detach"):
        raw = _from_tensor(raw)
    elif hasattr(raw, "nnz"):
        raise TypeError("a sparse matrix cannot be used; expected a dense array: pass x.toarray()")
    elif not isinstance(raw, (np.ndarray, list, tuple)):
        raw, names = _from_frame(raw)
    if np.ma.is_masked(raw):
        raise ValueError("the array has masked values, which count as missing; fill them in or drop such items")
    try:
        array = np.asarray(raw)
    except ValueError as error:
        raise ValueError(f"expected an array of numbers with one shape for all items ({error})") from error
    return check_numbers(array), names


def check_numbers(array: np.ndarray, what: str = "the data") -> np.ndarray:
    """Return ``array`` in native byte order; raise ``ValueError`` unless it holds booleans or real numbers."""
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} must be real numbers; pass real and imaginary parts")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what} must be an array of numbers, but its dtype is {array.dtype}; convert it first")
    if array.ndim == 0:
        raise ValueError(f"{what} must be an array of items, but it is the single number {array.item()}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_finite(x: np.ndarray, columns: tuple[str, ...] = ()) -> None:
    """Raise ``ValueError`` with the number of NaN or infinite values and the place of the first, if there are any."""
    if x.dtype.kind != "f":
        return
    bad = ~np.isfinite(x)
    count = int(np.count_nonzero(bad))
    if not count:
        return
    first = tuple(int(i) for i in np.unravel_index(np.argmax(bad), x.shape))
    kind = "NaN" if np.isnan(x[first]) else "infinity (inf)"
    place = f"column {columns[first[1]]!r}" if columns else f"position {first[1:]}"
    are = "value is" if count == 1 else "values are"
    raise ValueError(
        f"Input contains {kind}: {count} of {x.size} {are} not finite, the first in item {first[0]} at {place}; "
        "fill in or drop such items"
    )


def _from_tensor(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _from_frame(raw: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the matrix and the column names of a data frame; anything else is handed back unchanged."""
    import narwhals as nw

    try:
        frame = nw.from_native(raw, eager_only=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError("the data frame has two columns of the same name; rename one") from error
    if not isinstance(frame, nw.DataFrame):
        if not hasattr(raw, "__array__"):
            raise TypeError(f"expected an array, a list, a tensor or a data frame, but got {type(raw).__name__}")
        return raw, ()
    if not frame.columns:
        raise ValueError("the data frame has no columns")
    other = [str(name) for name, dtype in frame.schema.items() if not (dtype.is_numeric() or dtype == nw.Boolean)]
    if other:
        raise ValueError(
            f"expected numeric columns only, but {_listed(other)} {'is' if len(other) == 1 else 'are'} not numeric; "
            "drop or encode such columns (tables with mixed columns are not supported yet)"
        )
    return np.column_stack([frame[name].to_numpy() for name in frame.columns]), tuple(
        str(name) for name in frame.columns
    )


def _listed(names: list[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
