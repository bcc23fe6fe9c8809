"""Structural similarity of images."""

import torch
import torch.nn.functional as F
from torch import Tensor


def ssim(a: Tensor, b: Tensor, *, range: float = 1.0, sigma: float = 1.5) -> Tensor:
    """Mean structural similarity of image pairs (N, C, H, W), each in [-1, 1], 1 for equal images: (N,).

    Gaussian windows of 11×11 pixels (or the largest odd size that fits), constants 0.01 and 0.03 times ``range``,
    population covariances, averaged over windows inside the image and over channels (Wang et al., 2004).
    """
    size = min(11, (min(a.shape[-2:]) - 1) // 2 * 2 + 1)
    at = torch.arange(size, dtype=torch.float64) - size // 2
    line = torch.exp(-at.square() / (2 * sigma**2))
    line = (line / line.sum()).to(a.device)

    def blur(x: Tensor) -> Tensor:
        rows = F.conv2d(x.flatten(0, 1).unsqueeze(1), line.view(1, 1, 1, size))
        return F.conv2d(rows, line.view(1, 1, size, 1))

    a, b = a.double(), b.double()
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a.square(), blur(b * b) - mean_b.square()
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * range) ** 2, (0.03 * range) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_a.square() + mean_b.square() + c1) * (var_a + var_b + c2))
    return similarity.unflatten(0, a.shape[:2]).flatten(1).mean(1)
