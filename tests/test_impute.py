"""Missing cells: the full-covariance normal and its copula, the linear start, imputation against exact conditionals."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import Size
from torch.distributions import MultivariateNormal

from vaekit import VAEImputer, tasks
from vaekit.core import Batch, Parts, Shapes, Support, terms
from vaekit.data import Table
from vaekit.data.cells import hide_cells
from vaekit.models import FullGaussian, GaussianTable, LinearGaussian
from vaekit.recipes import build
from vaekit.recipes.imputation import train_imputer
from vaekit.recipes.stacking import convex, shares

MIXED = {"name": "mixed", "numbers": "gaussian"}
CATEGORIES = Support(0.0, 2.0, 1.0, categories=3)


@pytest.fixture(scope="module")
def rows():
    """Linear-Gaussian data (400, 6)."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 6, generator=generator)
    noise = torch.randn(400, 6, generator=generator)
    return torch.randn(400, 2, generator=generator) @ weight + 0.5 * noise + 1.0


def hidden(x, share=0.3, seed=1):
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < share


@pytest.fixture(scope="module")
def gappy(rows):
    return torch.where(hidden(rows), torch.nan, rows)


class TestFullGaussian:
    def test_complete_data_give_the_moments(self, rows):
        found = FullGaussian.fit(rows, shrinkage=0)
        assert torch.allclose(found.mean, rows.double().mean(0))
        assert torch.allclose(found.covariance, torch.cov(rows.double().T, correction=0), atol=1e-4)

    def test_the_likelihood_is_that_of_the_observed_cells(self, gappy):
        found = FullGaussian.fit(gappy)
        for row, log_p in zip(gappy[:20].double(), found.log_likelihood(gappy[:20]), strict=True):
            seen = ~row.isnan()
            if seen.any():
                exact = MultivariateNormal(found.mean[seen], found.covariance[seen][:, seen]).log_prob(row[seen])
                assert torch.isclose(exact, log_p)

    def test_conditionals_are_the_regression_on_observed_cells(self, gappy):
        found = FullGaussian.fit(gappy)
        mean, variance = found.conditional(gappy[:20])
        for at, row in enumerate(gappy[:20].double()):
            seen = ~row.isnan()
            s = found.covariance
            slope = s[~seen][:, seen] @ torch.linalg.inv(s[seen][:, seen])
            assert torch.allclose(mean[at, ~seen], found.mean[~seen] + slope @ (row - found.mean)[seen])
            rest = s[~seen][:, ~seen] - slope @ s[seen][:, ~seen]
            assert torch.allclose(variance[at, ~seen], rest.diagonal())
            assert torch.equal(mean[at, seen], row[seen])

    def test_em_climbs_and_shrinkage_shrinks(self, gappy):
        loose, tight = FullGaussian.fit(gappy, shrinkage=0), FullGaussian.fit(gappy, shrinkage=50)
        start = FullGaussian(loose.mean, loose.covariance.diagonal().diag())
        assert loose.log_likelihood(gappy).mean() > start.log_likelihood(gappy).mean()
        assert tight.covariance.fill_diagonal_(0).norm() < 0.7 * loose.covariance.fill_diagonal_(0).norm()

    def test_draws_have_the_conditional_moments(self, gappy):
        found, row = FullGaussian.fit(gappy), gappy[3].clone()
        row[:3], row[3:] = torch.nan, 1.0
        drawn, (mean, variance) = found.draw(row.expand(20_000, -1)), found.conditional(row[None])
        assert torch.allclose(drawn.mean(0), mean[0], atol=0.03)
        assert torch.allclose(drawn.var(0), variance[0], atol=0.03)


class TestGaussianTable:
    def test_a_copula_does_not_see_monotone_maps(self, gappy):
        a = GaussianTable.fit(gappy, copula=True).interval(gappy)[0]
        b = GaussianTable.fit(gappy.exp(), copula=True).interval(gappy.exp())[0]
        assert torch.allclose(a.exp(), b, rtol=0.05, atol=0.05)

    def test_categories_are_the_likeliest(self, rows):
        kind = (rows[:, :1] > 1).float() + (rows[:, :1] > 2).float()
        x = torch.cat([rows[:, :1], kind], 1)
        seen = x.clone()
        seen[::3, 1] = torch.nan
        found = GaussianTable.fit(seen, (Support(), CATEGORIES)).impute(seen)
        assert (found[::3, 1] == x[::3, 1]).float().mean() > 0.7
        assert set(found[:, 1].tolist()) <= {0.0, 1.0, 2.0}

    def test_rows_without_cells_are_drawn_from_the_margins(self, rows):
        drawn = GaussianTable.fit(rows, copula=True).draw(torch.full((5000, 6), torch.nan))
        assert torch.allclose(drawn.mean(0), rows.double().mean(0), atol=0.15)
        assert drawn.min() >= rows.min()
        assert drawn.max() <= rows.max()


