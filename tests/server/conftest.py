"""Small runs in a folder, and a client of a server that hosts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from vaekit.recipes import Run, TrainRequest, train
from vaekit.server import Host, Settings, create_app

ADDRESS = "http://127.0.0.1:8000"
FREE = Settings(rate=1e6, burst=10**6, items=600)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Runs: digits, told (digits with their labels), people (a table with missing cells)."""
    root = tmp_path_factory.mktemp("runs")
    small = {"network": {"name": "mlp", "hidden": [16]}, "latent_dim": 2, "epochs": 1, "device": "cpu"}
    train(TrainRequest.parse({**small, "data": "digits"}), root / "digits")
    train(TrainRequest.parse({**small, "data": "digits", "conditional": True, "epochs": 3}), root / "told")
    people(120).to_csv(root / "people.csv", index=False)
    train(TrainRequest.parse({**small, "data": str(root / "people.csv"), "epochs": 5}), root / "people")
    return root


def people(n: int, seed: int = 0) -> pd.DataFrame:
    """Ages, incomes that follow them, and cities; some are missing."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n).astype(float)
    frame = pd.DataFrame(
        {"age": age, "income": (900 * age + rng.normal(0, 900, n)).round(), "city": rng.choice(["Bern", "Oslo"], n)}
    )
    frame.loc[rng.random(n) < 0.2, "income"] = np.nan
    return frame


@pytest.fixture(scope="session")
def client(folder) -> Iterator[TestClient]:
    """The client of a server that hosts all of them."""
    host = Host.open([folder / "digits", folder / "told", folder / "people"], "cpu")
    with TestClient(create_app(host, FREE), base_url=ADDRESS) as client:
        yield client


@pytest.fixture(scope="session")
def digits_run(folder) -> Run:
    return Run.load(folder / "digits")


@pytest.fixture(scope="session")
def told_run(folder) -> Run:
    return Run.load(folder / "told")


@pytest.fixture(scope="session")
def people_run(folder) -> Run:
    return Run.load(folder / "people")


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """A few digits, as the data set has them."""
    from vaekit.data import load_dataset

    return load_dataset("digits").x[:6]
