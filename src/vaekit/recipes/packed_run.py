"""A run in few bytes: its weights as multiples of a step, entropy-coded, so that a file can carry its own model."""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vaekit.coding import Cells, Stack
from vaekit.container import pack, unpack
from vaekit.core import LatentModel
from vaekit.data import TableSchema, schema_from_json
from vaekit.training.description import groups

from .assemble import build_model, supports
from .request import TrainRequest
from .run import Run

FINEST = 2.0**-10  # step of weights that were trained without one
NEAR = 0.25  # of a grid's step that float32 may be off
LARGEST = 2**40  # of the numbers that are coded
MOST_BYTES = 2**28  # of what is packed beside them
MOST_NUMBERS = 2**28  # of a model
AS_IT_IS = 255  # in place of the number of a lattice
WIDE = 64  # numbers in a row that have a scale of their own
OCTAVE = 12  # mean magnitudes of a group told apart within a factor of two
_LENGTHS = struct.Struct("<IQI")  # bytes of the code, numbers that it tells apart, bytes of the configuration

Lattice = tuple[Tensor, Tensor]  # origin and step, which broadcast with a tensor


def pack_run(run: Run) -> bytes:
    """The run without its history, from which :func:`unpack_run` makes one that computes nearly the same.

    Weights, and the logarithms of frequencies, are rounded to multiples of the request's ``weight_step`` (1/1024 if
    there is none); numbers on the grids of a table's columns are told by their differences; all else is kept as it is.
    """
    about = {
        "request": run.request.model_dump(mode="json", exclude_defaults=True),
        "schema": run.schema.to_json(),
        "examples": run.model.shapes.examples,
    }
    text, plain, numbers, scales = json.dumps(about, separators=(",", ":")).encode(), bytearray(), [], []
    for name, tensor in run.model.state_dict().items():
        values, lattices = tensor.detach().cpu(), _lattices(run, name, tensor)
        special = ~values.isfinite()
        at = next((at for at, lattice in enumerate(lattices) if _fits(values, special, lattice)), AS_IT_IS)
        plain += bytes([at, bool(special.any())])
        if special.any():
            plain += np.packbits(special.numpy()).tobytes() + values[special].numpy().tobytes()
        if at == AS_IT_IS:
            plain += values[~special].numpy().tobytes()
            continue
        for group in _groups(_to_numbers(values, special, lattices[at]), lattices[at]):
            alive = [_any_along(group, axis) for axis in range(group.dim())]
            own = group[_all_of(alive)]
            plain += b"".join(np.packbits(each.numpy()).tobytes() for each in alive) + bytes(_scale(own))
            scales.append(torch.tensor(_scale(own)).expand(len(own), 2))
            numbers.append(own)
    stack, most = Stack(), 0
    if numbers:
        symbols, scale = torch.cat(numbers), torch.cat(scales)
        symbols = torch.where(symbols > 0, 2 * symbols - 1, -2 * symbols)
        most = int(symbols.max())
        _cells(scale, most).push(stack, symbols)
    data = stack.to_bytes()
    return _LENGTHS.pack(len(data), most, len(text)) + data + pack(text + bytes(plain))


def unpack_run(packed: bytes) -> Run:
    """The reverse. Raises ValueError for what is no packed run."""
    try:
        length, most, about = _LENGTHS.unpack(packed[: _LENGTHS.size])
        stack, rest = Stack(packed[_LENGTHS.size :][:length]), unpack(packed[_LENGTHS.size + length :], MOST_BYTES)
        content = json.loads(rest[:about])
        request, schema = TrainRequest.parse(content["request"]), schema_from_json(content["schema"])
        with torch.device("meta"):
            outline = build_model(request, schema, int(content["examples"]))
        if sum(value.numel() for value in outline.state_dict().values()) > MOST_NUMBERS:
            raise ValueError(f"a file carries a model of at most {MOST_NUMBERS:,} numbers")
        run = Run(request, schema, build_model(request, schema, int(content["examples"])))
        run.model.load_state_dict(_weights(run, io.BytesIO(rest[about:]), stack, most))
    except (struct.error, KeyError, IndexError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"the file's own model is damaged ({error})") from error
    run.model.eval()
    return run


