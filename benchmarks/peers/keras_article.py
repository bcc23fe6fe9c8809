"""The article's own system in Keras 3 on TensorFlow: the peer that vaekit's preset ``article`` is measured against.

    python benchmarks/peers/keras_article.py fixture FILE.npz   # outputs for weights set by a formula (tests/fixtures)
    python benchmarks/peers/keras_article.py steps  [--precision mixed_bfloat16]   # median step time, peak memory
    python benchmarks/peers/keras_article.py train  --epochs 10  # the article's run, judged on the 10,000 test images

Needs the ``bench`` dependency group (keras, tensorflow-cpu) and Fashion-MNIST in ``VAEKIT_DATA_DIR``. Prints one JSON
object a line.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH = 128


def fashion_mnist() -> tuple[np.ndarray, np.ndarray]:
    """All 70,000 images, train first, (N, 28, 28, 1) in [0, 1]; and the 10,000 test images alone."""
    folder = Path(os.environ["VAEKIT_DATA_DIR"]) / "fashion-mnist"
    parts = []
    for name in ("train", "t10k"):
        raw = gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes())
        parts.append(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28, 1).astype("float32") / 255)
    return np.concatenate(parts), parts[1]


class Sampling(layers.Layer):
    """z = mean + exp(log-variance / 2) * epsilon."""

    def call(self, inputs):
        mean, log_var = inputs
        epsilon = keras.random.normal(tf.shape(mean))
        return mean + tf.exp(0.5 * log_var) * tf.cast(epsilon, mean.dtype)


def build() -> tuple[keras.Model, keras.Model]:
    image = keras.Input((28, 28, 1))
    h = layers.Conv2D(64, 3, activation="relu", strides=2, padding="same")(image)
    h = layers.Conv2D(128, 3, activation="relu", strides=2, padding="same")(h)
    h = layers.Dense(16, activation="relu")(layers.Flatten()(h))
    mean, log_var = layers.Dense(2)(h), layers.Dense(2)(h)
    encoder = keras.Model(image, [mean, log_var, Sampling()([mean, log_var])])

    z = keras.Input((2,))
    h = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(z))
    h = layers.Conv2DTranspose(128, 3, activation="relu", strides=2, padding="same")(h)
    h = layers.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(h)
    decoder = keras.Model(z, layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(h))
    return encoder, decoder


def losses(x, mean, log_var, reconstruction) -> tuple:
    x, mean, log_var, reconstruction = (tf.cast(v, "float32") for v in (x, mean, log_var, reconstruction))
    cross_entropy = keras.losses.binary_crossentropy(x, reconstruction)
    kl = -0.5 * (1 + log_var - tf.square(mean) - tf.exp(log_var))
    return tf.reduce_mean(tf.reduce_sum(cross_entropy, axis=(1, 2))), tf.reduce_mean(tf.reduce_sum(kl, axis=1))


class VAE(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = build()
        self.trackers = [keras.metrics.Mean(name=n) for n in ("loss", "reconstruction", "kl")]

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, data):
        with tf.GradientTape() as tape:
            mean, log_var, z = self.encoder(data, training=True)
            reconstruction, kl = losses(data, mean, log_var, self.decoder(z, training=True))
            total = reconstruction + kl
        self.optimizer.apply_gradients(
            zip(tape.gradient(total, self.trainable_weights), self.trainable_weights, strict=True)
        )
        for tracker, value in zip(self.trackers, (total, reconstruction, kl), strict=True):
            tracker.update_state(value)
        return {m.name: m.result() for m in self.metrics}


def formula(shape: tuple[int, ...], index: int) -> np.ndarray:
    """Weights both frameworks can write down: a sine of the flat position, scaled as Glorot would."""
    n = int(np.prod(shape))
    fan = n / shape[-1] if len(shape) > 1 else 100.0
    return (np.sin(np.arange(n) * 0.7 + index) * np.sqrt(1.5 / fan)).reshape(shape).astype("float32")


def fixture(file: str) -> None:
    """Outputs on eight formula-made images; no picture of anybody's and no weights are kept."""
    encoder, decoder = build()
    for i, weight in enumerate(encoder.weights + decoder.weights):
        weight.assign(formula(weight.shape, i))
    grid = np.arange(8 * 28 * 28, dtype="float64").reshape(8, 28, 28, 1)
    x = (0.5 + 0.5 * np.sin(grid * 0.013 + np.cos(grid * 0.37))).astype("float32")
    mean, log_var, _ = encoder(x)
    epsilon = np.sin(np.arange(16, dtype="float32").reshape(8, 2) * 1.3)
    z = mean + tf.exp(0.5 * log_var) * epsilon
    image = decoder(z)
    reconstruction, kl = losses(x, mean, log_var, image)
    np.savez_compressed(file, mean=mean, log_var=log_var, z=z, image=np.asarray(image, "float32"),
                        reconstruction=float(reconstruction), kl=float(kl))  # fmt: skip
    print(json.dumps({"fixture": file, "reconstruction": float(reconstruction), "kl": float(kl),
                      "encoder": encoder.count_params(), "decoder": decoder.count_params()}))  # fmt: skip


class Clock(keras.callbacks.Callback):
    """Seconds of each training step, as Keras's own fit takes them."""

    def __init__(self):
        super().__init__()
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def judge(vae: VAE, x: np.ndarray) -> dict[str, float]:
    """The loss on given images with noise from NumPy's seed 0, the same that vaekit is judged with."""
    mean, log_var, _ = vae.encoder.predict(x, batch_size=1000, verbose=0)
    epsilon = np.random.default_rng(0).standard_normal(mean.shape).astype("float32")
    image = vae.decoder.predict(mean + np.exp(0.5 * log_var) * epsilon, batch_size=1000, verbose=0)
    p = np.clip(np.asarray(image, "float64"), 1e-7, 1 - 1e-7)
    reconstruction = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum((1, 2, 3)).mean()
    kl = (-0.5 * (1 + log_var - mean**2 - np.exp(log_var))).sum(1).mean()
    return {"loss": float(reconstruction + kl), "reconstruction": float(reconstruction), "kl": float(kl)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fixture", "steps", "train"])
    parser.add_argument("file", nargs="?", help="where the fixture goes")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    if args.what == "fixture":
        fixture(args.file)
        return
    keras.mixed_precision.set_global_policy(args.precision)
    data, test = fashion_mnist()
    vae, clock = VAE(), Clock()
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    if args.what == "steps":
        vae.fit(data[: BATCH * args.steps], epochs=1, batch_size=BATCH, verbose=0, callbacks=[clock])
        print(json.dumps({"peer": "keras", "precision": args.precision,
                          "step_ms": 1e3 * statistics.median(clock.seconds[5:]),
                          "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))  # fmt: skip
        return
    for epoch in range(args.epochs):
        history = vae.fit(data, epochs=1, batch_size=BATCH, verbose=0, callbacks=[clock]).history
        row = {name: values[0] for name, values in history.items()}
        print(json.dumps({"epoch": epoch + 1, **row, "step_ms": 1e3 * statistics.median(clock.seconds)}), flush=True)
    print(
        json.dumps({"judged": judge(vae, test), "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
    )


if __name__ == "__main__":
    main()
