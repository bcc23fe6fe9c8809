"""Importance weights, prepared for the gradient of their log-mean."""

from typing import Literal, get_args

from torch import Tensor

from vaekit.core import Posterior, Trace

Gradient = Literal["auto", "doubly", "plain"]


def checked(gradient: str) -> Gradient:
    """The name of an estimator of the encoder's gradient. Raises ValueError for any other."""
    for name in get_args(Gradient):
        if name == gradient:
            return name
    raise ValueError(f"gradient is one of {', '.join(get_args(Gradient))}; got {gradient!r}")


def log_weights(trace: Trace, log_px: Tensor, gradient: Gradient, groups: int = 1) -> Tensor:
    """log w = log p(x, z) - log q(z|x) of M groups of K draws, (M, K, B).

    Differentiate their log-mean over K, with nothing else between. ``"plain"`` leaves the gradients as they are.
    ``"doubly"`` reparameterizes a second time (DReG, Tucker et al., 2019): the encoder's is Σ_k v_k² ∂log w_k/∂z_k
    ∂z_k/∂φ, where v_k = w_k / Σ w; all others are the same, also a prior's that is built from the encoder. It needs one
    layer of latents whose posterior can be scored with detached parameters, else raises ValueError. ``"auto"`` is
    doubly where that is possible and K > 1, else plain.
    """
    q = _detached(trace, gradient, len(log_px) // groups)
    if q is None:
        return (log_px + trace.log_ratio()).unflatten(0, (groups, -1))
    (latent,) = trace.latents
    log_w = (log_px + latent.log_p - q.log_prob(latent.z)).unflatten(0, (groups, -1))
    if latent.z.requires_grad:
        share = log_w.detach().softmax(1).flatten(0, 1)
        share = share.view(*share.shape, *[1] * (latent.z.dim() - 2))
        latent.z.register_hook(lambda gradient: gradient * share)
    return log_w


def _detached(trace: Trace, gradient: Gradient, draws: int) -> Posterior | None:
    """The posterior with constant parameters, None where the plain gradient is taken."""
    layers = len(trace.latents)
    if gradient == "plain" or (gradient == "auto" and (draws == 1 or layers > 1)):
        return None
    if layers > 1:
        raise ValueError(f"gradient 'doubly' needs one layer of latents, got {layers}; use gradient 'plain'")
    try:
        return trace.latents[0].q.detached()
    except TypeError as error:
        if gradient == "auto":
            return None
        raise ValueError(f"gradient 'doubly' is not possible: {error}; use gradient 'plain'") from error
