"""What the numbers of an evaluation mean: for each its unit and a few words."""

Meaning = dict[str, tuple[str, str]]

EVALUATION: Meaning = {
    "elbo": ("nats", "bound on the log-likelihood of an example; higher is better"),
    "reconstruction": ("nats", "cost of an example given its latents; lower is better"),
    "kl": ("nats", "cost of its latents: divergence of posterior from prior"),
    "log_likelihood": ("nats", "importance-sampled estimate for an example; higher is better"),
    "log_likelihood_se": ("nats", "its standard error over the examples"),
    "ess": ("samples", "effective number of importance samples"),
    "bits_per_dim": ("bits", "code length of one value; lower is better"),
    "active_units": ("latents", "that say something about the examples"),
    "mse": ("", "squared error of a reconstructed value, on the model's scale"),
    "ssim": ("", "structural similarity of reconstructed images; 1 is equal"),
    "accuracy": ("", "share of the observed categories of a table that are reconstructed"),
}
LIKELIHOOD: Meaning = {
    "log_likelihood": ("nats", "of all examples, corrected by many more samples on some"),
    "log_likelihood_se": ("nats", "its standard error"),
    "bits_per_dim": ("bits", "code length of one value"),
    "correction": ("nats", "what the many samples add"),
    "drift": ("nats", "what they add to 500; not near 0, still more would add more"),
    "pareto_k": ("", "shape of the importance weights; above 0.7 they are not to be trusted"),
    "untrusted": ("", "share of the examples where they are not"),
    "linear_gaussian": ("nats", "log-likelihood under factor analysis, of tables the normal; to be exceeded"),
    "gaussian_copula": ("nats", "log-likelihood under the Gaussian copula; to be exceeded"),
}
LATENTS: Meaning = {
    "mutual_information": ("nats", "of the latents about the examples; at most the log of their number"),
    "mismatch": ("nats", "divergence of the aggregate posterior from the prior"),
    "holes": ("", "share of prior draws away from all posteriors"),
    "holes_floor": ("", "the same for posterior draws"),
    "neighbor_accuracy": ("", "labels told by the five nearest codes"),
    "linear_accuracy": ("", "labels told by logistic regression on the codes"),
}
DISENTANGLEMENT: Meaning = {
    "mig": ("", "mutual information gap; 1 is one factor a latent"),
    "disentanglement": ("", "each latent serves one factor"),
    "completeness": ("", "each factor is served by one latent"),
    "informativeness": ("", "accuracy of the factors told from the codes"),
}
SAMPLES: Meaning = {
    "frechet": ("", "Fréchet distance between features of samples and of test examples; 0 is best"),
    "kernel": ("", "kernel distance between the same; 0 is best"),
    "precision": ("", "share of samples among the test examples"),
    "recall": ("", "share of test examples among the samples"),
    "coverage": ("", "share of test examples that have a sample nearby"),
    "sharpness": ("", "of samples, as a multiple of the data's own; 1 is as sharp"),
}
