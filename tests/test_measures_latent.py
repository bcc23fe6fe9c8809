"""The latent space's measures against closed forms of the linear-Gaussian model, and disentanglement's known values."""

import math

import numpy as np
import pytest
import torch

from vaekit import data
from vaekit.data.shapes import FACTORS, draw_shapes
from vaekit.evaluation import assess_disentanglement, assess_latents, dci, mig, smoothness
from vaekit.evaluation.aggregate import aggregate_log_prob, information_and_mismatch
from vaekit.evaluation.latent import hole_share, kl_each, label_accuracy
from vaekit.tasks import encode
from vaekit.training import Feed


def information(oracle) -> float:
    """I(x; z) of the exact posterior under the model's own data: ½ Σ log(prior variance / posterior variance)."""
    variance = oracle.sigma**2 / (oracle.weight.square().sum(0) + oracle.sigma**2)
    return -0.5 * variance.log().sum().item()


class TestAggregate:
    def test_of_the_whole_data_set_is_exact(self):
        cross = torch.randn(4, 7, dtype=torch.float64)
        expected = cross.logsumexp(1) - math.log(7)
        assert torch.allclose(aggregate_log_prob(cross, torch.tensor([0, 2, 5, 6])), expected)

    def test_of_part_of_it_is_unbiased(self):
        """Over random subsets that hold the point's own example, the mean of q(z) is that of the whole."""
        cross, own = torch.randn(1, 30, dtype=torch.float64), torch.tensor([4])
        others = torch.tensor([j for j in range(30) if j != 4])
        estimates = []
        for _ in range(1500):
            part = torch.cat([own, others[torch.randperm(29)[:6]]])
            estimates.append(aggregate_log_prob(cross[:, part], torch.tensor([0]), 30).exp())
        estimates = torch.cat(estimates)
        error = estimates.std().item() / math.sqrt(1500)
        assert estimates.mean().item() == pytest.approx(cross.exp().mean().item(), abs=4 * error)

    def test_refuses_more_than_there_are(self):
        with pytest.raises(ValueError, match="from 2 to 3 of them, got 5"):
            aggregate_log_prob(torch.zeros(2, 5), torch.tensor([0, 1]), 3)


class TestInformation:
    def test_of_the_exact_posterior_is_the_closed_form(self, linear_gaussian):
        """With the exact posterior, data from the model have q(z) = p(z): all of the KL is information."""
        model, x = linear_gaussian.model(), linear_gaussian.sample(4000)
        found, mismatch = information_and_mismatch(model, Feed(x), 1000)
        assert found == pytest.approx(information(linear_gaussian), abs=0.06)
        assert mismatch == pytest.approx(0, abs=0.03)

    def test_a_shifted_posterior_is_mismatched_by_the_closed_form(self, linear_gaussian):
        """Shifting q(z|x) by 0.8 in both dimensions shifts q(z): KL = ½ · 2 · 0.8², and the information stays."""
        model, x = linear_gaussian.model(shift=0.8), linear_gaussian.sample(4000)
        found, mismatch = information_and_mismatch(model, Feed(x), 1000)
        assert mismatch == pytest.approx(0.64, abs=0.08)
        assert found == pytest.approx(information(linear_gaussian), abs=0.06)

    def test_costly_posteriors_are_estimated_from_fewer(self, linear_gaussian, monkeypatch):
        model, x = linear_gaussian.model(), linear_gaussian.sample(4000)

        def refuse(self, z):
            raise TypeError

        monkeypatch.setattr("vaekit.posteriors.diagonal_normal.DiagonalNormalPosterior.log_prob_each", refuse)
        monkeypatch.setattr("vaekit.posteriors.diagonal_normal.DiagonalNormalPosterior.log_prob", exact_log_prob)
        found, mismatch = information_and_mismatch(model, Feed(x), 1000)
        assert found == pytest.approx(information(linear_gaussian), abs=0.25)
        assert mismatch == pytest.approx(0, abs=0.25)

    def test_deterministic_posteriors_have_none(self, linear_gaussian, monkeypatch):
        monkeypatch.setattr("vaekit.posteriors.diagonal_normal.DiagonalNormalPosterior.deterministic", True)
        model, x = linear_gaussian.model(), linear_gaussian.sample(20)
        assert information_and_mismatch(model, Feed(x)) == (None, None)
        assert kl_each(model, Feed(x)) is None


def exact_log_prob(self, value):
    each = -0.5 * ((value - self.loc).square() / self.log_var.exp() + self.log_var + math.log(2 * math.pi))
    return each.sum(-1)


