"""What objectives that look at the aggregate posterior ask of a model."""

from vaekit.core import Latent, Trace


def only_layer(trace: Trace, name: str) -> Latent:
    """The latents of a model with one layer. Raises TypeError, in the name of the objective, if there are more."""
    first, *others = trace.latents
    if others:
        raise TypeError(
            f"objective {name!r} needs one layer of latents, got {len(trace.latents)}; "
            "use model 'one-layer' or objective 'elbo'"
        )
    return first