def _weights(run: Run, plain: io.BytesIO, stack: Stack, most: int) -> dict[str, Tensor]:
    """The tensors of a model, first what is packed of all and then what is coded."""
    found, coded, scales = {}, [], []
    for name, tensor in run.model.state_dict().items():
        at, has_special = plain.read(2)
        values, special = torch.zeros_like(tensor), torch.zeros(tensor.shape, dtype=torch.bool)
        if has_special:
            special = _flags(plain, tensor.numel()).view(tensor.shape)
            values[special] = _read(plain, tensor, int(special.sum()))
        found[name] = values
        if at == AS_IT_IS:
            values[~special] = _read(plain, tensor, int((~special).sum()))
            continue
        lattice, alive = _lattices(run, name, tensor)[at], []
        for group in _groups(values, lattice):
            alive.append(_all_of([_flags(plain, size) for size in group.shape]))
            scales.append(torch.tensor(list(plain.read(2))).expand(int(alive[-1].sum()), 2))
        coded.append((name, special, lattice, torch.stack(alive)))
    symbols = _cells(torch.cat(scales), most).pop(stack) if scales else torch.zeros(0, dtype=torch.long)
    numbers = torch.where(symbols % 2 == 1, (symbols + 1) // 2, -symbols // 2)
    sizes = [int(alive.sum()) for *_, alive in coded]
    for (name, special, (origin, step), alive), own in zip(coded, numbers.split(sizes), strict=True):
        whole = torch.zeros(alive.shape, dtype=torch.long).masked_scatter(alive, own).view(special.shape)
        whole = whole.cumsum(-1) if origin.dim() else whole
        found[name] = torch.where(special, found[name], (origin + step * whole).to(found[name].dtype))
    return found


def _lattices(run: Run, name: str, tensor: Tensor) -> Sequence[Lattice]:
    """Multiples of a step for weights; the points of the columns' grids, and halves between, for what columns have."""
    if not tensor.is_floating_point():
        return ()
    if _is_weight(run.model, name):
        return ((torch.zeros(()), torch.tensor(run.request.weight_step or FINEST, dtype=torch.float64)),)
    if not isinstance(run.schema, TableSchema) or tensor.dim() != 2 or len(tensor) != len(run.schema.table):
        return ()
    known = [(column.low, column.step or math.nan) for column in supports(run.schema)]
    origin, step = (torch.tensor(values, dtype=torch.float64) for values in zip(*known, strict=True))
    return tuple((start.unsqueeze(1), step.unsqueeze(1) / 2) for start in (origin, torch.zeros_like(origin)))


def _is_weight(model: LatentModel, name: str) -> bool:
    return name.endswith("log_frequencies") or name in {name for name, _ in model.named_parameters()}


def _fits(values: Tensor, special: Tensor, lattice: Lattice) -> bool:
    """Whether float32 may have put the numbers where they are; all may be rounded to the step of weights."""
    if lattice[0].dim() == 0:
        return True
    numbers = ((values.double() - lattice[0]) / lattice[1])[~special]
    return bool(((numbers - numbers.round()).abs() < NEAR).all() and (numbers.abs() < LARGEST).all())


def _to_numbers(values: Tensor, special: Tensor, lattice: Lattice) -> Tensor:
    """Multiples of a step; of points on the grids of columns the differences."""
    origin, step = lattice
    numbers = torch.where(special, 0, (values.double() - origin) / step).round().long()
    if origin.dim() == 0:
        return numbers
    last = torch.cummax(torch.where(special, -LARGEST, numbers), -1).values
    filled = torch.where(special, torch.where(last > -LARGEST, last, 0), numbers)
    return torch.cat([filled[..., :1], filled.diff(dim=-1)], -1)


def _groups(numbers: Tensor, lattice: Lattice) -> list[Tensor]:
    """Those that share a scale."""
    has_rows = lattice[0].dim() > 0 or (numbers.dim() == 2 and numbers.shape[1] >= WIDE)
    return list(numbers if has_rows else groups(numbers))


def _any_along(numbers: Tensor, axis: int) -> Tensor:
    """Where on an axis there is a number other than 0."""
    return (numbers != 0).movedim(axis, 0).reshape(numbers.shape[axis], -1).any(1)


def _all_of(alive: Sequence[Tensor]) -> Tensor:
    """The entries that are alive along each of the axes; the others are 0."""
    mask = torch.ones((), dtype=torch.bool)
    for own in alive:
        mask = mask.unsqueeze(-1) & own
    return mask


def _flags(plain: io.BytesIO, count: int) -> Tensor:
    packed = np.frombuffer(plain.read(-(-count // 8)), np.uint8)
    return torch.from_numpy(np.unpackbits(packed, count=count).astype(bool))


def _scale(numbers: Tensor) -> tuple[int, int]:
    """The share of zeros and the mean magnitude of the others, a byte each."""
    others = numbers[numbers != 0].abs().double()
    share = 1 - len(others) / max(len(numbers), 1)
    size = OCTAVE * math.log2(float(others.mean())) if len(others) else 0.0
    return round(255 * share), min(255, round(size))


def _cells(scale: Tensor, most: int) -> Cells:
    """0, 1, -1, 2, -2, … under a share of zeros and geometrically distributed magnitudes, (n, 2)."""
    zero = (scale[:, 0].double() / 255).clamp(1e-3, 1 - 1e-3)
    ratio = 1 - torch.exp2(-scale[:, 1].double() / OCTAVE)

    def below(edges: Tensor, zero: Tensor, ratio: Tensor) -> Tensor:
        smaller, half = (edges - 1) // 2, (edges - 1) % 2 / 2
        tail = ratio**smaller * (1 - half * (1 - ratio))
        return torch.where(edges > 0, zero + (1 - zero) * (1 - tail), 0)

    return Cells(below, (zero, ratio), most + 1)


def _read(plain: io.BytesIO, like: Tensor, count: int) -> Tensor:
    """So many numbers of a tensor's type."""
    dtype = like.cpu().numpy().dtype
    return torch.from_numpy(np.frombuffer(plain.read(count * dtype.itemsize), dtype).copy())
