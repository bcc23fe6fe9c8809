"""The codec: arrays come back to the bit, and what has no code is refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

import vaekit
from small_codec import SHAPE, back, blob_of, pictures, run_on, same
from vaekit.container import Kind, Reader
from vaekit.data import Context
from vaekit.recipes import Run, codec_model
from vaekit.recipes.codec import compress, decompress, estimate
from vaekit.recipes.codec_files import of_array
from vaekit.recipes.codec_items import Arrays
from vaekit.recipes.codec_labels import Labels
from vaekit.tasks.bits_back import Part


@pytest.fixture(scope="module")
def run() -> Run:
    return run_on(pictures(50))


@pytest.fixture
def small(monkeypatch):
    """Chunks of 8 items."""
    monkeypatch.setattr(Arrays, "at_once", 8)


# round trips

FAR = np.int32(10) ** 6
EXTREMES = {
    "random": pictures(8, seed=1),
    "black": np.zeros((8, *SHAPE), np.uint8),
    "white": np.full((8, *SHAPE), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype(np.uint8),
    "none": np.zeros((0, *SHAPE), np.uint8),
    "one": pictures(1),
    "many": pictures(300, seed=2),
    "whole numbers as floats": pictures(8).astype(np.float64),
    "other byte order": pictures(8).astype(">u2"),
    "far outside": np.random.default_rng(0).integers(-FAR, FAR, (8, *SHAPE)).astype(np.int32),
    "between": np.random.default_rng(0).random((8, *SHAPE)).astype(np.float32),
    "negative zero": -np.zeros((3, *SHAPE), np.float32),
    "not finite": np.full((3, *SHAPE), np.nan),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_arrays_come_back(run, name):
    x = EXTREMES[name]
    assert same(back(run, blob_of(run, x, verify=False)), x)


@pytest.mark.parametrize(
    "x",
    [
        pictures(40, 1, 1),
        pictures(40, 4, 4, 3),
        pictures(40, 3, 4, 4),
        pictures(40, 6),
        pictures(40, 4, 4) // 128,
        pictures(40, 4, 4) > 100,
        (pictures(40, 4, 4) / 255).astype(np.float32),
        pictures(40, 4, 4).astype(np.int64) - 300,
    ],
    ids=lambda x: f"{x.dtype}{x.shape[1:]}",
)
def test_every_layout_is_coded(x):
    run = run_on(x)
    stream = io.BytesIO()
    found = compress(run, of_array(run, x), stream, verify=False)
    assert same(back(run, stream.getvalue()), x)
    assert found.coded == len(x) or x[0].size == 1, found.packed


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 20), st.integers(0, 2**32 - 1), st.sampled_from(["u1", "<i2", ">i4", "<f4", "f8"]), st.booleans())
def test_any_array_comes_back(run, n, seed, dtype, is_far):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 256, (n, *SHAPE)).astype(dtype) * (generator.integers(1, 9) if is_far else 1)
    x = x.astype(dtype)
    assert same(back(run, blob_of(run, x, verify=False)), x)


def test_any_number_of_threads_writes_the_same_bytes(run, small):
    x, before, blobs = pictures(20), torch.get_num_threads(), set()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            blobs.add(blob_of(run, x, verify=False))
            assert same(back(run, blobs.copy().pop()), x)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
    assert len(blobs) == 1


def test_chunks_are_of_about_one_size(run, small):
    x = pictures(35)
    rows = of_array(run, x).chunks()
    assert [each.stop - each.start for each in rows] == [7] * 5
    assert (rows[0].start, rows[-1].stop) == (0, 35)
    assert of_array(run, x[:0]).chunks() == []


def test_some_rows_are_decoded_alone(run, small, monkeypatch):
    x = pictures(40)
    blob, calls = blob_of(run, x, verify=False), []
    decode = codec_model.Codec.decode
    monkeypatch.setattr(codec_model.Codec, "decode", lambda self, *given: calls.append(given) or decode(self, *given))
    assert same(back(run, blob, 14, 26), x[14:26])
    assert len(calls) == 3
    assert same(back(run, blob, -5, None), x[-5:])
    assert same(back(run, blob, 35, 1000), x[35:])
    assert same(back(run, blob, 20, 20), x[:0])


def test_the_estimator_compresses(run, tmp_path):
    x, vae = pictures(8), vaekit.load(run.save(tmp_path / "run"))
    with pytest.raises(ValueError, match="shape"):
        vae.compress(pictures(3, 7, 7))
    assert same(vae.decompress(vae.compress(x)), x)


def test_an_estimate_is_near(run):
    x = pictures(200)
    source = of_array(run, x)
    assert estimate(run, source) == pytest.approx(len(blob_of(run, x)), rel=0.05)


# labels


@pytest.mark.parametrize("prior", ["standard-normal", "conditional-normal"])
def test_a_conditional_model_codes_the_labels_with_the_items(prior):
    x, y = pictures(15), np.arange(15) % 3
    run = run_on(x, y, prior=prior)
    coded = of_array(run, x, y)
    assert same(back(run, blob_of(run, coded)), x)
    assert same(back(run, blob_of(run, x)), x)  # of unknown labels
    with pytest.raises(ValueError, match="unknown label"):
        of_array(run, x, y + 1)


def test_labels_cost_their_information_and_come_back():
    y = np.random.default_rng(0).choice(4, 3000, p=[0.7, 0.1, 0.1, 0.1]) - 1
    labels, below = Labels(Context("labels", ("a", "b", "c"))), bytes(range(1, 41))
    data = labels.push(below, y)
    assert 8 * (len(data) - len(below)) == pytest.approx(3000 * entropy([0.7, 0.1, 0.1, 0.1], base=2), rel=0.03)
    again, found = labels.pop(data, 3000)
    assert again == below
    assert np.array_equal(found, y)


def test_numbers_that_describe_items_are_unknown_to_the_model():
    x = pictures(8)
    run = run_on(x, np.random.default_rng(0).normal(size=(8, 2)))
    assert same(back(run, blob_of(run, of_array(run, x, np.zeros((8, 2))))), x)


# refusals


def test_another_model_is_refused(run):
    blob = blob_of(run, pictures(20))
    other = run_on(pictures(50), latent_dim=3)
    with pytest.raises(ValueError, match="another model"):
        decompress(other, Reader(blob))
    with pytest.raises(ValueError, match="name its run"):
        decompress(None, Reader(blob))


def test_a_machine_that_computes_otherwise_is_refused(run, monkeypatch):
    blob = blob_of(run, pictures(20))
    monkeypatch.setattr(codec_model.Codec, "probe", lambda self, count: "0" * 16)
    monkeypatch.setattr(codec_model, "version", lambda name: "9.9")
    with pytest.raises(ValueError, match=r"computes otherwise.*torch .* \(here 9.9\)"):
        decompress(run, Reader(blob))


def test_models_without_a_code_are_refused_before_anything_is_written():
    x, stream = pictures(20), io.BytesIO()
    flow = run_on(x, prior="flow")
    with pytest.raises(TypeError, match="gaussian-mixture"):
        compress(flow, of_array(flow, x), stream)
    assert not stream.getvalue()


def test_what_does_not_come_back_is_packed(run, monkeypatch):
    x = pictures(40)
    monkeypatch.setattr(codec_model, "decode_examples", lambda *given: (_ for _ in ()).throw(ValueError("not there")))
    stream = io.BytesIO()
    found = compress(run, of_array(run, x), stream)
    assert found.packed == {"not there": 40}
    assert [chunk.kind for chunk in Reader(stream.getvalue()).chunks] == [Kind.PACKED]
    monkeypatch.undo()
    assert same(back(run, stream.getvalue()), x)


def test_the_header_says_where_it_was_made(run):
    header = Reader(blob_of(run, pictures(3))).header
    assert json.dumps(header)
    assert {"vaekit", "torch", "constriction", "platform"} == set(header["made"])


@pytest.mark.parametrize("sizes", [(), (1,), (1, 128, 128), (1, 1, 128, 5), (1, 128, 64, 128, 128, 3), (1, 128, 2, 1)])
@pytest.mark.parametrize("last_is_plain", [False, True])
def test_batches_that_are_as_large_as_they_can_be_are_not_told(sizes, last_is_plain):
    parts = tuple(Part(size, last_is_plain and at == len(sizes) - 1) for at, size in enumerate(sizes))
    told = codec_model._told(parts)
    read = tuple(Part(byte % 128 + 1, byte >= 128) for byte in told)
    assert codec_model._completed(read, sum(sizes)) == parts
    assert last_is_plain or len(told) <= max(0, len(parts) - 1)