def started(x, latent=2, likelihood="gaussian", columns=None, network="linear-residual"):
    parts = Parts(
        *(build(*choice) for choice in (("network", network), ("posterior", "diagonal-normal"))),
        build("likelihood", likelihood), build("prior", "standard-normal"), latent,
    )  # fmt: skip
    support = Support() if columns is None else Support.join(columns)
    model = build("model", {"name": "one-layer", "start": "linear-gaussian"}, parts)
    model.bind(Shapes(Size(x.shape[1:]), examples=len(x), support=support, columns=columns))
    model.prepare(Batch(x, None, ~x.isnan() if x.isnan().any() else None))
    return model.eval()


def linear(x, latent=2):
    model = LinearGaussian(latent, "elementwise").bind(Shapes(Size(x.shape[1:]), examples=len(x)))
    batch = Batch(x, None, ~x.isnan() if x.isnan().any() else None)
    model.prepare(batch)
    for _ in model.solve(lambda: iter([batch])):
        pass
    return model


class TestLinearStart:
    @pytest.mark.parametrize("likelihood", ["gaussian", {"name": "gaussian", "noise": "output"}, MIXED])
    def test_the_bound_is_the_linear_models_likelihood(self, rows, likelihood):
        columns = (Support(),) * 6 if likelihood is MIXED else None
        model = started(rows, likelihood=likelihood, columns=columns)
        with torch.no_grad():
            trace, log_px = terms(model, Batch(rows), 4)
        found = (log_px + trace.log_ratio()).double()
        assert found.std(0).max() < 1e-3  # the posterior is exact
        assert found.mean().item() == pytest.approx(linear(rows).log_marginal(Batch(rows)).mean().item(), abs=1e-3)

    def test_categories_follow_the_linear_model(self, rows):
        x = torch.cat([rows, (rows[:, :1] > 1).float()], 1)
        columns = (*(Support(),) * 6, Support(0.0, 1.0, 1.0, categories=2))
        model = started(x, likelihood=MIXED, columns=columns)
        assert (tasks.reconstruct(model, x)[:, 6] == x[:, 6]).float().mean() > 0.8

    def test_parts_that_cannot_be_linear_are_refused(self, rows):
        with pytest.raises(ValueError, match="start 'linear-gaussian' needs network 'linear-residual'"):
            started(rows, network="mlp")


class TestImpute:
    def test_a_linear_model_gives_the_exact_conditional(self, gappy):
        model = started(gappy)
        weight, bias = (value.detach().double() for value in model.decoder.body.linear.parameters())
        noise = (2 * model.likelihood.log_sigma.detach().double()).exp()
        exact = FullGaussian(bias, weight @ weight.mT + noise.diag())
        mean, variance = exact.conditional(gappy[:50])
        found = tasks.impute(model, gappy[:50], samples=2000, draws=400, level=0.9)
        assert torch.allclose(found.values.double(), mean, atol=0.1)
        assert found.ess.min() > 1900
        assert torch.allclose(found.draws.var(0).double().mean(0), variance.mean(0), rtol=0.2)
        inside = (found.low <= found.draws) & (found.draws <= found.high)
        assert inside[:, gappy[:50].isnan()].float().mean().item() == pytest.approx(0.9, abs=0.03)

    def test_a_row_without_cells_gets_the_models_own_mean(self, rows):
        model = started(rows)
        found = tasks.impute(model, torch.full((1, 6), torch.nan), samples=20_000, draws=4000)
        assert torch.allclose(found.values, model.decoder.body.linear.bias[None], atol=0.05)
        assert torch.allclose(found.draws[:, 0].std(0), rows.std(0), rtol=0.1)

    def test_a_complete_row_is_itself(self, rows):
        found = tasks.impute(started(rows), rows[:5], draws=2, level=0.5)
        assert all(torch.equal(part, rows[:5]) for part in (found.values, *found.draws, found.low, found.high))

    def test_images(self):
        parts = Parts(*(build(*choice) for choice in (
            ("network", {"name": "convolutional", "channels": [4], "dense": 8}), ("posterior", "diagonal-normal"),
            ("likelihood", "bernoulli"), ("prior", "standard-normal"))), 3)  # fmt: skip
        model = build("model", "one-layer", parts).bind(Shapes(Size([1, 8, 8]), support=Support(0, 1, 1.0)))
        x = torch.rand(3, 1, 8, 8).round()
        holes = torch.where(torch.arange(8) < 4, torch.nan, x)
        found = tasks.impute(model, holes).values
        assert torch.equal(found[..., 4:], x[..., 4:])
        assert found.isfinite().all()


