"""Comparisons: means over seeds, winners, what is kept and not redone."""

import numpy as np
import pytest
from scipy import stats

from vaekit.evaluation.seeds import SeedMean, winner
from vaekit.recipes import Run, compare, requests
from vaekit.recipes.comparison import Measure

MEASURES = {"width": Measure("width", "", "lower", ""), "seconds": Measure("training", "s", None, "")}
SMALL = {"epochs": 1, "network": {"name": "mlp", "hidden": [4]}, "latent_dim": 2, "likelihood": "bernoulli"}


def test_the_interval_is_students():
    values = [1.0, 2.5, 2.0, 4.0]
    found = SeedMean.of(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert SeedMean.of([3.0]) == SeedMean(3.0, None, 1)


def test_an_interval_needs_a_value():
    with pytest.raises(ValueError, match="at least one value"):
        SeedMean.of([])


@pytest.mark.parametrize("shift", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_of_two_the_winner_is_welchs(shift):
    a, b = [1.0, 2.0, 3.0], [1.5 + shift, 2.5 + shift, 2.9 + shift, 3.1 + shift]
    significant = stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05
    assert winner({"a": a, "b": b}, "higher") == ("b" if significant else None)
    assert winner({"a": a, "b": b}, "lower") == ("a" if significant else None)


def test_nothing_is_said_of_single_seeds_and_ties():
    assert winner({"a": [1.0], "b": [9.0]}, "higher") is None
    assert winner({"a": [1.0, 1.0], "b": [1.0, 1.0]}, "higher") is None
    assert winner({"a": [2.0, 2.0], "b": [1.0, 1.0]}, "higher") == "a"
    assert winner({"a": [2.0, 2.0]}, "higher") is None


class Counting:
    """Judges by the seed, and remembers what it has judged."""

    def __init__(self):
        self.runs: list[Run] = []

    def __call__(self, run, test, train):
        self.runs.append(run)
        assert test.description == "the held-out examples of digits"
        return {"width": float(run.request.latent_dim + 0.1 * run.request.seed)}


def test_what_is_done_is_not_redone(tmp_path):
    judge = Counting()
    planned = requests("digits", ["autoencoder"], SMALL, seeds=1)
    compare(planned, tmp_path, judge, MEASURES)
    assert len(judge.runs) == 1
    planned = requests("digits", ["autoencoder", "iwae"], SMALL, seeds=2)
    result = compare(planned, tmp_path, judge, MEASURES)
    assert [(run.request.posterior["name"], run.request.seed) for run in judge.runs] == [
        ("point-mass", 0), ("point-mass", 1), ("diagonal-normal", 0), ("diagonal-normal", 1)
    ]  # fmt: skip
    assert result.values("width") == {"autoencoder": [2.0, 2.1], "iwae": [2.0, 2.1]}
    assert result.winner("width") is None
    assert len((tmp_path / "comparison.csv").read_text().splitlines()) == 5
    splits = {run.request.split_seed for run in judge.runs}
    assert splits == {0}


def test_another_comparison_is_not_overwritten(tmp_path):
    compare(requests("digits", ["autoencoder"], SMALL, seeds=1), tmp_path, Counting(), MEASURES)
    other = requests("digits", ["autoencoder"], SMALL | {"latent_dim": 3}, seeds=1)
    with pytest.raises(ValueError, match="another comparison"):
        compare(other, tmp_path, Counting(), MEASURES)
    result = compare(other, tmp_path, Counting(), MEASURES, overwrite=True)
    assert result.values("width") == {"autoencoder": [3.0]}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds no comparison"):
        compare(requests("digits", ["autoencoder"], SMALL, seeds=1), tmp_path, Counting(), MEASURES)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_of_choices_is_an_entrant(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "iwae"\nlatent_dim = 5\n')
    ((name, (request,)),) = requests("digits", [str(path)], {"objective": {"samples": "3"}}, seeds=1).items()
    assert (name, request.latent_dim, request.objective) == ("mine", 5, {"name": "iwae", "samples": 3})


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["autoencodr"], "did you mean 'autoencoder'"), (["pca", "pca"], "two entrants"), ([], "at least one preset")],
)
def test_what_cannot_be_compared_is_refused(names, sentence):
    with pytest.raises(ValueError, match=sentence):
        requests("digits", names, {}, seeds=1)
