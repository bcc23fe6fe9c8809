"""Synthetic rows: histograms and columns in order against brute force, fixed cells against exact conditionals, the
report of fidelity at known values, and the faces over them.
"""

import itertools
import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import Size

from vaekit import VAESynthesizer, plots, tasks
from vaekit.cli import main
from vaekit.core import Parts, Shapes, Support
from vaekit.data import Table, TableSchema, blank, fixed_cells, mark_missing
from vaekit.evaluation import assess_fidelity
from vaekit.evaluation.memorisation import memorisation
from vaekit.evaluation.trees import detection, usefulness
from vaekit.evaluation.trends import Cells, column_shapes, mean_trend, pair_trends
from vaekit.likelihoods import Autoregressive, Histogram
from vaekit.models import OneLayerVAE
from vaekit.networks import MLP
from vaekit.noise import isolated_rng
from vaekit.posteriors import DiagonalNormal
from vaekit.priors import StandardNormal

DICE = tuple(Support(0.0, count - 1.0, 1.0, categories=count) for count in (3, 2, 4))
ROWS = torch.tensor(list(itertools.product(range(3), range(2), range(4))), dtype=torch.float32)


def shapes_of(columns) -> Shapes:
    return Shapes(Size([len(columns)]), examples=1000, support=Support.join(columns), columns=tuple(columns))


def histogram(column: Support, values, bins: int = 32) -> Histogram:
    family = Histogram(bins).bind(shapes_of([column]))
    family.prepare(torch.as_tensor(values, dtype=torch.float32).view(-1, 1))
    return family


@pytest.fixture(scope="module")
def dice() -> OneLayerVAE:
    """Three columns of categories, strongly dependent on each other and on z, with weights drawn at random."""
    with isolated_rng(3):
        parts = Parts(MLP([8]), DiagonalNormal(), Autoregressive(features=8, width=16), StandardNormal(), 2)
        model = OneLayerVAE.assemble(parts).bind(shapes_of(DICE))
        for parameter in model.decoder.parameters():
            parameter.data += 0.15 * torch.randn_like(parameter)
    return model.eval()


@pytest.fixture(scope="module")
def joint(dice) -> torch.Tensor:
    """P(row) for all 24 rows, (3, 2, 4), the integral over z by a grid."""
    z = torch.cartesian_prod(*[torch.linspace(-4, 4, 41)] * 2)
    weight = (-z.square().sum(1) / 2).softmax(0)
    with torch.no_grad():
        log_p = dice.decode((z.unsqueeze(1),)).log_prob(ROWS.expand(len(z), -1, -1)).sum(-1)
    return (weight @ log_p.exp()).view(3, 2, 4)