@pytest.fixture(scope="module")
def frame(rows):
    found = pd.DataFrame(rows.double().numpy(), columns=list("abcdef")).round(2)
    found["kind"] = np.where(found.a > 1, "high", "low")
    found["count"] = np.arange(400) % 7
    return found


@pytest.fixture(scope="module")
def holes(frame):
    return frame.mask(hidden(torch.empty(400, 8), 0.2).numpy())


@pytest.fixture(scope="module")
def fitted(holes):
    return VAEImputer(members=2, epochs=2, verbose=False).fit(holes)


class TestCells:
    def test_hidden_and_filled_in_again(self, frame):
        table, cells = Table.read(frame), np.zeros((400, 2), bool)
        cells[5] = True
        gone = hide_cells(table, ("a", "kind"), cells)
        assert gone.columns["kind"][5] is None
        assert np.isnan(gone.columns["a"][5])
        assert np.array_equal(gone.columns["b"], table.columns["b"])


class TestVAEImputer:
    def test_observed_cells_stay_to_the_bit_and_none_is_missing(self, fitted, holes):
        found = fitted.transform(holes)
        assert isinstance(found, pd.DataFrame)
        assert list(found) == list(holes)
        assert not found.isna().any(axis=None)
        assert all(found[name][holes[name].notna()].equals(holes[name].dropna()) for name in holes)
        assert set(found.kind) == {"high", "low"}
        assert set(found["count"]) <= set(range(7))

    def test_intervals_hold_at_about_their_rate(self, fitted, holes, frame):
        low, high = fitted.intervals(holes)
        inside = [((low[n] <= frame[n]) & (frame[n] <= high[n]))[holes[n].isna()].mean() for n in "abcdef"]
        assert np.mean(inside) == pytest.approx(0.9, abs=0.06)

    def test_draws_differ_where_cells_are_missing(self, fitted, holes):
        first, second = fitted.draw(holes, 2)
        assert (first.a != second.a)[holes.a.isna()].mean() > 0.9
        assert first.a[holes.a.notna()].equals(holes.a.dropna())

    def test_arrays_with_a_marker_an_empty_column_and_indicators(self, rows, gappy):
        x = np.column_stack([gappy.nan_to_num(-1).numpy(), np.full(400, -1.0)])
        imputer = VAEImputer(missing_values=-1, members=1, epochs=1, add_indicator=True, verbose=False)
        with pytest.warns(UserWarning, match="'x6' is left out: empty"):
            found = imputer.fit_transform(x)
        assert found.shape == (400, 13)
        assert len(imputer.get_feature_names_out()) == 13
        assert np.array_equal(found[:, :6][x[:, :6] != -1], x[:, :6][x[:, :6] != -1])

    def test_a_complete_table_comes_back(self, fitted, frame):
        assert fitted.transform(frame).equals(frame)

    def test_one_member_must_be_there(self, holes):
        with pytest.raises(ValueError, match="at least 1 member"):
            train_imputer(Table.read(holes), members=0)


class TestShares:
    def test_they_are_those_of_least_squares_on_the_simplex(self):
        generator = torch.Generator().manual_seed(0)
        predicted = torch.randn(3, 5000, generator=generator)
        truth = 0.7 * predicted[0] + 0.3 * predicted[1]
        even = torch.full((3,), 1 / 3)
        assert torch.allclose(convex(predicted, truth, even, 1e-6), torch.tensor([0.7, 0.3, 0.0]), atol=1e-3)
        assert torch.allclose(convex(predicted, truth, even, 1e9), even, atol=1e-3)
        assert torch.equal(convex(predicted[:, :0], truth[:0], even, 1), even)

    def test_each_kind_takes_its_own(self):
        truth = torch.tensor([[0.5, 1, 0], [torch.nan, 0, 1]]).repeat(5000, 1)
        good, bad = truth.nan_to_num(), torch.randn(10_000, 3, generator=torch.Generator().manual_seed(0))
        first, second = bad.clone(), bad.clone()
        first[:, 0], second[:, 1:] = good[:, 0], good[:, 1:]
        found = shares(torch.stack([first, second]), truth, [slice(0, 1), slice(1, 3)], [False, True])
        assert torch.allclose(found, torch.eye(2), atol=0.05)

    def test_the_ensemble_is_no_worse_than_its_parts(self, fitted):
        own = fitted.errors_["ensemble"]
        assert all(own.numbers < 1.02 * part.numbers for part in fitted.errors_.values())


@parametrize_with_checks([VAEImputer(members=1, epochs=1, samples=4, verbose=False)])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)
