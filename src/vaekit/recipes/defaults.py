"""What is chosen for the user, from the data, in one place."""

from __future__ import annotations

from vaekit.data import Schema, TableSchema

from .registry import members
from .request import TrainRequest

STEPS_WORTH = 1_200_000  # examples that a training should see, repeats included
TABLES_WORTH = 400_000  # the same of tables that are small
SMALL = 10_000  # examples


def complete(request: TrainRequest, schema: Schema | TableSchema, examples: int) -> TrainRequest:
    """Fill what the request leaves open.

    - likelihood: ``bernoulli`` for two-valued data, ``discretized-logistic`` for values on a grid, such as 8-bit
    images,
      else ``gaussian``;
      the ladder takes network ``residual`` for images, linear-Gaussian models likelihood ``gaussian``;
    - prior: ``standard-normal``, over discrete codes ``uniform-codes``;
    - network: ``convolutional`` for images of at least 8×8 pixels, else ``mlp``, narrower for small data;
    - latent dimensions: 16 for images, for vectors half of the columns, 1 to 16; codes of images have 64 numbers, or 4
      on a fixed grid, at each point of a quarter of the height and width;
    - epochs: enough to see 1.2 million examples, 20 to 200; of tables 3 to 200, and 0.4 million where they have less
      than 10,000 rows, at most one for each row; batch: 128, less for small data, 256 for large tables.

    Tables have likelihood ``mixed``, in which each of the few values of an ordinal column has a probability, and
    kernels over numbers know how often each value is recorded.
    """
    suited = members("model")[request.model["name"]].suited(schema.kind == "image")
    posterior = members("posterior")[request.posterior["name"]]
    filled = {
        "prior": request.prior or ("uniform-codes" if posterior.discrete else "standard-normal"),
        "likelihood": request.likelihood or suited.get("likelihood") or _likelihood(schema),
        "network": request.network or suited.get("network") or _network(schema, examples),
        "latent_dim": request.latent_dim or _latent_dim(schema, getattr(posterior, "numbers", 0)),
        "epochs": request.epochs or _epochs(schema, examples),
        "batch_size": request.batch_size or _batch_size(schema, examples),
    }
    return TrainRequest.parse({**request.to_json(), **filled})


def _epochs(schema: Schema | TableSchema, examples: int) -> int:
    if not isinstance(schema, TableSchema):
        return min(200, max(20, round(STEPS_WORTH / examples)))
    worth = TABLES_WORTH if examples < SMALL else STEPS_WORTH
    return min(200, max(20, examples), max(3, round(worth / examples)))  # fewer than 200 rows are soon learned by heart


def _batch_size(schema: Schema | TableSchema, examples: int) -> int:
    most = 256 if isinstance(schema, TableSchema) and examples >= SMALL else 128
    return min(most, max(1, examples // 4))


def _latent_dim(schema: Schema | TableSchema, numbers: int) -> int | tuple[int, ...]:
    if schema.kind != "image":
        return min(16, (schema.shape[0] + 1) // 2)
    height, width = schema.shape[1:]
    return (numbers, -(-height // 4), -(-width // 4)) if numbers and min(height, width) >= 8 else 16


def _likelihood(schema: Schema | TableSchema) -> str | dict[str, object]:
    if isinstance(schema, TableSchema):
        return {"name": "mixed", "numbers": {"name": "discretized", "pieces": 256}, "ordinals": "category-columns"}
    if schema.binarized:
        return "bernoulli"
    if schema.step is None:
        return "gaussian"
    spans = schema.high == schema.low + schema.step if isinstance(schema.low, float | int) else False
    return "bernoulli" if spans else "discretized-logistic"


def _network(schema: Schema | TableSchema, examples: int) -> dict[str, object]:
    if schema.kind == "image" and min(schema.shape[1:]) >= 8:
        return {"name": "convolutional", "channels": [64, 128], "dense": 256}
    width = 256 if examples >= 10_000 else 128 if examples >= 1_000 else 64
    return {"name": "mlp", "hidden": [width, width]}
