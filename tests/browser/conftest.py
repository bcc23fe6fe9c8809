"""The page in a real browser, on a server with small runs in this process."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from vaekit.recipes import Run, TrainRequest, train

from .chromium import NAMES, find
from .pages import PATIENCE

VIEWPORT = {"width": 960, "height": 720}
TINY = {
    "network": {"name": "mlp", "hidden": [32]},
    "epochs": 2,
    "batch_size": 100,
    "seed": 0,
    "device": "cpu",
    "lr": 0.02,
}


@pytest.fixture(scope="package")
def runs(tmp_path_factory) -> dict[str, Run]:
    """Small runs: ``digits`` (2 latents), ``wide`` (5), ``told`` (conditional), a ``table``, ``signals`` (vectors),
    ``arrays`` (no data).
    """
    folder = tmp_path_factory.mktemp("runs")
    table = _write_table(folder / "people.csv")
    requests = {
        "digits": {"data": "digits", "latent_dim": 2},
        "wide": {"data": "digits", "latent_dim": 5},
        "told": {"data": "digits", "latent_dim": 2, "conditional": True, "epochs": 1},
        "table": {"data": str(table), "latent_dim": 2},
        "signals": {"data": str(_write_signals(folder / "signals.npy")), "latent_dim": 2, "epochs": 1},
    }
    found = {name: train(TrainRequest.parse(TINY | choices), folder / name) for name, choices in requests.items()}
    return found | {"arrays": _without_data(folder / "arrays")}


def _write_table(path: Path) -> Path:
    random = np.random.default_rng(0)
    age, city = random.integers(18, 80, 200), random.choice(["Oslo", "Rome", "Lima"], 200)
    income = np.round(1000 + 30 * age + 200 * random.standard_normal(200), 2)
    rows = [f"{a},{i},{c}" for a, i, c in zip(age, income, city, strict=True)]
    rows[7] = rows[7].replace(",Oslo", ",").replace(",Rome", ",").replace(",Lima", ",")
    path.write_text("\n".join(["age,income,city", *rows]) + "\n")
    return path


def _write_signals(path: Path) -> Path:
    random = np.random.default_rng(0)
    phase = random.uniform(0, 2 * np.pi, (200, 1))
    np.save(
        path, (20 + 5 * np.sin(np.linspace(0, 6, 12) + phase) + 0.1 * random.standard_normal((200, 12))).astype("f4")
    )
    return path


def _without_data(path: Path) -> Run:
    from vaekit.data import Dataset

    x = load_digits().images[:200].astype(np.uint8)
    request = TrainRequest.parse(TINY | {"latent_dim": 2, "epochs": 1})
    return train(request, path, dataset=Dataset(name="arrays", x=x, y=None))


@pytest.fixture(scope="package")
def address(runs) -> Iterator[str]:
    """Where a server with the runs listens, in a thread of this process."""
    pytest.importorskip("fastapi", reason="the page needs the extra serve")
    pytest.importorskip("uvicorn", reason="the page needs the extra serve")
    from vaekit.server import Host, Settings, create_app
    from vaekit.server.serving import Server

    settings, ready, found = Settings(port=0, rate=1e6, burst=1_000_000), threading.Event(), []
    host = Host.open([str(run.path) for run in runs.values()], device="cpu")
    server = Server(create_app(host, settings), settings, lambda address: (found.append(address), ready.set()))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(60), "the server did not start"
    yield found[0]
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture(scope="package")
def browser() -> Iterator:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")
    path = find()
    if path is None:
        pytest.skip(f"NO BROWSER: none of {', '.join(NAMES)} is on PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def context(browser):
    """What pages share that ask for nothing of their own, such as the files that the browser keeps."""
    return browser.new_context(viewport=VIEWPORT)


@pytest.fixture
def open_page(browser, context, address) -> Iterator[Callable]:
    """``open_page("#/clusters?run=digits", color_scheme="dark")``: a new page, which must not log errors."""
    opened, problems = [], []

    def open_one(place: str = "", *, allow_errors: bool = False, **options):
        own = browser.new_context(**{"viewport": VIEWPORT, **options}) if options else context
        page = own.new_page()
        opened.append(own if options else page)
        page.set_default_timeout(1000 * PATIENCE)
        if not allow_errors:
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.goto(f"{address}/{place}")
        return page

    yield open_one
    for one in opened:
        one.close()
    assert not problems, problems
