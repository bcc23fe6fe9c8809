"""3×3 convolutions of stride 2 and their transposes, with "same" padding as Keras defines it, as matrix products.

A processor's convolution kernels reach half of the rate of its matrix product on these layers, above all backward. Both
layers are therefore written as four products over shifted views of one array, without copies and without the
multiplications by padding. The trick is the layout: pixels before batch, (H, W, B, C), so that a shift by one pixel
is an offset; and *blocks*, (H/2, W/2, B, 4C), where the four pixels of each 2×2 block lie side by side in the order
of ``PIXELS``. A block's output then depends on its own block and on three neighbours, and for each of these shifts
the pixels concerned are neighbouring columns::

    shift (0, 0): all four pixels        shift (1, 0): the row-0 pixels      (one block row away)
    shift (1, 1): the pixel (0, 0)       shift (0, 1): the column-0 pixels   (one block column away)

:func:`downsample` reads blocks, :func:`upsample` writes them; each is the other's adjoint. On other devices than the
processor, and for export, the same layers are torch's own convolutions.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

PIXELS = ((1, 0), (0, 0), (0, 1), (1, 1))
SHIFTS = {(0, 0): (0, 4), (1, 0): (1, 3), (0, 1): (0, 2), (1, 1): (1, 2)}  # shift: the range of PIXELS concerned


def to_blocks(image: Tensor) -> Tensor:
    """(H, W, B, C) with H and W even ↦ (H/2, W/2, B, 4C)."""
    return torch.cat([image[row::2, column::2] for row, column in PIXELS], -1)


def from_blocks(blocks: Tensor, channels: int) -> Tensor:
    """(h, w, B, 4C) ↦ (2h, 2w, B, C)."""
    h, w, batch, _ = blocks.shape
    pixel = dict(zip(PIXELS, blocks.unflatten(-1, (4, channels)).unbind(-2), strict=True))
    rows = [torch.stack([pixel[row, 0], pixel[row, 1]], 2).reshape(h, 2 * w, batch, channels) for row in (0, 1)]
    return torch.stack(rows, 1).reshape(2 * h, 2 * w, batch, channels)


def downsample(blocks: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """ReLU of the convolution: blocks (h, w, B, 4C) ↦ (h, w, B, N); weight (N, C, 3, 3), bias (N,) or None."""
    bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
    return _Downsample.apply(*_cast(blocks, bias, *_taps(weight.permute(2, 3, 1, 0), 0)))


def upsample(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """ReLU of the transposed convolution: (h, w, B, C) ↦ blocks (h, w, B, 4N); weight (C, N, 3, 3), bias (N,) or
    None.
    """
    bias = weight.new_zeros(weight.shape[1]) if bias is None else bias
    return _Upsample.apply(*_cast(image, bias, *_taps(weight.permute(2, 3, 0, 1), 1)))


def _taps(weight: Tensor, side: int) -> list[Tensor]:
    """For each shift the weights (3, 3, in, out) of the pixels concerned, side by side along inputs or outputs."""

    def tap(shift: int, pixel: int) -> int:
        return 2 if shift else pixel

    return [
        torch.cat([weight[tap(shift[0], row), tap(shift[1], column)] for row, column in PIXELS[lo:hi]], side)
        for shift, (lo, hi) in SHIFTS.items()
    ]


def _cast(*tensors: Tensor) -> list[Tensor]:
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else tensors[0].dtype
    return [tensor.to(dtype) for tensor in tensors]


def _shifted(small: Tensor, blocks: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Matching views of (h, w, B, N) and of blocks (h, w, B, 4C) for each shift: matrices, or one for each pixel
    row.
    """
    n, batch = blocks.shape[-1] // 4, blocks.shape[2]
    for (down, right), (lo, hi) in SHIFTS.items():
        a, b = small[: len(small) - down], blocks[down:, ..., lo * n : hi * n]
        if right:
            yield a.flatten(1, 2)[:, :-batch], b.flatten(1, 2)[:, batch:]
        else:
            yield a.flatten(0, 2), b.flatten(0, 2)


