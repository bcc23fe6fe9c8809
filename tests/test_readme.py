"""Every snippet of the README runs, as it stands, in an empty folder."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from sklearn.datasets import load_wine

from vaekit.data import Dataset
from vaekit.data.published import lookup

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def short_work(monkeypatch):
    """Stand-ins of the published data's shape, so that the preset's commands end in seconds and need no network, and
    classifiers for the distance of samples that are trained for a moment.
    """
    from vaekit.data import sources
    from vaekit.evaluation import features
    from vaekit.recipes.presets import PRESETS

    load = sources._load_published

    def stand_in(name: str) -> Dataset:
        if name == "digits":
            return load(name)
        rng = np.random.default_rng(0)
        x, x_test = (rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (256, 64))
        y, y_test = (rng.integers(0, 10, n) for n in (256, 64))
        return Dataset(name, x, y, x_test, y_test, classes=lookup(name).classes)

    learn = features._train
    monkeypatch.setattr(sources, "_load_published", stand_in)
    monkeypatch.setattr(features, "_train", lambda *data_and_steps: learn(*data_and_steps[:-1], 20))
    for preset in PRESETS.values():
        monkeypatch.setitem(preset.options, "epochs", 1)


def test_python_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for snippet in blocks("python"):
        exec(compile(snippet, "README.md", "exec"), names)
    assert np.shape(names["z"]) == (1797, 2)
    assert np.shape(names["images"]) == np.shape(names["copies"]) == (1797, 8, 8)
    assert np.shape(names["new"]) == (16, 8, 8)
    assert np.isfinite(names["scores"]).all()
    assert (tmp_path / "runs/readme/model.safetensors").exists()


def test_command_line_snippets_run(tmp_path, monkeypatch, short_work):
    from vaekit.cli import main

    monkeypatch.chdir(tmp_path)
    load_wine(as_frame=True).frame.to_csv("wine.csv", index=False)
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) >= 8
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "vaekit"
        assert main(arguments) == 0, command
    assert (tmp_path / "runs/fashion/figures/manifold.png").exists()
    assert (tmp_path / "samples.png").exists()
    assert (tmp_path / "z.csv").exists()


@pytest.fixture
def small_run(tmp_path, monkeypatch):
    """A folder with a small run that is called as the README calls its own, and some items."""
    from vaekit.data import load_dataset
    from vaekit.recipes import TrainRequest, train

    monkeypatch.chdir(tmp_path)
    small = {"network": {"name": "mlp", "hidden": [16]}, "latent_dim": 2, "epochs": 1, "device": "cpu"}
    train(TrainRequest.parse({**small, "data": "digits"}), tmp_path / "runs/fashion")
    np.save("new-items.npy", load_dataset("digits").x[:3])


def while_serving(command: str, capsys, work: Callable[[str], object]) -> None:
    """Run a command that serves until ``work`` is done with its address and Ctrl-C is pressed."""
    from vaekit.cli import main

    failures, ended = [], threading.Event()

    def wait_and_work() -> None:
        printed = ""
        while not (address := re.search(r"at (http://\S+)", printed)):
            printed += capsys.readouterr().out
            if ended.wait(0.01):
                return
        try:
            work(address[1])
        except BaseException as error:
            failures.append(error)
        signal.raise_signal(signal.SIGINT)

    working = threading.Thread(target=wait_and_work)
    working.start()
    code = main(shlex.split(command, comments=True)[1:])
    ended.set()
    working.join()
    assert (code, failures) == (130, [])


def free_port() -> str:
    """One that is free, below those that the system hands out, so that nothing else takes it meanwhile."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)
    raise OSError("no port is free")


def test_server_snippets_run(small_run, monkeypatch, capsys):
    """As they stand, but for the port, which may be taken."""
    from vaekit.cli import main

    monkeypatch.setattr("webbrowser.open", lambda address: None)
    port = free_port()
    explore, export, serve, *requests = "".join(blocks("sh")).replace("8000", port).splitlines()
    answers = []

    def is_healthy(address: str) -> None:
        assert json.load(urlopen(f"{address}/healthz", timeout=60))["status"] == "ok"

    def ask(address: str) -> None:
        is_healthy(address)
        for request in requests:
            answers.append(subprocess.run(request, shell=True, check=True, stdout=subprocess.PIPE, timeout=60).stdout)

    while_serving(explore, capsys, is_healthy)
    assert main(shlex.split(export, comments=True)[1:]) == 0
    assert Path("fashion.html").exists()
    if shutil.which("curl") is None:
        pytest.skip("the requests of the README are not sent: there is no curl")
    while_serving(serve, capsys, ask)
    assert Path("new.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(answers[-1])["elbo"]) == 3


def test_every_command_is_in_the_readme():
    from vaekit.cli.texts import COMMANDS

    assert {name for name in COMMANDS if f"vaekit {name}" not in README} == set()


def test_every_path_that_the_readme_names_exists():
    root = Path(__file__).parent.parent
    for name in re.findall(r"`([A-Z]+\.md|benchmarks/[\w./]+)`|\]\((docs/[\w.]+)\)", README):
        assert (root / (name[0] or name[1])).exists(), name
