"""Figures from arrays, drawn without pyplot: they work headless and show themselves in a notebook."""

from .anomalies import causes, surprise
from .compare import measures, side_by_side
from .fidelity import distances, marginals, trends
from .images import reconstructions, samples
from .latent import interpolation, manifold, traversals
from .rate_distortion import rate_distortion
from .scatter import clusters
from .style import save
from .training import curves

__all__ = ["causes", "clusters", "curves", "distances", "interpolation", "manifold", "marginals", "measures",
           "rate_distortion", "reconstructions", "samples", "save", "side_by_side", "surprise", "traversals",
           "trends"]  # fmt: skip
