import csv
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import vaekit
from vaekit import store
from vaekit.cli import main
from vaekit.cli.options import choices, combined, merged
from vaekit.cli.texts import COMMANDS
from vaekit.recipes import PRESETS, TrainRequest
from vaekit.recipes.registry import NOUNS

TINY = ["--network", "mlp", "--network.hidden", "32", "--latent-dim", "2"]
COMMAND_LINES = [[name] for name in COMMANDS] + [["data", name] for name in COMMANDS["data"].commands]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(vaekit.__file__).parents[1])}


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def request_of(folder) -> dict:
    return json.loads((Path(folder) / "config.json").read_text())["request"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A tiny run on the digits, two epochs long. Tests must not change it."""
    folder = tmp_path_factory.mktemp("cli") / "digits"
    assert run("train", "digits", *TINY, "--epochs", 2, "--out", folder, "--quiet") == 0
    return folder


@pytest.fixture
def mistake(capsys):
    """Runs a command that must end with exit code 2 and one line, which is returned."""

    def check(*arguments) -> str:
        capsys.readouterr()
        assert run(*arguments) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert re.fullmatch(r"vaekit: [^\n]+\n", said.err), said.err
        return said.err

    return check


@pytest.fixture
def copied(tmp_path, trained) -> Path:
    for name in ("config.json", "schema.json", "model.safetensors", "checkpoint.safetensors", "metrics.jsonl"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    return tmp_path


# start-up and help


def test_help_and_import_load_nothing_heavy():
    heavy = ("torch", "sklearn", "numpy", "matplotlib", "pandas", "pydantic")
    code = (
        "import sys, vaekit; from vaekit.__main__ import main; sys.argv = ['vaekit', '--help']; assert main() == 0; "
        f"sys.exit(' '.join(name for name in {heavy} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


def test_help_of_the_training_is_made_without_torch():
    code = "import sys; from vaekit.cli import main; main(['train', '--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0
    for name, field in TrainRequest.model_fields.items():
        assert name == "data" or f"--{name.replace('_', '-')}" in done.stdout
        assert (field.description or "").split()[0] in done.stdout


@pytest.mark.parametrize("line", COMMAND_LINES, ids=" ".join)
def test_help_of_every_command_has_an_example(line, capsys):
    assert run(*line, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: vaekit {' '.join(line)}")
    assert re.search(rf"^Examples?\n\n(  .*\n)*  vaekit {' '.join(line)}", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


def examples_in_help() -> list[str]:
    texts = [text for top in COMMANDS.values() for text in (top, *top.commands.values())]
    lines = [line.strip() for text in texts for line in text.examples.splitlines()]
    return [line.partition("vaekit ")[2].partition(" | ")[0] for line in lines if "vaekit " in line]


@pytest.mark.parametrize("line", sorted(set(examples_in_help())))
def test_examples_in_help_are_valid(line):
    from vaekit.cli.app import application

    command, bound, _ = application().parse_args(line.split(), exit_on_error=False, print_error=False)
    if command.__name__ == "train":
        given = {key: value for key, value in bound.arguments.items() if key.removesuffix("__options") in NOUNS}
        assert all(TrainRequest.parse({key: merged(key, None, value)}) for key, value in choices(given).items())


def test_memory_settings_are_taken_by_glibc():
    code = "from vaekit.cli.memory import keep_large_buffers as keep; import sys; sys.exit(not keep())"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=False)
    assert (done.returncode == 0) == (platform.libc_ver()[0] == "glibc")


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"vaekit {vaekit.__version__}\n"


def test_completion_is_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("--install-completion", "--shell", "bash", "--output", tmp_path / "vaekit.bash") == 0
    assert "--latent-dim" in (tmp_path / "vaekit.bash").read_text()


# train: options and their precedence


def test_options_add_up_command_line_over_file_over_preset(tmp_path):
    config = tmp_path / "choices.toml"
    config.write_text('preset = "article-fast"\nlatent-dim = 5\nepochs = 7\n[schedule]\nrise = 0.4\n')
    options = combined("digits", None, str(config), {"epochs": 3, "schedule__options": {"final": ["0.5"]}})
    assert options["data"] == "digits"
    assert options["epochs"] == 3
    assert options["latent_dim"] == 5
    assert options["batch_size"] == PRESETS["article-fast"].options["batch_size"]
    fast = PRESETS["article-fast"].options["schedule"]
    assert TrainRequest.parse(options).schedule == {**fast, "rise": 0.4, "final": 0.5}
    assert combined(None, "article", str(config), {})["lr"] == PRESETS["article"].options["lr"]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [("yaml", "epochs: 4\nprior: standard-normal\n"), ("json", '{"epochs": 4}'), ("toml", "epochs = 4")],
)
def test_config_formats(tmp_path, suffix, text):
    (tmp_path / f"c.{suffix}").write_text(text)
    assert combined(None, None, str(tmp_path / f"c.{suffix}"), {})["epochs"] == 4


def test_dotted_options_with_and_without_a_name():
    assert merged("schedule", {"name": "one-cycle", "rise": 0.2}, {"final": 0.1}) == {
        "name": "one-cycle", "rise": 0.2, "final": 0.1,
    }  # fmt: skip
    assert merged("schedule", {"name": "one-cycle", "rise": 0.2}, {"name": "cosine"}) == {"name": "cosine"}
    assert merged("objective", None, {"samples": 3}) == {"name": "elbo", "samples": 3}
    assert merged("network", None, {"hidden": [3]}) == {"hidden": [3]}


def test_every_option_reaches_the_run(tmp_path):
    folder, data = tmp_path / "run", tmp_path / "x.npy"
    np.save(data, load_digits().images[:260].astype(np.uint8))
    line = "--likelihood gaussian --likelihood.noise shared --objective iwae --objective.samples 3 --no-include-test "
    line += "--schedule one-cycle --schedule.rise 0.3 --lr 0.01 --batch-size 200 --held-out 0.2 --clip 5 --seed 3 "
    line += "--weight-decay 0.1 --keep last --patience 9 --device cpu --precision fp32 --resize 6 4 --epochs 1 --quiet"
    assert run("train", data, *TINY, *line.split(), "--out", folder) == 0
    expected = {
        "data": str(data), "resize": [6, 4], "latent_dim": 2, "network": {"name": "mlp", "hidden": [32]},
        "likelihood": {"name": "gaussian", "noise": "shared"}, "objective": {"name": "iwae", "samples": 3},
        "schedule": {"name": "one-cycle", "rise": 0.3}, "lr": 0.01, "batch_size": 200, "held_out": 0.2, "clip": 5.0,
        "seed": 3, "weight_decay": 0.1, "keep": "last", "patience": 9, "device": "cpu", "precision": "fp32",
        "epochs": 1, "include_test": False,
    }  # fmt: skip
    assert expected.items() <= request_of(folder).items()


def test_a_dotted_option_without_a_name_changes_what_the_data_choose(tmp_path):
    folder = tmp_path / "run"
    assert run("train", "digits", "--network.channels", 4, 6, "--epochs", 1, "--out", folder, "--quiet") == 0
    assert request_of(folder)["network"] == {"name": "convolutional", "channels": [4, 6], "dense": 256}


def test_training_says_where_the_run_is_and_what_is_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/digits-1").mkdir(parents=True)
    assert run("train", "digits", *TINY, "--epochs", 1) == 0
    said = capsys.readouterr()
    assert (tmp_path / "runs/digits-2/model.safetensors").is_file()
    row = json.loads((tmp_path / "runs/digits-2/metrics.jsonl").read_text())
    assert f"{row['loss']:.3f}" in said.out
    assert f"{row['val_loss']:.3f}" in said.out
    assert "vaekit evaluate runs/digits-2" in said.out
    assert "run       runs/digits-2" in said.err
    assert "epoch 1/1  loss" in said.err


def test_only_the_first_process_of_torchrun_speaks(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    assert run("train", "digits", *TINY, "--epochs", 1, "--out", tmp_path / "run") == 0
    assert run("train", "digits", "--epochs", -1) == 2
    assert capsys.readouterr() == ("", "")


def test_overwrite_and_init(tmp_path, trained, mistake):
    folder = tmp_path / "run"
    line = ["train", "digits", *TINY, "--epochs", 1, "--out", folder, "--quiet"]
    assert run(*line) == 0
    assert "--overwrite" in mistake(*line)
    assert run(*line, "--overwrite", "--init", trained, "--lr", 1e-12) == 0
    start, end = (store.read_tensors(path / "model.safetensors")[0] for path in (trained, folder))
    assert all(np.allclose(start[name], end[name], atol=1e-6) for name in start)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    folder = tmp_path / "run"
    assert run("train", "digits", *TINY, "--epochs", 1, "--out", folder, "--tensorboard", "--quiet") == 0
    assert list((folder / "tensorboard").glob("events.*"))


# stopping and going on


def weights(folder) -> dict[str, np.ndarray]:
    return store.read_tensors(Path(folder) / "model.safetensors")[0]


def test_interrupted_and_resumed_is_unbroken_to_the_bit(tmp_path):
    """Stopped long before its end, however slow this process is to stop it; then resumed with fewer epochs."""
    line = ["train", "digits", *TINY, "--schedule", "constant", "--batch-size", "400", "--device", "cpu",
            "--precision", "fp32", "--seed", "5"]  # fmt: skip
    environment = {**ENVIRONMENT, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    broken = subprocess.Popen(
        [sys.executable, "-m", "vaekit", *line, "--epochs", "100000", "--out", tmp_path / "broken"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert broken.stderr is not None
    for text in broken.stderr:
        if text.startswith("epoch"):
            broken.send_signal(signal.SIGINT)
            break
    rest = broken.communicate(timeout=300)[1].splitlines()
    assert broken.returncode == 130
    command = f"vaekit train --resume {tmp_path / 'broken'}"
    assert re.fullmatch(rf"vaekit: stopped by SIGINT in epoch \d+; saved; continue with: {command}", rest[-1])

    epochs = ("--epochs", len(store.read_jsonl(tmp_path / "broken/metrics.jsonl")) + 3)
    assert run(*line, *epochs, "--out", tmp_path / "unbroken", "--quiet") == 0
    assert run("train", "--resume", tmp_path / "broken", *epochs, "--quiet") == 0
    resumed, unbroken = weights(tmp_path / "broken"), weights(tmp_path / "unbroken")
    assert resumed.keys() == unbroken.keys()
    assert all(np.array_equal(resumed[name], unbroken[name]) for name in unbroken)


def test_sigterm_ends_with_its_code(tmp_path, capsys):
    metrics = tmp_path / "run/metrics.jsonl"

    def terminate():
        while not metrics.exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    assert run("train", "digits", *TINY, "--epochs", 100000, "--out", tmp_path / "run", "--quiet") == 143
    assert "stopped by SIGTERM" in capsys.readouterr().err


def test_resume_changes_epochs_alone(tmp_path, mistake):
    folder = tmp_path / "run"
    assert run("train", "digits", *TINY, "--epochs", 1, "--out", folder, "--quiet") == 0
    assert run("train", "--resume", folder, "--epochs", 3, "--quiet") == 0
    assert [row["epoch"] for row in store.read_jsonl(folder / "metrics.jsonl")] == [1, 2, 3]
    assert "keeps its lr" in mistake("train", "--resume", folder, "--lr", 1)
    assert "leave out DATA, --out" in mistake("train", "digits", "--resume", folder, "--out", "x")


def test_a_loss_that_is_not_finite_fails_with_a_sentence(tmp_path, capsys):
    line = ["--lr", 1e30, "--epochs", 2, "--schedule", "constant", "--out", tmp_path / "run", "--quiet"]
    assert run("train", "digits", *TINY, *line) == 1
    assert re.fullmatch(r"vaekit: [^\n]*learning rate[^\n]*\n", capsys.readouterr().err)


# evaluate


def test_evaluate_prints_json_and_keeps_it(trained, capsys):
    assert run("evaluate", trained, "--json", "--samples", 5) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    names = "elbo reconstruction kl log_likelihood log_likelihood_se ess bits_per_dim active_units mse ssim accuracy"
    assert {*names.split(), "n", "samples", "data", "findings"} == report.keys()
    assert (report["n"], report["samples"]) == (180, 5)
    assert report["data"] == "the held-out examples of digits"
    assert report["elbo"] == pytest.approx(-report["reconstruction"] - report["kl"])
    assert report["bits_per_dim"] == pytest.approx(-report["log_likelihood"] / 64 / np.log(2))
    assert json.loads((trained / "evaluation.json").read_text()) == report


def test_evaluate_prints_a_table(trained, capsys):
    assert run("evaluate", trained, "--samples", 2) == 0
    report = json.loads((trained / "evaluation.json").read_text())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the held-out examples of digits, 180 examples; 2 importance samples for each"
    numbers = {line.split()[0]: line.split()[1] for line in lines[1 : lines.index("")]}
    assert float(numbers["elbo"]) == pytest.approx(report["elbo"], abs=1e-3)
    assert numbers["active_units"] == str(report["active_units"])


def evaluated(capsys, *arguments) -> str:
    capsys.readouterr()
    assert run("evaluate", *arguments, "--samples", 1, "--json") == 0
    return json.loads(capsys.readouterr().out)["data"]


def test_which_examples_are_judged(tmp_path, trained, capsys):
    x = load_digits().images.astype(np.uint8)
    np.savez(tmp_path / "all.npz", x_train=x[:300], x_test=x[300:350])
    np.save(tmp_path / "plain.npy", x[:40])
    assert evaluated(capsys, trained, "--part", "train") == "the training examples of digits"
    assert evaluated(capsys, trained, "digits") == "all examples of digits, which the run was trained on"
    assert evaluated(capsys, trained, tmp_path / "plain.npy") == "all examples of plain"
    line = ["train", tmp_path / "all.npz", *TINY, "--epochs", 1, "--quiet"]
    assert run(*line, "--out", tmp_path / "a") == 0
    assert run(*line, "--out", tmp_path / "b", "--include-test") == 0
    assert run(*line, "--out", tmp_path / "c", "--include-test", "--held-out", 0) == 0
    assert evaluated(capsys, tmp_path / "a") == "the test set of all"
    assert evaluated(capsys, tmp_path / "b") == "the held-out examples of all"
    assert evaluated(capsys, tmp_path / "c") == "the training examples of all, its test set included"


def test_what_is_no_density_has_no_number(tmp_path, capsys):
    assert (
        run("train", "digits", *TINY, "--likelihood", "bernoulli", "--epochs", 1, "--out", tmp_path / "a", "--quiet")
        == 0
    )
    assert run("evaluate", tmp_path / "a") == 0
    said = capsys.readouterr()
    assert "log_likelihood" not in said.out
    assert re.search("log_likelihood.* have no value, as the model has no density", said.err)


def test_data_that_have_changed_are_noticed(tmp_path, mistake):
    x = load_digits().images.astype(np.uint8)
    np.save(tmp_path / "x.npy", x[:200])
    assert run("train", tmp_path / "x.npy", *TINY, "--epochs", 1, "--out", tmp_path / "r", "--quiet") == 0
    np.save(tmp_path / "x.npy", x[:100])
    assert "have changed" in mistake("evaluate", tmp_path / "r")
    (tmp_path / "x.npy").unlink()
    assert "name where they are now" in mistake("evaluate", tmp_path / "r")


# pictures


def test_the_kinds_of_pictures_are_known_by_name():
    from vaekit.cli.pictures import PICTURES
    from vaekit.cli.plot import Kind

    assert get_args(Kind) == tuple(PICTURES)


def test_plot_draws_all_that_make_sense(tmp_path, trained, capsys):
    assert run("plot", trained, "--out", tmp_path / "p", "-n", 3) == 0
    kinds = ["manifold", "clusters", "reconstructions", "samples", "traversals", "interpolation", "curves"]
    paths = [str(tmp_path / f"p/{kind}.png") for kind in kinds]
    assert capsys.readouterr().out.splitlines() == paths
    assert all(min(Image.open(path).size) > 100 for path in paths)


def test_plot_of_one_latent_has_no_plane(tmp_path, capsys, mistake):
    from vaekit.cli import pictures
    from vaekit.recipes import Run

    line = ["--network", "mlp", "--network.hidden", "8", "--latent-dim", 1, "--epochs", 1, "--quiet"]
    assert run("train", "digits", *line, "--out", tmp_path / "run") == 0
    assert pictures.sensible(Run.load(tmp_path / "run")) == [
        name for name in pictures.PICTURES if name not in ("manifold", "rate-distortion")
    ]
    assert run("plot", tmp_path / "run", "traversals", "--format", "svg") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'run/figures/traversals.svg'}\n"
    assert (tmp_path / "run/figures/traversals.svg").read_text().startswith("<?xml")
    assert "at least 2 dimensions" in mistake("plot", tmp_path / "run", "manifold")


def test_the_plane_of_the_article(trained):
    from vaekit.cli import pictures
    from vaekit.recipes import Run

    loaded = Run.load(trained)
    axes = pictures.draw(loaded, "manifold", {}, n=10, range=0.5).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z[0]", "z[1]")
    assert [label.get_text() for label in axes.get_xticklabels()][::9] == ["−0.50", "0.50"]
    with torch.no_grad():
        z = torch.cartesian_prod(torch.linspace(-0.5, 0.5, 10), torch.linspace(-0.5, 0.5, 10)).flip(1)
        expected = loaded.model.decode((z,)).mean.reshape(10, 10, 8, 8)
    drawn = torch.as_tensor(np.asarray(axes.images[0].get_array(), dtype=np.float32))
    rows = drawn.reshape(10, 8, 10, 8).permute(0, 2, 1, 3).flip(0)  # z[1] grows upwards
    torch.testing.assert_close(rows, expected.clamp(0, 1), atol=1e-5, rtol=0)


def test_clusters_carry_the_class_names(tmp_path):
    from vaekit.cli import pictures
    from vaekit.recipes import Run, parts_of

    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(0, 256, (9, 8, 4), dtype=np.uint8)
            Image.fromarray(pixels[..., :3]).save(tmp_path / f"pets/{name}/{i}.png")
    assert run("train", tmp_path / "pets", *TINY, "--epochs", 1, "--out", tmp_path / "run", "--quiet") == 0
    loaded = Run.load(tmp_path / "run")
    figure = pictures.draw(loaded, "clusters", parts_of(loaded))
    assert {"cat", "dog"} <= {label.get_text() for axes in figure.findobj() if hasattr(axes, "get_yticklabels")
                              for label in axes.get_yticklabels()}  # fmt: skip
    assert run("plot", tmp_path / "run", "reconstructions", "-n", 3, "--out", tmp_path / "r.png") == 0
    assert Image.open(tmp_path / "r.png").size[0] > 100


def test_transparency_is_put_on_white():
    from vaekit.data import Schema
    from vaekit.data.pictures import as_pictures

    raw = np.zeros((2, 8, 8, 4), np.uint8)
    raw[1, ..., 0], raw[1, ..., 3] = 255, 51
    schema = Schema.infer(raw)
    shown = as_pictures(schema, torch.from_numpy(schema.normalize(raw)))
    assert np.allclose(shown[0], 1)
    assert np.allclose(shown[1], [1, 0.8, 0.8])


# samples, reconstructions, latents


def test_samples_have_the_layout_of_the_data(tmp_path, trained, capsys):
    for name in ("s.npy", "s.npz", "s.png", "folder/"):
        assert run("sample", trained, "-n", 5, "--out", f"{tmp_path}/{name}", "--seed", 1) == 0
    array = np.load(tmp_path / "s.npy")
    assert (array.shape, array.dtype) == ((5, 8, 8), np.uint8)
    assert array.max() <= 16
    assert np.array_equal(np.load(tmp_path / "s.npz")["x"], array)
    images = sorted((tmp_path / "folder").iterdir())
    assert [path.name for path in images] == [f"000{i}.png" for i in range(5)]
    pixels = np.stack([np.asarray(Image.open(path)) for path in images])
    assert np.abs(pixels / 255 * 16 - array).max() <= 0.5 + 16 / 255
    assert Image.open(tmp_path / "s.png").size[0] > 50
    assert capsys.readouterr().out.startswith("5 samples in ")
    run("sample", trained, "-n", 5, "--out", tmp_path / "drawn.npy", "--seed", 1, "--draw")
    assert not np.array_equal(np.load(tmp_path / "drawn.npy"), array)


def test_reconstructions_are_those_of_the_task(tmp_path, trained):
    from vaekit import recipes, tasks

    assert run("reconstruct", trained, "--out", tmp_path / "r.npy") == 0
    loaded = recipes.Run.load(trained)
    x = recipes.choose_examples(loaded).x
    expected = loaded.schema.restore(tasks.reconstruct(loaded.model, loaded.feed(x)))
    assert np.array_equal(np.load(tmp_path / "r.npy"), expected)
    assert run("reconstruct", trained, "digits", "-n", 3, "--out", tmp_path / "r.pdf") == 0
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


def test_latents_with_labels(tmp_path, trained, capsys):
    for suffix in ("npy", "npz", "csv"):
        assert run("encode", trained, "digits", "--out", tmp_path / f"z.{suffix}") == 0
    assert "1,797 × 2 latents of all examples of digits" in capsys.readouterr().out
    z = np.load(tmp_path / "z.npy")
    assert (z.shape, z.dtype) == ((1797, 2), np.float32)
    archive = np.load(tmp_path / "z.npz")
    assert np.array_equal(archive["z"], z)
    assert np.array_equal(archive["y"], load_digits().target)
    rows = list(csv.DictReader((tmp_path / "z.csv").open()))
    assert [int(row["label"]) for row in rows] == load_digits().target.tolist()
    assert np.array_equal(np.array([[row["z0"], row["z1"]] for row in rows], np.float32), z)


def test_what_cannot_be_written_is_refused_first(tmp_path, trained, mistake):
    assert ".npy" in mistake("sample", trained, "--out", tmp_path / "x.jpg")
    assert ".csv" in mistake("encode", trained, "--out", tmp_path / "z.txt")
    assert "no folder" in mistake("sample", trained, "--out", tmp_path / "absent/x.npy")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    assert "not empty" in mistake("sample", trained, "--out", tmp_path / "full")
    assert "give a folder" in mistake("plot", trained, "manifold", "samples", "--out", tmp_path / "x.png")


# info and data


def test_info_of_everything(capsys):
    assert run("info") == 0
    text = capsys.readouterr().out
    assert torch.__version__ in text
    assert all(name in text for name in [*PRESETS, "discretized-logistic", "one-cycle", "--held-out", "elbo", "iwae"])
    assert "args" not in text


def test_info_of_the_article(data_dir, capsys):
    assert run("info", "article") == 0
    text = capsys.readouterr().out
    assert "Encoder: 174,932 parameters" in text
    assert "Decoder: 157,633 parameters" in text
    assert re.search(r"Conv2d, 3 × 3, stride 2 +128 × 7 × 7 +73,856\n", text)


def test_info_of_a_preset_without_its_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAEKIT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VAEKIT_CACHE", str(tmp_path))
    assert run("info", "article") == 0
    text = capsys.readouterr().out
    assert "vaekit data fetch fashion-mnist" in text
    assert re.search(r"network +convolutional \(channels 64 128, dense 16\)", text)


def test_info_of_a_run(trained, capsys, mistake):
    assert run("evaluate", trained, "--samples", 2, "--json") == 0
    capsys.readouterr()
    assert run("info", trained) == 0
    text = capsys.readouterr().out
    encoder, decoder = 64 * 32 + 32 + 32 * 4 + 4, 2 * 32 + 32 + 32 * 128 + 128
    assert f"Encoder: {encoder:,} parameters" in text
    assert f"{encoder + decoder:,} parameters in all" in text
    assert "Evaluated on the held-out examples of digits, 180 examples" in text
    assert "did you mean 'article'" in mistake("info", "artcle")


def test_info_of_a_run_with_damaged_results(copied, capsys):
    (copied / "evaluation.json").write_text('{"n": []}')
    assert run("info", copied) == 2
    assert re.fullmatch(r"vaekit: [^\n]*evaluation.json[^\n]* is damaged[^\n]*\n", capsys.readouterr().err)


def test_layers_count_what_the_likelihood_learns():
    from vaekit.cli.layers import model_layers
    from vaekit.data import Schema
    from vaekit.recipes import build_model, complete

    x = np.random.default_rng(0).normal(size=(50, 6))
    request = TrainRequest.parse({"likelihood": "gaussian", "network": {"name": "mlp", "hidden": [5]}, "latent_dim": 3})
    schema = Schema.infer(x)
    model = build_model(complete(request, schema, 50), schema, 50)
    layers = model_layers(model)
    assert [layer.shape for layer in layers["encoder"]] == [(5,), (5,), (6,)]
    assert layers["decoder"][-1].parameters == 6
    total = sum(layer.parameters for part in layers.values() for layer in part)
    assert total == sum(p.numel() for p in model.parameters())


def test_data_commands(tmp_path, capsys, monkeypatch, mistake):
    monkeypatch.setenv("VAEKIT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VAEKIT_CACHE", str(tmp_path))
    assert run("data", "list") == 0
    listed = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "included" in listed["digits"]
    assert "not yet downloaded" in listed["mnist"]
    assert run("data", "show", "digits") == 0
    shown = capsys.readouterr().out
    assert "1,797 images of 8 × 8" in shown
    assert "from 0 to 16, 17 different values" in shown
    assert re.search(r"^0 +178$", shown, re.MULTILINE)
    assert re.search(r"^network +convolutional ", shown, re.MULTILINE)
    assert run("data", "fetch", "digits") == 0
    assert "unknown data set 'digit'; did you mean 'digits'" in mistake("data", "show", "digit")


def test_data_that_training_would_refuse(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert run("data", "show", tmp_path / "x.npy") == 0
    text = capsys.readouterr().out
    assert "1 values are NaN or infinite" in text
    assert "Training would refuse these data" in text


# mistakes


def test_options_that_come_too_late_are_refused(copied, mistake):
    from vaekit.recipes.detection import FILE

    out = copied / "out.npy"
    assert "leave out --run, --epochs" in mistake("synthesize", copied, "--out", "x.csv", "--run", "y", "--epochs", 3)
    assert "leave out --target" in mistake("synthesize", copied, "--out", "x.csv", "--target", "y")
    assert "leave out --epochs" in mistake("impute", copied, "--out", out, "--epochs", 3)
    assert "leave out --draws" in mistake("impute", copied, "--out", out, "--mask", "0:2,0:2", "--draws", 3)
    assert "leave out --trim" in mistake("detect", copied, "--trim", 0.2, "--contamination", 0.1)
    (copied / FILE).touch()
    late = ("--contamination", 0.1, "--false-alarm", 0.05)
    assert "leave out --contamination, --false-alarm" in mistake("detect", copied, *late)
    assert "--explain" in mistake("detect", copied, "--explain", -1)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("trian", 'Did you mean "train"'),
        ("train fashon-mnist", "did you mean 'fashion-mnist'"),
        ("train digits --preset articel", "did you mean 'article'"),
        ("train digits --epoch 3", "Did you mean --epochs"),
        ("train digits --schedule cosin", "did you mean 'cosine'"),
        ("train digits --schedule one-cycle --schedule.ris 1", "did you mean 'rise'"),
        ("train digits --objective iwae --objective.samples few", "objective.samples"),
        ("train digits --objective iwae --beta 2", "no beta"),
        ("train digits --epochs -1", "epochs should be greater than or equal to 1"),
        ("train digits --epochs many", "--epochs"),
        ("train digits --epochs", "--epochs requires an argument"),
        ("train digits --latent-dim 0", "latent_dim is a number, or channels, height and width, of at least 1; got 0"),
        ("train digits --batch-size 5000", "choose at most 1617"),
        ("train digits --lr nan", "lr"),
        ("train digits --device cuda:99", "cuda"),
        ("train digits more", "unexpected argument 'more'"),
        ("train", "no data given"),
        ("train absent.npy", "no such file or folder: absent.npy"),
        ("train --config absent.toml", "absent.toml"),
        ("train --resume absent", "no run at absent"),
        ("evaluate", "RUN requires an argument"),
        ("evaluate absent", "no run at absent"),
        ("plot absent manifol", 'Did you mean "manifold"'),
        ("sample absent --out x.npy -n 0", "Must be >= 1"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(line, expected, tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    assert expected in mistake(*line.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([[[0.5, np.nan], [0.1, 0.2]]] * 3), "NaN"),
        (np.array([[np.inf, 1.0], [0.0, 2.0]]), "inf"),
        (np.zeros((1, 8, 8), np.uint8), "1 sample"),
        (np.full((9, 8, 8), 3, np.uint8), "constant"),
        (np.zeros((0, 8, 8), np.uint8), "empty"),
    ],
)
def test_data_that_cannot_be_learned(x, expected, tmp_path, mistake):
    np.save(tmp_path / "x.npy", x)
    assert expected in mistake("train", tmp_path / "x.npy", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_truncated_data(tmp_path, mistake):
    np.save(tmp_path / "x.npy", np.zeros((9, 8, 8)))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-20])
    assert "truncated" in mistake("train", tmp_path / "x.npy", "--out", tmp_path / "run")


def test_images_of_mixed_sizes(tmp_path, mistake):
    for i, size in enumerate([(8, 8), (8, 9)]):
        Image.new("L", size).save(tmp_path / f"{i}.png")
    assert "--resize" in mistake("train", tmp_path, "--out", tmp_path / "run")


def test_an_output_that_is_no_run_is_left_alone(tmp_path, mistake):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/diary.txt").write_text("dear diary")
    line = ["train", "digits", *TINY, "--epochs", 1, "--overwrite", "--out"]
    assert "not a run" in mistake(*line, tmp_path / "notes")
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["diary.txt"]
    assert "is a file" in mistake(*line, tmp_path / "notes/diary.txt")


HOSTILE = [
    "",
    "{",
    "[]",
    "null",
    '{"format": 1, "vaekit": "0.1.0"}',
    '{"format": 1, "vaekit": "0.1.0", "request": 5}',
    '{"format": 1, "vaekit": "0.1.0", "request": {"network": {"name": "os.system"}}}',
    '{"format": 1, "vaekit": "0.1.0", "request": {"network": {"name": "mlp", "hidden": "x"}}}',
    '{"format": 1, "vaekit": "0.1.0", "request": {"latent_dim": 1e999}}',
    '{"format": 1, "vaekit": "0.1.0", "request": {"evil": true}}',
    '{"format": 99, "vaekit": "9.0", "request": {}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_damaged_and_hostile_configs(content, copied, mistake):
    (copied / "config.json").write_text(content)
    assert str(copied) in mistake("evaluate", copied)


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors", "schema.json"])
def test_truncated_files_of_a_run(name, copied, mistake):
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: len(whole) // 2])
    line = ["train", "--resume", copied, "--epochs", 4] if name.startswith("checkpoint") else ["evaluate", copied]
    assert name in mistake(*line)


def test_a_bug_is_one_line_with_a_hint(trained, monkeypatch, capsys):
    def broken(*_, **__):
        raise KeyError("oops")

    monkeypatch.setattr("vaekit.evaluation.evaluate", broken)
    assert run("evaluate", trained) == 1
    assert capsys.readouterr().err == "vaekit: unexpected KeyError: 'oops' (VAEKIT_DEBUG=1 shows where)\n"
    monkeypatch.setenv("VAEKIT_DEBUG", "1")
    with pytest.raises(KeyError):
        run("evaluate", trained)


def test_a_reader_that_has_left_is_no_error_message(monkeypatch):
    command = f"{sys.executable} -m vaekit --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.stderr == ""