def _accumulate(out: Tensor, a: Tensor, b: Tensor) -> None:
    """Out += a @ b."""
    if out.dim() == 2:
        out.addmm_(a, b)
    elif out.numel():
        out.baddbmm_(a, b.expand(len(a), *b.shape))


def _correlate(a: Tensor, b: Tensor) -> Tensor:
    """aᵀ @ b, summed over leading rows."""
    return a.mT @ b if a.dim() == 2 else torch.bmm(a.mT, b).sum(0)


class _Downsample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, blocks: Tensor, bias: Tensor, *taps: Tensor) -> Tensor:
        out = torch.addmm(bias, blocks.flatten(0, 2), taps[0]).view(*blocks.shape[:3], -1)
        for (to, source), tap in list(zip(_shifted(out, blocks), taps, strict=True))[1:]:
            _accumulate(to, source, tap)
        out.relu_()
        ctx.save_for_backward(blocks, out, *taps)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        blocks, out, *taps = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grad, out, 0).contiguous()
        d_taps = [_correlate(source, g) for g, source in _shifted(grad, blocks)]
        d_blocks = None
        if ctx.needs_input_grad[0]:
            d_blocks = (grad.flatten(0, 2) @ taps[0].T).view_as(blocks)
            for (g, to), tap in list(zip(_shifted(grad, d_blocks), taps, strict=True))[1:]:
                _accumulate(to, g, tap.mT)
        return d_blocks, grad.sum((0, 1, 2)), *d_taps


class _Upsample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, image: Tensor, bias: Tensor, *taps: Tensor) -> Tensor:
        out = torch.addmm(bias.repeat(4), image.flatten(0, 2), taps[0]).view(*image.shape[:3], -1)
        for (source, to), tap in list(zip(_shifted(image, out), taps, strict=True))[1:]:
            _accumulate(to, source, tap)
        out.relu_()
        ctx.save_for_backward(image, out, *taps)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        image, out, *taps = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grad, out, 0).contiguous()
        d_taps = [_correlate(source, g) for source, g in _shifted(image, grad)]
        d_image = (grad.flatten(0, 2) @ taps[0].T).view_as(image)
        for (to, g), tap in list(zip(_shifted(d_image, grad), taps, strict=True))[1:]:
            _accumulate(to, g, tap.mT)
        return d_image, grad.sum((0, 1, 2)).view(4, -1).sum(0), *d_taps


def convolve_blocks(blocks: Tensor, size: Sequence[int], weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 3×3 transposed convolution of stride 1 from blocks, cropped to ``size`` pixels, to (*size, B, N), for few N.

    The nine products with each pixel come first, over the blocks; only their N channels are then put back in the order
    of an image, shifted and added. Weight (C, N, 3, 3), bias (N,) or None.
    """
    (height, width), (h, w, batch, _) = size, blocks.shape
    taps = weight.permute(0, 2, 3, 1).flatten(1)  # (C, 9N)
    columns = taps.shape[1]
    taps = F.pad(taps, (0, -columns % 16))  # products with a ragged number of columns are several times slower
    products = blocks.reshape(-1, len(weight)) @ taps.to(blocks.dtype)
    products = products.to(torch.promote_types(products.dtype, torch.float32))  # few numbers, to be added precisely
    image = from_blocks(products.view(h, w, batch, -1), taps.shape[1])[:height, :width, :, :columns]
    image = F.pad(image.unflatten(-1, (9, -1)).movedim(3, 0), (0, 0, 0, 0, 1, 1, 1, 1))
    out = weight.new_zeros(weight.shape[1]) if bias is None else bias
    for tap in range(9):
        row, column = 2 - tap // 3, 2 - tap % 3
        out = out + image[tap, row : row + height, column : column + width]
    return out