def close_to(draws: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether shares of draws are within five standard errors of probabilities."""
    shares = torch.bincount(draws.long(), minlength=len(expected)) / len(draws)
    return bool(((shares - expected).abs() <= 5 * (expected * (1 - expected) / len(draws)).sqrt() + 1e-9).all())


# Histograms


@pytest.mark.parametrize("values", ["few", "many", "heavy"])
def test_masses_on_a_grid_sum_to_one(values):
    generator = np.random.default_rng(0)
    numbers = {
        "few": generator.integers(3, 9, 500) * 2,
        "many": generator.normal(0, 300, 2000).round(),
        "heavy": np.where(generator.random(2000) < 0.8, 7, generator.exponential(500, 2000).round()),
    }[values]
    low = 0.0 if values == "heavy" else -math.inf
    family = histogram(Support(low, step=1.0), numbers)
    p = family(torch.randn(*family.phi))
    every = torch.arange(0.0 if low == 0 else -40_000.0, 40_000.0).view(-1, 1)
    assert p.log_prob(every).double().exp().sum().item() == pytest.approx(1, abs=1e-3)


def test_densities_integrate_to_one_spikes_included():
    values = np.concatenate([np.random.default_rng(0).normal(size=900), np.full(100, 0.25)])
    family = histogram(Support(spikes=(0.25,)), values)
    p = family(torch.randn(*family.phi))
    points = torch.linspace(-20, 20, 800_001).view(-1, 1)
    assert p.log_prob(points).double().exp().sum().item() * 5e-5 == pytest.approx(1, abs=0.01)
    assert (p.sample(Size([2000])) == 0.25).float().mean() > 0.02


def test_parameters_of_zero_are_the_frequencies():
    family = histogram(Support(0.0, 4.0, 1.0), [0, 0, 0, 1, 3, 3])
    mass = family(torch.zeros(*family.phi)).log_prob(torch.arange(5.0).view(-1, 1)).exp().squeeze(1)
    counts = torch.tensor([3.5, 1.5, 0.5, 2.5, 0.5])
    assert torch.allclose(mass, counts / counts.sum(), atol=1e-6)


def test_draws_have_the_mean_and_lie_on_the_grid():
    values = np.random.default_rng(1).gamma(2, 20, 3000).round() / 4
    family = histogram(Support(0.0, step=0.25), values)
    p = family(torch.zeros(*family.phi))
    draws = p.sample(Size([20_000]))
    assert torch.equal(draws * 4, (draws * 4).round())
    assert draws.min() >= 0
    assert (draws.mean() - p.mean).abs() < 5 * draws.std() / math.sqrt(len(draws))


def test_a_histogram_refuses_what_is_no_table():
    with pytest.raises(ValueError, match="for the columns of a table"):
        Histogram().bind(Shapes(Size([3])))
    with pytest.raises(ValueError, match="at least 8 bins"):
        Histogram(3)


# Columns in order


def test_the_joint_sums_to_one_and_its_conditionals_are_the_columns(dice):
    px = dice.decode((torch.randn(2),))
    each = px.log_prob(ROWS).detach()
    joint = each.sum(-1).exp().view(3, 2, 4)
    assert joint.sum().item() == pytest.approx(1, abs=1e-5)
    order = dice.likelihood.order
    assert order == [1, 0, 2]  # of fewest values first
    expected = {
        1: joint.sum((0, 2)).log().view(1, 2, 1).expand(3, 2, 4),
        0: (joint.sum(2) / joint.sum((0, 2))).log().unsqueeze(2).expand(3, 2, 4),
        2: (joint / joint.sum(2, keepdim=True)).log(),
    }
    for column, log_p in expected.items():
        assert torch.allclose(each[:, column].view(3, 2, 4), log_p, atol=1e-4)


def test_draws_follow_the_joint(dice, joint):
    x = tasks.generate(dice, 20_000, draw=True)
    cell = (x[:, 0] * 2 + x[:, 1]) * 4 + x[:, 2]
    assert close_to(cell, joint.flatten())


def test_hidden_columns_do_not_count(dice):
    px = dice.decode((torch.zeros(len(ROWS), 2),))
    mask = torch.tensor([True, False, True]).expand_as(ROWS)
    a, b = (px.log_prob(torch.where(mask, ROWS, hidden), mask) for hidden in (0.0, 1.0))
    assert torch.equal(a[:, [0, 2]], b[:, [0, 2]])


@pytest.mark.parametrize("options", [{"width": 0}, {"depth": 0}, {"dropout": 1.0}])
def test_sizes_must_be_positive(options):
    with pytest.raises(ValueError, match="at least 1 and dropout"):
        Autoregressive(**options)


# Fixed cells


@pytest.mark.parametrize("fixed", [{2: 1}, {1: 0}, {0: 2, 2: 1}])
def test_rows_with_fixed_cells_follow_the_exact_conditional(dice, joint, fixed):
    cells = torch.full((3,), math.nan)
    index = [slice(None)] * 3
    for column, value in fixed.items():
        cells[column], index[column] = value, slice(value, value + 1)
    x = tasks.synthesize(dice, 4000, cells, seed=1)
    assert x.shape == (4000, 3)
    assert all((x[:, column] == value).all() for column, value in fixed.items())
    allowed = torch.zeros_like(joint)
    allowed[tuple(index)] = joint[tuple(index)]
    assert close_to((x[:, 0] * 2 + x[:, 1]) * 4 + x[:, 2], (allowed / allowed.sum()).flatten())


def test_fixed_numbers_give_the_exact_normal_conditional(linear_gaussian):
    known = linear_gaussian
    cells = torch.tensor([math.nan, 1.5, math.nan, -0.5, math.nan])
    x = tasks.synthesize(known.model(), 4000, cells).double()
    covariance = known.weight @ known.weight.T + known.sigma**2 * torch.eye(5)
    at, rest = [1, 3], [0, 2, 4]
    gain = covariance[rest][:, at] @ covariance[at][:, at].inverse()
    mean = known.bias[rest] + gain @ (cells[at] - known.bias[at])
    variance = (covariance[rest][:, rest] - gain @ covariance[at][:, rest]).diagonal()
    assert ((x[:, rest].mean(0) - mean).abs() < 5 * (variance / len(x)).sqrt()).all()
    assert ((x[:, rest].var(0) / variance - 1).abs() < 5 * math.sqrt(2 / len(x))).all()


def test_what_cannot_be_fixed_is_said(dice):
    with pytest.raises(ValueError, match="fixed elements of shape"):
        tasks.synthesize(dice, 5, torch.zeros(2))
    free = torch.full((3,), math.nan)
    assert torch.equal(tasks.synthesize(dice, 5, free, seed=2), tasks.generate(dice, 5, draw=True, seed=2))


# Missing cells and conditions


def frame(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Columns of several kinds; x depends on group, and cells of x and group are missing."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    data = pd.DataFrame({
        "group": group,
        "x": np.where(group == "a", rng.normal(0, 1, n), rng.normal(5, 0.5, n)).round(2),
        "count": pd.array(rng.poisson(3, n), dtype="Int64"),
        "yes": rng.random(n) < 0.3,
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 500, n), "D"),
    })  # fmt: skip
    data.loc[rng.random(n) < 0.2, "x"] = np.nan
    data.loc[rng.random(n) < 0.1, "group"] = None
    return data


def test_marks_of_missing_cells_come_and_go():
    table = Table.read(frame())
    marked = mark_missing(table)
    assert list(marked.columns) == [*table.columns, "group is missing", "x is missing"]
    schema = TableSchema.infer(marked)
    plain, x = blank(schema, schema.normalize(table))  # as they were given: the schema adds the marks
    assert plain.columns == tuple(table.columns)
    pd.testing.assert_frame_equal(plain.restore(x), frame())
    with pytest.raises(ValueError, match="rename it"):
        mark_missing(Table.read(frame().assign(**{"x is missing": 1})))


def test_conditions_become_cells():
    schema = TableSchema.infer(mark_missing(Table.read(frame())))
    cells = fixed_cells(schema, {"group": " b ", "x": "5.25", "yes": True})
    columns = schema.columns
    assert {columns[i] for i in np.flatnonzero(~np.isnan(cells))} == {
        "group", "x", "yes", "x is missing", "group is missing"
    }  # fmt: skip
    assert schema.table[columns.index("x")].decode(cells[[columns.index("x")]])[0] == 5.25
    assert np.nansum(fixed_cells(schema, {"x": None})) == 1


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"grup": "a"}, "did you mean 'group'"),
        ({"group": "d"}, "there are 'a', 'b', 'c'"),
        ({"x": 1000}, "runs from"),
        ({"x": "many"}, "holds numbers"),
        ({"count": None}, "has no missing cells"),
    ],
)
def test_conditions_that_cannot_hold_are_refused(where, said):
    schema = TableSchema.infer(mark_missing(Table.read(frame())))
    with pytest.raises(ValueError, match=said):
        fixed_cells(schema, where)


# Fidelity


def cells_of(*frames) -> Cells:
    schema = TableSchema.infer(pd.concat(frames))
    return Cells.read(schema, *(Table.read(rows) for rows in frames))


def test_equal_tables_are_alike():
    cells = cells_of(frame(), frame())
    assert column_shapes(cells, *cells.parts).tolist() == [1] * 5
    assert pair_trends(cells, *cells.parts).tolist() == np.ones((5, 5)).tolist()


def test_similarities_at_known_values():
    a = pd.DataFrame({"u": ["a", "a", "b", "b"], "v": [0.0, 1.0, 2.0, 3.0], "w": [0.0, 1.0, 2.0, 3.0]})
    b = pd.DataFrame({"u": ["a", "b", "b", "b"], "v": [2.0, 3.0, 4.0, 5.0], "w": [5.0, 4.0, 3.0, 2.0]})
    cells = cells_of(a, b)
    shapes, trends = column_shapes(cells, *cells.parts), pair_trends(cells, *cells.parts)
    assert shapes[0] == pytest.approx(0.75)
    assert shapes[1] == pytest.approx(0.5)
    assert trends[1, 2] == pytest.approx(0)  # correlations of 1 and -1
    assert trends[0, 1] == pytest.approx(0.25)  # of four cells, only (b, 3) is in both
    assert mean_trend(trends) == pytest.approx((trends[0, 1] + trends[0, 2] + trends[1, 2]) / 3)


def test_trees_tell_what_can_be_told():
    same, other = frame(400, 1), frame(400, 2)
    cells = cells_of(same, other, other.assign(x=other.x + 20))
    assert detection(cells, *cells.parts[:2]) > 0.8
    assert detection(cells, *cells.parts[1:]) < 0.5
    useful = usefulness(cells, 0, *cells.parts[:2])
    assert 0.75 < useful < 1  # group b and c look alike
    assert usefulness(cells, 0, cells.parts[0][np.random.default_rng(0).permutation(400)][:, [*range(5)]] * [
        1, 0, 0, 0, 0], cells.parts[1]) == pytest.approx(0.5, abs=0.2)  # fmt: skip


def test_copies_are_found():
    train, real = frame(200, 1), frame(200, 2)
    cells = cells_of(train, real, train)
    found = memorisation(cells, *cells.parts)
    assert found.copies == 1
    assert found.distance == 0 < found.distance_floor
    assert found.closer_to_train > 0.95
    assert found.membership_auc > 0.95
    fresh = memorisation(cells, *cells_of(train, real, frame(200, 3)).parts)
    assert abs(fresh.closer_to_train - 0.5) < 0.12
    assert abs(fresh.membership_auc - 0.5) < 0.12


def test_a_report_needs_rows_and_a_known_target():
    schema = TableSchema.infer(frame())
    with pytest.raises(ValueError, match="at least 10 of each"):
        assess_fidelity(schema, frame(5), frame(), frame())
    with pytest.raises(ValueError, match="unknown target 'y'"):
        assess_fidelity(schema, frame(), frame(), frame(), target="y")


# Faces


@pytest.fixture(scope="module")
def synthesizer() -> VAESynthesizer:
    return VAESynthesizer(epochs=8, verbose=False, choices={"batch_size": 32, "latent_dim": 2}).fit(frame())


def test_rows_come_in_the_types_they_were_learned_from(synthesizer):
    rows, real = synthesizer.sample(400), frame()
    assert list(rows.dtypes) == list(real.dtypes)
    assert list(rows) == list(real)
    assert abs(rows.x.isna().mean() - 0.2) < 0.1
    assert rows["count"].notna().all()
    assert set(rows.group.dropna()) <= {"a", "b", "c"}
    assert rows.day.between(real.day.min(), real.day.max()).all()
    assert abs(rows[rows.group == "b"].x.mean() - rows[rows.group == "a"].x.mean() - 5) < 1.5
    pd.testing.assert_frame_equal(rows, synthesizer.sample(400))


def test_rows_keep_what_is_asked_for(synthesizer):
    rows = synthesizer.sample(50, where={"group": "b", "yes": True})
    assert len(rows) == 50
    assert (rows.group == "b").all()
    assert rows.yes.all()
    assert synthesizer.sample(20, where={"x": None}).x.isna().all()


def test_a_report_has_floors(synthesizer):
    report = synthesizer.report(frame(200, 5), target="group")
    content = json.loads(json.dumps(report.to_json()))
    assert content["columns"] == list(frame())
    assert 0 < content["quality"]["trend"] <= content["floor"]["trend"] + 0.1
    assert 0 <= content["memorisation"]["copies"] < 0.1
    assert 0 < content["baseline"]["detection"] < content["floor"]["detection"] + 0.1


def test_a_saved_synthesizer_gives_the_same_rows(synthesizer, tmp_path):
    again = VAESynthesizer.from_run(synthesizer.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.sample(30), synthesizer.sample(30))
    with pytest.raises(ValueError, match="pass them as train"):
        again.report(frame())


def test_the_global_generators_are_left_alone(synthesizer):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    synthesizer.sample(10, where={"group": "a"})
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_polars_and_arrays():
    data = pl.DataFrame({"n": [3, 1, 4, 1, 5, 9] * 10, "t": ["x", "y"] * 30})
    rows = VAESynthesizer(epochs=1, verbose=False).fit(data).sample(7)
    assert isinstance(rows, pl.DataFrame)
    assert rows.schema == data.schema
    array = np.random.default_rng(0).normal(size=(60, 3))
    assert VAESynthesizer(epochs=1, verbose=False).fit(array).sample(7).shape == (7, 3)


def test_the_command_line(tmp_path, capsys):
    frame().to_csv(tmp_path / "rows.csv", index=False)
    out, run = tmp_path / "new.csv", tmp_path / "run"
    options = ["--report", tmp_path / "r.json", "--pictures", tmp_path / "p", "--target", "group"]
    command = ["synthesize", tmp_path / "rows.csv", "-n", 40, "--out", out, "--run", run, "--epochs", 2, *options]
    assert main([str(part) for part in command]) == 0
    assert "detection" in capsys.readouterr().out
    rows = pd.read_csv(out)
    assert len(rows) == 40
    assert list(rows) == list(frame())
    assert json.loads((tmp_path / "r.json").read_text())["target"] == "group"
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"columns.png", "distances.png", "pairs.png"}
    parquet = tmp_path / "b.parquet"
    assert main(["synthesize", str(run), "-n", "9", "--where", "group=b", "--out", str(parquet)]) == 0
    assert set(pd.read_parquet(parquet).group) == {"b"}
    assert main(["synthesize", str(run), "--where", "group", "--out", str(parquet)]) == 2
    assert main(["synthesize", str(run), "--out", str(tmp_path / "a.txt")]) == 2
    assert "column=value" in capsys.readouterr().err


def test_pictures_refuse_what_they_cannot_show():
    with pytest.raises(ValueError, match="the same columns"):
        plots.marginals({"a": [1.0]}, {})
    with pytest.raises(ValueError, match="of shape"):
        plots.trends(["a", "b"], np.ones((3, 3)))