class TestLatentSpace:
    def test_kl_of_each_dimension_is_the_closed_form(self, linear_gaussian):
        model, x = linear_gaussian.model(shift=0.3), linear_gaussian.sample(700)
        with torch.no_grad():
            q = model.encoder(x)
        expected = 0.5 * (q.log_var.exp() + q.mean.square() - 1 - q.log_var).mean(0)
        assert kl_each(model, Feed(x)) == pytest.approx(expected.tolist(), rel=1e-5)

    def test_a_matching_prior_has_no_holes_and_a_narrow_posterior_leaves_some(self, linear_gaussian):
        """Data from the model fill the prior; data of one spot leave most of it empty."""
        model, x = linear_gaussian.model(), linear_gaussian.sample(2000)
        share, floor = hole_share(model, Feed(x))
        assert abs(share - floor) < 0.03
        share, floor = hole_share(model, Feed(0.1 * x + 0.9 * linear_gaussian.bias))
        assert share > floor + 0.2

    def test_labels_are_read_off_codes(self):
        """Two blobs are told apart by both; an annulus around a blob by neighbours alone; noise by neither."""
        generator = torch.Generator().manual_seed(0)
        z, y = torch.randn(800, 2, generator=generator), np.arange(800) % 2
        blobs = z * 0.3 + 3 * torch.from_numpy(y)[:, None]
        ring = torch.nn.functional.normalize(z) * (0.3 + 2 * torch.from_numpy(y)[:, None])
        for codes, expected in ((blobs, (1, 1)), (ring, (1, 0.5)), (z, (0.5, 0.5))):
            found = label_accuracy(codes[:400], y[:400], codes[400:], y[400:])
            assert found == pytest.approx(expected, abs=0.1)

    def test_the_report(self, linear_gaussian):
        model, x = linear_gaussian.model(), linear_gaussian.sample(300)
        labels = (encode(model, x)[:, 0] > 0).numpy().astype(int)
        report = assess_latents(model, Feed(x[:150]), Feed(x[150:]), y_test=labels[:150], y_train=labels[150:], n=100)
        assert (report.n, report.dims, report.active_units) == (100, 2, 2)
        assert report.linear_accuracy > 0.9
        assert report.neighbor_accuracy > 0.9
        assert report.smoothness.detour == pytest.approx(1, abs=1e-3)  # an affine decoder walks straight
        assert report.smoothness.jump == pytest.approx(1, abs=1e-3)
        assert report.mutual_information <= math.log(100)
        assert assess_latents(model, Feed(x[:150])).linear_accuracy is None

    def test_refuses_labels_of_other_examples(self, linear_gaussian):
        model, feed = linear_gaussian.model(), Feed(linear_gaussian.sample(30))
        with pytest.raises(ValueError, match="one label for each of 30 examples, got 7"):
            assess_latents(model, feed, feed, y_test=np.zeros(30), y_train=np.zeros(7))


class TestSmoothness:
    def test_of_a_half_circle(self):
        angle = torch.linspace(0, math.pi, 200, dtype=torch.float64)
        found = smoothness(torch.stack([angle.cos(), angle.sin()], 1)[None])
        assert found.detour == pytest.approx(math.pi / 2, rel=1e-3)
        assert found.jump == pytest.approx(1, rel=1e-6)
        assert found.path_length == pytest.approx(math.pi**2, rel=1e-3)

    def test_of_a_leap(self):
        found = smoothness(torch.tensor([[[0.0], [0.0], [0.0], [1.0]]]))
        assert found.detour == pytest.approx(1)
        assert found.jump == pytest.approx(3)

    def test_of_nothing_that_moves(self):
        found = smoothness(torch.zeros(2, 5, 3))
        assert (found.detour, found.jump, found.path_length) == (None, None, 0)


