"""The Fréchet distance in Inception's features, for comparison with published figures."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
ROWS = 64


def inception_distance(generated: Tensor, real: Tensor, weights: str | Path | None = None) -> float:
    """FID (Heusel et al., 2017) of images (N, C, H, W) in [0, 1], by torchmetrics.

    ``weights`` is torch-fidelity's file of the network, by default in torch's folder for downloaded weights; nothing is
    downloaded. Raises ImportError if torchmetrics or torch-fidelity is missing, FileNotFoundError if the weights are.
    """
    path = Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "FID needs torchmetrics: pip install 'torchmetrics[image]'; the distances in vaekit's own features need "
            "nothing more"
        ) from error
    if not path.is_file():
        raise FileNotFoundError(
            f"FID needs the Inception weights, and there is no file {path}: put torch-fidelity's {WEIGHTS} there, or "
            "name its path"
        )
    try:
        measure = FrechetInceptionDistance(normalize=True, feature_extractor_weights_path=str(path))
    except ModuleNotFoundError as error:
        raise ImportError("FID needs torch-fidelity: pip install 'torchmetrics[image]'") from error
    for images, is_real in ((real, True), (generated, False)):
        for part in images.clamp(0, 1).split(ROWS):
            measure.update(part.expand(-1, 3, -1, -1) if part.shape[1] == 1 else part, real=is_real)
    return float(measure.compute())
