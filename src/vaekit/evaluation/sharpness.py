"""How sharp images are."""

from torch import Tensor


def sharpness(images: Tensor) -> Tensor:
    """The variance of the Laplacian of images (N, C, H, W), over pixels and channels, (N,) (Pech-Pacheco et al., 2000).

    Blurred images have less of it than the data; noise has more, so that more than the data's is no gain.
    """
    if images.dim() != 4 or min(images.shape[2:]) < 3:
        raise ValueError(f"sharpness is of images (N, C, H, W) of at least 3 by 3 pixels, got {tuple(images.shape)}")
    x = images.float()
    center = x[..., 1:-1, 1:-1]
    laplacian = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:] - 4 * center
    return laplacian.flatten(1).double().var(1, correction=0)