class TestDisentanglement:
    factors = np.stack(np.meshgrid(np.arange(3), np.arange(4), np.arange(8), np.arange(6)), -1).reshape(-1, 4)

    @staticmethod
    def noise(columns: int) -> np.ndarray:
        return np.random.default_rng(0).standard_normal((576 * 8, columns))

    def test_a_perfect_code_with_idle_dimensions(self):
        """Each factor in a dimension of its own, permuted and rescaled, among noise: 1 in all."""
        factors = np.tile(self.factors, (8, 1))
        codes = np.concatenate([3 - 2 * factors[:, ::-1], self.noise(2)], 1)
        found = assess_disentanglement(codes, factors)
        assert found.mig == pytest.approx(1, abs=0.02)
        assert found.disentanglement > 0.98
        assert found.completeness > 0.98
        assert found.informativeness == 1

    def test_a_random_code(self):
        """Nothing of the factors: 0, and their values are guessed."""
        factors = np.tile(self.factors, (8, 1))
        found = assess_disentanglement(self.noise(5), factors)
        assert found.mig == pytest.approx(0, abs=0.01)
        assert found.disentanglement < 0.05
        assert found.completeness < 0.05
        assert found.informativeness == pytest.approx(np.mean([1 / 3, 1 / 4, 1 / 8, 1 / 6]), abs=0.03)

    def test_two_copies_of_each_factor_have_no_gap(self):
        """Each dimension serves one factor, but a factor has two: MIG 0."""
        factors = self.factors
        codes = np.concatenate([factors, factors], 1).astype(float)
        assert mig(codes, factors) == pytest.approx(0, abs=1e-9)
        disentanglement, _, _ = dci(codes, factors)
        assert disentanglement > 0.98

    def test_a_rotated_pair_is_entangled(self):
        factors = self.factors[:, 2:]
        codes = factors @ np.array([[1.0, 1.0], [1.0, -1.0]])
        assert mig(codes, factors) < 0.2
        disentanglement, completeness, _ = dci(codes, factors)
        assert disentanglement < 0.3
        assert completeness < 0.3

    def test_constant_factors_do_not_count(self):
        factors = np.concatenate([self.factors, np.zeros((576, 1), int)], 1)
        assert mig(self.factors, factors) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("codes", "factors", "message"),
        [(np.zeros((4, 2)), np.zeros((3, 2)), "of the same examples"), (np.zeros((4, 2)), np.zeros((4, 2)), "varies")],
    )
    def test_refuses(self, codes, factors, message):
        with pytest.raises(ValueError, match=message):
            mig(codes, factors)


class TestShapes:
    @pytest.fixture(scope="class")
    @classmethod
    def shapes(cls):
        return data.load_dataset("shapes")

    def test_every_combination_once_and_no_two_alike(self, shapes):
        assert shapes.x.shape == (6144, 32, 32)
        assert shapes.factor_names == tuple(FACTORS)
        assert len(np.unique(shapes.factors, axis=0)) == len(np.unique(shapes.x.reshape(6144, -1), axis=0)) == 6144
        assert set(np.unique(shapes.x)) == {0, 1}

    def test_factors_are_what_they_say(self, shapes):
        """Centers follow x and y in steps of 1.5 pixels; areas follow the scale; turning squares keeps their place."""
        x, factors = shapes.x.astype(float), shapes.factors
        area = x.sum((1, 2))
        rows, columns = (x.sum(axis) @ (np.arange(32) + 0.5) / area for axis in (2, 1))
        square = factors[:, 0] == 0
        assert np.abs(columns - 16 - 1.5 * (factors[:, 3] - 3.5))[square].max() < 0.3
        assert np.abs(rows - 16 - 1.5 * (factors[:, 4] - 3.5))[square].max() < 0.3
        radius = 5 + 4 * factors[:, 1] / 3
        assert np.allclose(area[square], 2 * radius[square] ** 2, rtol=0.1)
        ellipse = factors[:, 0] == 1
        assert np.allclose(area[ellipse], np.pi / 2 * radius[ellipse] ** 2, rtol=0.12)
        assert x[:, [0, -1]].sum() == x[:, :, [0, -1]].sum() == 0

    def test_hearts_point_down_and_ellipses_lie(self, shapes):
        turn = shapes.factors[:, 2] == 0
        heart = shapes.x[(shapes.factors[:, 0] == 2) & turn]
        assert (heart[:, ::-1].argmax(1).max(1) != 0).all()
        upper = np.array([np.flatnonzero(image.any(1)) for image in heart], dtype=object)
        assert all(image[rows[1]].sum() > image[rows[-2]].sum() for image, rows in zip(heart, upper, strict=True))
        ellipse = shapes.x[(shapes.factors[:, 0] == 1) & turn]
        assert (ellipse.any(1).sum(1) > ellipse.any(2).sum(1)).all()

    def test_are_the_same_each_time(self, shapes):
        x, factors = draw_shapes()
        assert np.array_equal(x, shapes.x)
        assert np.array_equal(factors, shapes.factors)
        assert np.array_equal(shapes.y, factors[:, 0])
        assert shapes.classes == ("square", "ellipse", "heart")

    def test_have_no_files(self):
        entries = {entry.name: entry.where for entry in data.catalogue()}
        assert entries["shapes"] == "drawn"
        with pytest.raises(ValueError, match="'shapes' has no files"):
            data.fetch("shapes")
