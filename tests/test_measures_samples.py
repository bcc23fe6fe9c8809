"""Distances, neighbourhoods, features and sharpness against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from vaekit.evaluation import (
    Against,
    Features,
    assess_samples,
    frechet,
    inception_distance,
    kernel_distance,
    label_features,
    neighbors,
    random_features,
    sharpness,
    value_features,
)
from vaekit.evaluation.bootstrap import mean_interval, resample
from vaekit.evaluation.distances import Moments, mean_kernel, moments, normal_distance
from vaekit.training import Feed


def normal(n: int, dims: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed)) + shift


class TestFrechet:
    def test_equals_the_formula_with_scipys_square_root(self):
        a, b = normal(500, 6, 1).double(), (normal(400, 6, 2) @ normal(6, 6, 3) + 0.7).double()
        left, right = np.cov(a.numpy().T), np.cov(b.numpy().T)
        expected = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(left + right - 2 * sqrtm(left @ right).real)
        assert frechet(a, b).item() == pytest.approx(expected, rel=1e-9)

    def test_of_diagonal_normals_is_the_closed_form(self):
        """Σ (μ - ν)² + (σ - τ)²."""
        mu, sigma, nu, tau = torch.rand(4, 3, 5, dtype=torch.float64)
        a, b = Moments(mu, torch.diag_embed(sigma**2)), Moments(nu, torch.diag_embed(tau**2))
        expected = (mu - nu).square().sum(1) + (sigma - tau).square().sum(1)
        assert torch.allclose(normal_distance(a, b), expected)

    def test_is_zero_for_the_same_set_even_of_low_rank(self):
        a = normal(300, 4, 1) @ normal(4, 20, 2)
        assert frechet(a, a.flip(0)).item() == pytest.approx(0, abs=1e-9)

    def test_weights_count_rows(self):
        a, counts = normal(50, 3, 1).double(), torch.randint(0, 4, (1, 50), generator=torch.Generator().manual_seed(1))
        found, repeated = moments(a, counts.double()), a.repeat_interleave(counts[0], 0)
        assert torch.allclose(found.mean[0], repeated.mean(0))
        assert torch.allclose(found.covariance[0], torch.cov(repeated.T))


class TestKernelDistance:
    def test_equals_the_definition(self):
        a, b = normal(30, 4, 1).double(), normal(20, 4, 2, 0.5).double()

        def kernel(x, y):
            return (x @ y.T / 4 + 1) ** 3

        within = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (kernel(a, a), kernel(b, b))]
        assert kernel_distance(a, b).item() == pytest.approx((sum(within) - 2 * kernel(a, b).mean()).item(), rel=1e-9)

    def test_is_unbiased(self):
        """Its mean over pairs of samples of one distribution is 0; between shifted ones it is positive."""
        same = torch.stack([kernel_distance(normal(60, 3, 2 * s), normal(60, 3, 2 * s + 1)) for s in range(300)])
        assert abs(same.mean()) < 4 * same.std() / math.sqrt(300)
        assert kernel_distance(normal(500, 3, 1), normal(500, 3, 2, 0.5)) > 5 * same.std()

    def test_weights_count_rows_that_are_not_paired_with_themselves(self):
        a, b = normal(12, 3, 1).double(), normal(9, 3, 2).double()
        counts = torch.tensor([[2.0, *[1.0] * 10, 0.0]], dtype=torch.float64)
        kernel = (a @ a.T / 3 + 1) ** 3
        kernel.fill_diagonal_(0)
        expected = (counts @ kernel @ counts.T).item() / (144 - counts.square().sum().item())
        assert mean_kernel(a, counts).item() == pytest.approx(expected)
        across = mean_kernel(a, counts, b, b.new_ones(1, 9)).item()
        assert across == pytest.approx((counts @ ((a @ b.T / 3 + 1) ** 3)).mean().item() / 12, rel=1e-9)


class TestNeighbors:
    def test_equal_sets(self):
        a = normal(600, 5, 1)
        found = neighbors(a, a.flip(0), 5)
        assert found.precision.mean() == found.recall.mean() == found.coverage.mean() == 1
        assert found.density.mean() >= 1

    def test_far_sets(self):
        found = neighbors(normal(100, 5, 1), normal(90, 5, 2, 1000.0), 3)
        assert (found.precision.sum(), found.recall.sum(), found.density.sum(), found.coverage.sum()) == (0, 0, 0, 0)

    def test_one_of_two_modes(self):
        """Generating one mode only is precise and covers half."""
        real = torch.cat([normal(300, 2, 1), normal(300, 2, 2, 100.0)])
        found = neighbors(normal(600, 2, 3), real, 5)
        assert found.precision.mean() > 0.9
        assert 0.4 < found.recall.mean() <= 0.5
        assert 0.4 < found.coverage.mean() <= 0.5

    def test_on_a_line(self):
        """Real 0, 1, 3 with k = 1 reach 1, 1, 2; generated -0.5, 2.5, 9, 9.5 reach 3, 3, 0.5, 0.5."""
        found = neighbors(torch.tensor([[-0.5], [2.5], [9.0], [9.5]]), torch.tensor([[0.0], [1.0], [3.0]]), 1)
        assert found.precision.tolist() == [1, 1, 0, 0]
        assert found.density.tolist() == [1, 1, 0, 0]
        assert found.recall.tolist() == [1, 1, 1]
        assert found.coverage.tolist() == [1, 0, 1]

    def test_refuses_too_few(self):
        with pytest.raises(ValueError, match="more than k=5"):
            neighbors(normal(5, 2, 1), normal(10, 2, 1))


class TestBootstrap:
    def test_a_mean_has_its_standard_errors(self):
        x = normal(400, 1, 1).flatten()
        weights = resample(400, 2000, torch.Generator().manual_seed(0))
        assert (weights.sum(1) == 400).all()
        found = mean_interval(x, weights)
        assert found.value == pytest.approx(x.double().mean().item())
        assert (found.high - found.low) / 2 == pytest.approx(1.96 * x.std().item() / 20, rel=0.1)


class TestFeatures:
    @pytest.fixture(scope="class")
    @classmethod
    def blobs(cls):
        """Images of three classes, a bright quarter each."""
        x, y = torch.rand(600, 1, 8, 8, generator=torch.Generator().manual_seed(0)), np.arange(600) % 3
        for i, label in enumerate(y):
            x[i, 0, 4 * (label // 2) :, 4 * (label % 2) :][:4, :4] += 1
        return x, y

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, blobs):
        return label_features(*blobs, steps=40)

    def test_learn_the_labels_and_are_scaled(self, trained, blobs):
        assert trained.accuracy > 0.95
        values = trained(blobs[0])
        assert values.shape == (600, 128)
        assert values.var(0).mean().item() == pytest.approx(1, abs=0.1)

    def test_the_seed_decides(self, trained, blobs):
        assert label_features(*blobs, steps=40).sha256 == trained.sha256
        assert label_features(*blobs, steps=40, seed=1).sha256 != trained.sha256
        assert random_features(blobs[0]).sha256 == random_features(blobs[0]).sha256 != trained.sha256

    def test_survive_a_file(self, trained, blobs, tmp_path):
        trained.save(tmp_path / "features.safetensors")
        loaded = Features.load(tmp_path / "features.safetensors")
        assert (loaded.sha256, loaded.accuracy, loaded.kind) == (trained.sha256, trained.accuracy, "labels")
        assert torch.equal(loaded(blobs[0]), trained(blobs[0]))
        (tmp_path / "bad").write_bytes(b"nothing")
        with pytest.raises(ValueError, match="bad"):
            Features.load(tmp_path / "bad")

    def test_values_are_the_standardized_examples(self, blobs):
        x = blobs[0]
        found = value_features(x)(Feed(x))
        flat = x.flatten(1)
        expected = (flat - flat.mean(0)) / flat.var(0, correction=0).mean().sqrt()
        assert torch.allclose(found, expected, atol=1e-5)

    def test_leave_torchs_random_state(self, blobs):
        before = torch.get_rng_state()
        label_features(*blobs, steps=2)
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("y", [np.zeros(600), np.arange(10)])
    def test_refuse_labels_that_do_not_fit(self, blobs, y):
        with pytest.raises(ValueError, match="one label for each of 600 examples"):
            label_features(blobs[0], y, steps=1)

    def test_refuse_other_shapes(self, trained):
        with pytest.raises(ValueError, match=r"\(1, 8, 8\)"):
            trained(torch.zeros(3, 1, 9, 9))


class TestSharpness:
    def test_of_a_checkerboard_and_a_plane(self):
        """The Laplacian of ±1 in a checkerboard is ∓8; that of a plane is 0."""
        rows, columns = torch.meshgrid(torch.arange(10.0), torch.arange(10.0), indexing="ij")
        board, plane = 1 - 2 * ((rows + columns) % 2), 2 * rows - columns
        found = sharpness(torch.stack([board, plane])[:, None])
        assert found[0].item() == pytest.approx(64)
        assert found[1].item() == pytest.approx(0, abs=1e-9)

    def test_refuses_vectors(self):
        with pytest.raises(ValueError, match="at least 3 by 3"):
            sharpness(torch.zeros(4, 5))


class TestComparison:
    def test_against_itself_and_against_blur(self):
        x = torch.rand(120, 1, 8, 8)
        against = Against(x, value_features(x), replicates=20)
        same, blurred = against.compare(x), against.compare(torch.nn.functional.avg_pool2d(x, 3, 1, 1))
        assert same.frechet.value == pytest.approx(0, abs=1e-6)
        assert same.precision.value == same.recall.value == same.coverage.value == 1
        assert same.sharpness.value == pytest.approx(1)
        assert blurred.sharpness.high < 0.2
        assert blurred.frechet.low > same.frechet.high
        assert blurred.kernel.value > same.kernel.value

    def test_a_perfect_model_is_at_the_floor(self, linear_gaussian):
        """The model whose data these are, against the same model seen through twice its noise."""
        test, train = linear_gaussian.sample(1500, seed=7), linear_gaussian.sample(2000, seed=8)
        report = assess_samples(linear_gaussian.model(), test, train, value_features(train), n=1500, replicates=40)
        assert report.n == 1500
        for name in ("frechet", "kernel", "density"):
            assert getattr(report.draws, name).overlaps(getattr(report.floor, name)), name
        assert report.means.frechet.low > report.floor.frechet.high
        assert report.draws.sharpness is None
        assert report.features["kind"] == "values"
        assert len(report.features["sha256"]) == 64

    def test_numbers_are_equal_and_intervals_hold_their_estimates(self, linear_gaussian):
        x = linear_gaussian.sample(90)
        report = assess_samples(linear_gaussian.model(), x[:30], x[30:], value_features(x), replicates=20)
        assert report.n == 30
        for part in report.to_json()["floor"].values():
            assert part is None or part["low"] <= part["value"] <= part["high"]

    def test_refuses_a_handful(self):
        with pytest.raises(ValueError, match="at least 10 examples"):
            Against(torch.rand(9, 3), value_features(torch.rand(20, 3)))


def test_inception_refuses_in_one_sentence(tmp_path):
    images = torch.zeros(2, 1, 8, 8)
    with pytest.raises((ImportError, FileNotFoundError), match="FID needs"):
        inception_distance(images, images, tmp_path / "absent.pth")
