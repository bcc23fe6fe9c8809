"""Data sources, schemas and splits, against hand-made bytes, scikit-learn, pillow and published figures."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image
from sklearn.preprocessing import StandardScaler

from vaekit import data
from vaekit.data import Dataset, Schema, arrayfiles, download, published
from vaekit.data.pictures import as_pixels, item_from_file

F32 = np.float32
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 4, 6), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    header = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def test_importing_is_light():
    heavy = ("torch", "sklearn", "PIL", "narwhals", "pandas", "pydantic", "matplotlib")
    code = f"import sys, vaekit.data, vaekit.store; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "mean", "std"), [("fashion-mnist", 0.2860, 0.3530), ("mnist", 0.1307, 0.3081)])
def test_real_data_have_the_published_statistics(name, mean, std):
    folder = os.environ.get("VAEKIT_DATA_DIR")
    if folder is None or not Path(folder, name).is_dir():
        pytest.skip(f"the real files are needed: VAEKIT_DATA_DIR is not set or has no folder {name}")
    dataset = data.load_dataset(name)
    assert dataset.x.shape == (60000, 28, 28)
    assert dataset.x_test is not None
    assert dataset.x_test.shape == (10000, 28, 28)
    assert dataset.x.mean() / 255 == pytest.approx(mean, abs=5e-5)
    assert dataset.x.std() / 255 == pytest.approx(std, abs=5e-5)
    figures = data.describe(dataset)
    assert figures["classes"].keys() == set(dataset.classes)
    if name == "fashion-mnist":
        assert set(figures["classes"].values()) == {6000}
        assert dataset.classes[9] == "Ankle boot"


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    x, y = data.load("digits")
    vectors, labels = load_digits(return_X_y=True)
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, np.reshape(vectors, (-1, 8, 8)))
    np.testing.assert_array_equal(y, labels)
    schema = Schema.infer(x)
    assert (schema.shape, schema.scale, schema.high, schema.step) == ((1, 8, 8), (16.0,), 16.0, 1.0)


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_are_read_in_native_order(tmp_path, code, dtype, pack):
    array = (RNG.normal(size=(3, 2, 4)) * 50).astype(dtype)
    path = tmp_path / "some-idx3"
    path.write_bytes(pack(idx_bytes(array, code)))
    read = data.load_dataset(path).x
    np.testing.assert_array_equal(read, array)
    assert read.dtype == np.dtype(dtype)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx_bytes(GREY)[:-1], "truncated"),
        (idx_bytes(GREY) + b"x", "too long|truncated"),
        (idx_bytes(GREY)[:6], "header ends early"),
        (b"", "not an IDX file"),
        (b"\x89PNG" + bytes(40), "not an IDX file"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(100), "more than it can hold"),
    ],
)
def test_damaged_idx_files_are_refused_before_memory_is_taken(tmp_path, pack, content, message):
    path = tmp_path / "a-idx3-ubyte"
    path.write_bytes(pack(content))
    tracemalloc.start()
    with pytest.raises(ValueError, match=message) as caught:
        data.load(path)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    assert str(path) in str(caught.value)


def test_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(GREY))[:-20])
    with pytest.raises(ValueError, match="damaged or truncated"):
        data.load(path)


def test_a_folder_of_idx_files_has_labels_and_a_test_set(tmp_path):
    for part, n in (("train", 5), ("t10k", 2)):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(GREY[:n])))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(n, dtype=np.uint8)))
    whole = data.load_dataset(tmp_path)
    assert whole.x_test is not None
    np.testing.assert_array_equal(whole.x, GREY)
    np.testing.assert_array_equal(whole.x_test, GREY[:2])
    np.testing.assert_array_equal(whole.y_test, [0, 1])
    x, y = data.load(tmp_path / "train-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(x, GREY)
    np.testing.assert_array_equal(y, range(5))


@pytest.mark.parametrize("items", ["x", "X", "x_train", "data", "images", "arr_0", "whatever"])
def test_npz_items_are_found_by_name_or_by_being_alone(tmp_path, items):
    arrays: dict[str, Any] = {items: COLOR}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    dataset = data.load_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.x, COLOR)
    assert (dataset.y, dataset.x_test, dataset.name) == (None, None, "a")


def test_npz_labels_and_test_set(tmp_path):
    np.savez(tmp_path / "a.npz", x=GREY, target=np.arange(5.0), x_test=GREY[:2], y_test=[[3], [4]])
    dataset = data.load_dataset(str(tmp_path / "a.npz"))
    assert dataset.y is not None
    assert dataset.y.dtype == np.int64
    np.testing.assert_array_equal(dataset.y_test, [3, 4])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": GREY, "b": GREY}, "must hold an array named .* it holds a, b"),
        ({"x": np.array([{}, 1], dtype=object)}, "Python objects"),
        ({"x": np.zeros((0, 3))}, "empty array"),
        ({"x": np.array(3.0)}, "single number"),
        ({"x": np.array(["a", "b"])}, "array of numbers"),
        ({"x": GREY, "y": np.arange(4)}, "one label for each of 5"),
        ({"x": GREY, "y": np.arange(5) / 2}, "whole numbers"),
        ({"x": GREY, "x_test": COLOR}, "unlike training items"),
    ],
)
def test_npz_with_unusable_content_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        data.load(tmp_path / "a.npz")


def hostile_npy() -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)})
    return stream.getvalue() + bytes(64)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x93NUMPY\x01\x00", b"\x80\x04N.", hostile_npy()])
def test_damaged_numpy_files_are_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", content)
    (tmp_path / "c.npz").write_bytes(content)
    for name in ("a.npy", "b.npz", "c.npz"):
        with pytest.raises(ValueError, match=f"{name}.*(damaged|truncated)"):
            data.load(tmp_path / name)


def test_a_file_larger_than_memory_is_refused(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", GREY)
    monkeypatch.setattr(arrayfiles, "_available_memory", lambda: GREY.nbytes - 1)
    with pytest.raises(ValueError, match="GB of memory"):
        data.load(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("fashon-mnist", ValueError, "unknown data set 'fashon-mnist'; did you mean 'fashion-mnist'"),
        ("Fashion_MNIST", ValueError, "did you mean 'fashion-mnist'"),
        ("", ValueError, "unknown data set ''"),
        ("qqqq", ValueError, "Known are digits, fashion-mnist, mnist"),
        ("nowhere/x.npy", FileNotFoundError, "no such file or folder: nowhere/x.npy"),
        (GREY, TypeError, "got ndarray"),
    ],
)
def test_unknown_sources(source, error, message):
    with pytest.raises(error, match=message):
        data.load(source)


def test_unknown_file_types_are_refused(tmp_path):
    (tmp_path / "a.sav").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"expected \.csv, \.tsv, \.parquet, \.npy, \.npz"):
        data.load(tmp_path / "a.sav")


def save_images(folder, arrays, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for index, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{index}{suffix}")


@pytest.mark.parametrize("images", [GREY, COLOR, GREY.astype(np.uint16) * 250])
def test_a_folder_of_images_is_read_as_it_was_written(tmp_path, images):
    save_images(tmp_path, images)
    (tmp_path / ".hidden.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("no image")
    dataset = data.load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.x, images)
    assert dataset.x.dtype == images.dtype
    assert dataset.y is None


def test_subfolders_are_classes_in_sorted_order(tmp_path):
    save_images(tmp_path / "shoe" / "inner", GREY[:2])
    save_images(tmp_path / "bag", GREY[2:])
    (tmp_path / "empty").mkdir()
    dataset = data.load_dataset(tmp_path)
    assert dataset.classes == ("bag", "shoe")
    np.testing.assert_array_equal(dataset.x, GREY[[2, 3, 4, 0, 1]])
    np.testing.assert_array_equal(dataset.y, [0, 0, 0, 1, 1])
    assert data.describe(dataset)["classes"] == {"bag": 3, "shoe": 2}


def test_grey_files_beside_color_files_become_color(tmp_path):
    save_images(tmp_path / "a", COLOR)
    save_images(tmp_path / "b", GREY)
    save_images(tmp_path / "c", GREY.astype(np.uint16) * 257)
    x, _ = data.load(tmp_path)
    np.testing.assert_array_equal(x, [*COLOR, *np.repeat(GREY[..., None], 3, -1), *np.repeat(GREY[..., None], 3, -1)])


def test_eight_bits_beside_sixteen_keep_their_brightness(tmp_path):
    save_images(tmp_path / "a", GREY)
    save_images(tmp_path / "b", GREY.astype(np.uint16) * 257)
    x, _ = data.load(tmp_path)
    np.testing.assert_array_equal(x[:5], x[5:])


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparency_is_composited_on_white(tmp_path, mode):
    ink, alpha = 51, 102
    channels = {"LA": (ink, alpha), "RGBA": (ink, ink, ink, alpha), "P": 0}[mode]
    image = Image.new(mode, (3, 2), channels)
    options: dict[str, Any] = {}
    if mode == "P":
        image.putpalette([ink] * 3)
        options = {"transparency": bytes([alpha])}
    image.save(tmp_path / "a.png", **options)
    x, _ = data.load(tmp_path)
    assert np.unique(x) == pytest.approx(ink * alpha / 255 + 255 - alpha, abs=1)
    assert x.shape == ((1, 2, 3, 3) if mode == "RGBA" else (1, 2, 3))


@pytest.mark.parametrize(("suffix", "loss"), [(".tif", 0), (".png", 0), (".jpg", 5)])
def test_exif_orientation_is_applied(tmp_path, suffix, loss):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to look at it
    Image.fromarray(GREY[0]).save(tmp_path / f"a{suffix}", exif=exif, quality=100)
    x, _ = data.load(tmp_path)
    np.testing.assert_allclose(x[0].astype(int), np.rot90(GREY[0], -1), rtol=0, atol=loss)


def test_images_of_mixed_sizes_need_resize(tmp_path):
    save_images(tmp_path, [GREY[0], GREY[1, :3]])
    with pytest.raises(ValueError, match=r"0\.png is 4 x 6 .*1\.png is 3 x 6; .*--resize 64"):
        data.load(tmp_path)
    assert data.load(tmp_path, resize=(5, 7))[0].shape == (2, 5, 7)


def test_unusable_image_folders_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="holds no images"):
        data.load(tmp_path)
    save_images(tmp_path, GREY)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
        with pytest.raises(ValueError, match=r"0\.png has too many pixels"):
            data.load(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(arrayfiles, "_available_memory", lambda: 100)
        with pytest.raises(ValueError, match=r"the 5 images .* GB of memory"):
            data.load(tmp_path)
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:50])
    with pytest.raises(ValueError, match=r"cannot read the image .*3\.png"):
        data.load(tmp_path)
    save_images(tmp_path / "sub", GREY)
    with pytest.raises(ValueError, match="images beside subfolders of images"):
        data.load(tmp_path)


def test_images_of_floating_point_numbers_are_refused(tmp_path):
    save_images(tmp_path, [GREY[0].astype(F32)], ".tif")
    with pytest.raises(ValueError, match=r"floating-point numbers; save them as \.npy"):
        data.load(tmp_path)


def test_parts_of_a_data_set_are_not_taken_for_classes(tmp_path):
    save_images(tmp_path / "train", GREY)
    save_images(tmp_path / "test", GREY)
    with pytest.raises(ValueError, match="parts of a data set, not classes"):
        data.load(tmp_path)


def test_resizing_is_pillows(tmp_path):
    np.savez(tmp_path / "a.npz", x=COLOR, x_test=COLOR[:2])
    dataset = data.load_dataset(tmp_path / "a.npz", resize=(3, 9))
    expected = [np.asarray(Image.fromarray(image).resize((9, 3), Image.Resampling.LANCZOS)) for image in COLOR]
    np.testing.assert_array_equal(dataset.x, np.clip(expected, COLOR.min(), COLOR.max()))
    assert dataset.x_test is not None
    np.testing.assert_array_equal(dataset.x_test[..., 0].shape, (2, 3, 9))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 8, 8, 3), (6, 3, 8, 8)])
def test_resizing_keeps_dtype_layout_and_range(tmp_path, dtype, shape):
    images = RNG.integers(0, 2, shape).astype(dtype)
    np.save(tmp_path / "a.npy", images)
    x, _ = data.load(tmp_path / "a.npy", resize=5)
    assert x.shape == tuple(5 if side == 8 else side for side in shape)
    assert x.dtype == dtype
    assert x.min() >= 0
    assert x.max() <= 1


@pytest.mark.parametrize("resize", [0, -1, 2.5, True, "64", (1, 2, 3), (4, 0)])
def test_invalid_sizes_are_refused(resize):
    with pytest.raises(ValueError, match="resize must be"):
        data.load("digits", resize=resize)


def test_vectors_are_not_resized(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(3))
    with pytest.raises(ValueError, match="resize applies to images"):
        data.load(tmp_path / "a.npy", resize=8)


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    """A data set "tiny" of one file, a local server, and what the server answers for each path."""
    content = gzip.compress(idx_bytes(GREY), mtime=0)
    answers: dict[str, bytes] = {"/good/f.gz": content, "/short/f.gz": content[:-5], "/wrong/f.gz": content[:-1] + b"x"}
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    file = published.PublishedFile("f.gz", len(content), hashlib.sha256(content).hexdigest())

    def offer(*paths):
        mirrors = tuple("http://127.0.0.1:1/" if path == "refused" else f"{root}/{path}/" for path in paths)
        entry = published.PublishedData("tiny", "page", "licence", (), (file,), mirrors)
        monkeypatch.setitem(published.PUBLISHED, "tiny", entry)

    monkeypatch.setenv("VAEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("VAEKIT_DATA_DIR", raising=False)
    yield offer, asked, content
    server.shutdown()
    server.server_close()


def test_mirrors_are_tried_in_turn_until_one_delivers(mirror, tmp_path):
    offer, asked, content = mirror
    offer("refused", "missing", "short", "wrong", "good")
    steps = []
    folder = data.fetch("tiny", progress=lambda *step: steps.append(step))
    assert folder == tmp_path / "cache" / "tiny"
    assert [path.name for path in folder.iterdir()] == ["f.gz"]
    assert (folder / "f.gz").read_bytes() == content
    assert steps[-1] == ("f.gz", len(content), len(content))
    data.fetch("tiny")
    assert asked == [f"/{path}/f.gz" for path in ("missing", "short", "wrong", "good")]


def test_a_bad_file_in_the_cache_is_downloaded_again(mirror):
    offer, _, content = mirror
    offer("good")
    path = data.fetch("tiny") / "f.gz"
    path.write_bytes(content[:-1] + b"x")
    data.fetch("tiny")
    assert path.read_bytes() == content


def test_if_no_mirror_delivers_one_sentence_says_what_to_do(mirror, tmp_path):
    offer, _, _ = mirror
    offer("refused", "missing", "short", "wrong")
    with pytest.raises(
        OSError, match=r"'tiny' \(.*refused.*Not Found.*wrong SHA-256.*VAEKIT_DATA_DIR.*digits"
    ) as caught:
        data.fetch("tiny")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "tiny").iterdir()) == []


def test_own_files_go_first_and_are_never_touched(mirror, tmp_path, monkeypatch):
    offer, asked, content = mirror
    offer("good")
    own = tmp_path / "own" / "tiny"
    own.mkdir(parents=True)
    monkeypatch.setenv("VAEKIT_DATA_DIR", str(own.parent))
    assert {entry.name: entry.where for entry in data.catalogue()}["tiny"] == "not yet downloaded"
    (own / "f.gz").write_bytes(content)
    assert {entry.name: entry.where for entry in data.catalogue()}["tiny"] == "VAEKIT_DATA_DIR"
    assert data.fetch("tiny") == own
    (own / "f.gz").write_bytes(b"mine")
    with pytest.raises(OSError, match=r"f\.gz is not the published file of 'tiny'"):
        data.fetch("tiny")
    assert (own / "f.gz").read_bytes() == b"mine"
    assert asked == []


def test_a_cache_that_cannot_be_written_is_named(mirror, tmp_path, monkeypatch):
    offer, _, _ = mirror
    offer("good")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VAEKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot write to .*; set VAEKIT_CACHE"):
        data.fetch("tiny")


def test_the_catalogue_lists_what_is_known():
    entries = {entry.name: entry for entry in data.catalogue()}
    assert entries["digits"].where == "included"
    assert data.fetch("digits").joinpath("digits.csv.gz").is_file()
    assert entries["mnist"].size == 9912422 + 28881 + 1648877 + 4542
    with pytest.raises(ValueError, match="did you mean 'mnist'"):
        download.fetch("minst")


LEVELS = np.arange(256).reshape(1, 16, 16).repeat(2, 0)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (GREY, (0, 255, 1, 0, 255)),
        (GREY // 8, (0, 31, 1, 0, 31)),
        (GREY // 7, (0, 255, 1, 0, 255)),
        (GREY > 99, (0, 1, 1, 0, 1)),
        ((GREY > 99).astype(np.uint8), (0, 1, 1, 0, 1)),
        ((GREY > 99).astype(F32), (0, 1, 1, 0, 1)),
        (GREY.astype(np.uint16) + 1, (0, 65535, 1, 0, 65535)),
        (LEVELS - 100, (-100, 255, 1, -100, 155)),
        (LEVELS.astype(F32), (0, 255, 1, 0, 255)),
        (LEVELS.astype(float) % 17, (0, 16, 1, 0, 16)),
        ((LEVELS / 255), (0, 1, 1 / 255, 0, 1)),
        (LEVELS.astype(F32) / F32(255), (0, 1, 1 / 255, 0, 1)),
        (LEVELS.astype(F32) * F32(1 / 255), (0, 1, 1 / 255, 0, 1)),
        ((LEVELS / 255).astype(np.float16), (0, 1, 1 / 255, 0, 1)),
        (LEVELS / 256, (0, 1, None, 0, 1)),
        (LEVELS / 300, (0, 1, None, 0, 1)),
        (LEVELS / 127.5 - 1, (-1, 2, None, -1, 1)),
        (LEVELS * 2.5, (0, 637.5, None, 0, 637.5)),
    ],
)
def test_images_are_scaled_by_what_their_values_are(x, expected):
    schema = Schema.infer(x)
    offset, scale, step, low, high = expected
    assert (schema.offset, schema.scale, schema.step, schema.low, schema.high) == ((offset,), (scale,), step, low, high)
    assert schema.dtype == x.dtype.name


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ((4, 6), (1, 4, 6)),
        ((4, 6, 3), (3, 4, 6)),
        ((5, 6, 1), (1, 5, 6)),
        ((5, 6, 4), (4, 5, 6)),
        ((3, 5, 6), (3, 5, 6)),
        ((3, 3, 3), (3, 3, 3)),
        ((7,), (7,)),
    ],
)
def test_layouts_are_arranged_channels_first_and_restored(layout, shape):
    x = RNG.integers(0, 256, (3, *layout), dtype=np.uint8)
    schema = Schema.infer(x)
    arranged = schema.arrange(x)
    assert schema.shape == shape
    assert arranged.shape == (3, *shape)
    assert arranged.dtype == np.uint8
    assert np.shares_memory(arranged, x)
    if layout[-1] in (3, 4):
        np.testing.assert_array_equal(arranged[:, 1], x[..., 1])
    np.testing.assert_array_equal(schema.restore(schema.normalize(x)), x)
    assert schema.restore(np.zeros((2, 5, *shape), F32)).shape == (2, 5, *layout)


@pytest.mark.parametrize("shape", [(), (5,), (5, 4, 4, 5), (2, 2, 2, 2, 2), (5, 0), (0, 5)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape|single number"):
        Schema.infer(np.zeros(shape))


def test_columns_are_standardized_like_scikit_learns():
    x = RNG.normal(size=(50, 4)) * [1, 1e-6, 1e5, 3] + [0, 5, 1e9, -7]
    schema = Schema.infer(x)
    np.testing.assert_allclose(schema.normalize(x), StandardScaler().fit_transform(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(schema.restore(schema.normalize(x)), x, rtol=1e-9, atol=1e-6)
    assert schema.step is None


def test_large_columns_keep_their_precision_in_float64():
    x = 1e9 + np.arange(6.0)[:, None] * [1, 0.5]
    schema = Schema.infer(x)
    np.testing.assert_allclose(schema.normalize(x).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(schema.restore(schema.normalize(x)), x, rtol=0, atol=1e-6)


def test_constant_columns_are_centered_without_division_by_zero():
    x = np.column_stack([np.full(9, 0.1), np.arange(9)])
    schema = Schema.infer(x)
    assert schema.scale[0] == 1
    np.testing.assert_array_equal(schema.normalize(x)[:, 0], 0)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_binary_vectors_are_binary(dtype):
    schema = Schema.infer(RNG.integers(0, 2, (9, 5)).astype(dtype))
    assert (schema.offset, schema.scale, schema.step, schema.high) == ((0,), (1,), 1, 1)


def test_integer_vectors_come_back_as_integers_in_range():
    x = RNG.integers(-50, 1000, (40, 3))
    schema = Schema.infer(x)
    np.testing.assert_array_equal(schema.restore(schema.normalize(x)), x)
    far = schema.restore(np.full((1, 3), 99.0))
    np.testing.assert_array_equal(far[0], x.max(0))
    assert far.dtype == x.dtype


def images_of(dtype: str):
    most = {"float16": 65504.0, "float32": 2.0**126, "float64": 1e300}.get(dtype)
    return hnp.arrays(dtype, (4, 3, 5), elements=most and {"min_value": -most, "max_value": most})


DTYPES = ["bool", "uint8", "uint16", "int8", "int16", "float16", "float32", "float64"]


@given(st.sampled_from(DTYPES).flatmap(images_of))
def test_any_image_is_normalized_to_the_unit_range_and_back(x):
    if x.min() == x.max():
        return
    schema = Schema.infer(x)
    z = schema.normalize(x)
    assert z.dtype == np.float32
    assert z.min() >= 0
    assert z.max() <= 1
    back = schema.restore(z)
    assert back.dtype == x.dtype
    tolerance = (
        0 if schema.step else 2e-3 * float(schema.scale[0]) if x.dtype == np.float16 else 3e-7 * float(schema.scale[0])
    )
    np.testing.assert_allclose(back.astype(float), x.astype(float), rtol=0, atol=tolerance)
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_restored_pictures_stay_on_their_grid():
    schema = Schema.infer(LEVELS.astype(F32) / F32(255))
    np.testing.assert_array_equal(schema.restore(schema.normalize(LEVELS / 255)), LEVELS.astype(F32) / F32(255))
    between = np.array([-1, 0.1001, 0.7, 2], F32)
    restored = schema.restore(np.broadcast_to(between[:, None, None, None], (4, 1, 16, 16)))[:, 0, 0]
    np.testing.assert_array_equal(restored, np.array([0, 26, 178, 255], F32) / F32(255))
    bytes_schema = Schema.infer(GREY)
    np.testing.assert_allclose(bytes_schema.restore(np.full((1, 4, 6), 0.3, F32), round=False), 76.5)
    with pytest.raises(ValueError, match="cannot be restored to uint8"):
        bytes_schema.restore(np.full((1, 4, 6), np.nan))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (GREY[:1], "1 sample"),
        (np.full((3, 2, 2), 7), "constant: all 12 values are 7"),
        (np.array([[0, 1.0], [np.nan, 2]]), r"Input contains NaN: 1 of 4 value is not finite, the first in item 1 at"),
        (np.array([[0, 1.0], [np.inf, -np.inf]]), "inf.*2 of 4"),
        (np.ones((3, 2)) * 1j, "Complex data not supported"),
        ([["a", "b"], ["c", "d"]], "array of numbers"),
        ([[1, 2], [3]], "one shape for all items"),
        (np.ma.array([[1, 2], [3, 4]], mask=[[True, False], [False, False]]), "masked"),
        (np.array([[1e308], [-1e308]]), "too large"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        Schema.infer(x)


@pytest.mark.parametrize("x", ["text", None, 3.5, {"a": 1}])
def test_what_is_no_array_is_refused(x):
    with pytest.raises((TypeError, ValueError), match="expected an array"):
        Schema.infer(x)


def test_values_unlike_the_training_data_are_refused():
    digits = Schema.infer(data.load("digits")[0])
    for bad, message in ((300, "from 0 to 16.*found 300"), (-1, "found -1"), (0.5, "values in between")):
        with pytest.raises(ValueError, match=message):
            digits.arrange(np.full((1, 8, 8), bad))
    assert digits.arrange(np.full((1, 8, 8), 3.0)).dtype == np.uint8
    with pytest.raises(ValueError, match=r"shape \(N, 8, 8\), but got \(8, 8\)\. Reshape your data"):
        digits.arrange(np.zeros((8, 8)))
    with pytest.raises(ValueError, match=r"0 sample"):
        digits.arrange(np.zeros((0, 8, 8)))
    fractions = Schema.infer(LEVELS / 300)
    with pytest.raises(ValueError, match="expected floating-point values"):
        fractions.arrange(LEVELS)


def test_a_schema_of_another_kind_than_asked_for_is_refused():
    with pytest.raises(ValueError, match=r"expected data of kind 'image'"):
        Schema.infer(np.eye(3), kind="image")


FRAME = {"a": [1, 2, 3], "b": [0.5, 0.25, 4.0], "c": [True, False, True]}
MATRIX = np.array([[1, 0.5, 1], [2, 0.25, 0], [3, 4, 1]])


@pytest.mark.parametrize("library", [pd, pl])
def test_data_frames_are_matrices_with_names(library):
    schema = Schema.infer(library.DataFrame(FRAME))
    assert schema.columns == ("a", "b", "c")
    np.testing.assert_array_equal(schema.arrange(library.DataFrame(FRAME)), MATRIX)
    shuffled = library.DataFrame({name: FRAME[name] for name in "cab"})
    np.testing.assert_array_equal(schema.arrange(shuffled), MATRIX)
    np.testing.assert_array_equal(schema.arrange(MATRIX), MATRIX)
    with pytest.raises(ValueError, match=r"missing \['c'\] and unknown \['d'\]"):
        schema.arrange(library.DataFrame({"a": [1], "b": [2], "d": [3]}))
    with pytest.raises(ValueError, match=r"'x', 'y' are not numeric"):
        Schema.infer(library.DataFrame({"a": [1, 2], "x": ["u", "v"], "y": ["u", "v"]}))
    with pytest.raises(ValueError, match=r"NaN: 1 of 6 .* item 1 at column 'b'"):
        Schema.infer(library.DataFrame({"a": [1, 2, 3], "b": [1, None, 3]}))


def test_tensors_and_lists_are_taken():
    torch = pytest.importorskip("torch")
    schema = Schema.infer(torch.tensor(GREY))
    assert schema == Schema.infer(GREY) == Schema.infer(GREY.astype(">u1"))
    np.testing.assert_array_equal(schema.arrange(GREY.tolist()), GREY[:, None])
    tensor = torch.rand(3, 2, requires_grad=True)
    np.testing.assert_array_equal(Schema.infer(tensor).arrange(tensor.bfloat16()), tensor.bfloat16().float().detach())


def test_normalizing_leaves_the_users_array_alone():
    x = (LEVELS / 127.5 - 1).astype(F32)
    before = x.copy()
    Schema.infer(x).normalize(x)
    np.testing.assert_array_equal(x, before)


GOOD = Schema.infer(MATRIX, columns=("a", "b", "c"), classes=("u", "v")).to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "table"},
        {"shape": [4]},
        {"shape": [3.5]},
        {"layout": []},
        {"layout": [-3], "shape": [-3]},
        {"layout": [2**40], "shape": [2**40]},
        {"dtype": "object"},
        {"offset": [0, 0]},
        {"scale": [1, 0, 1]},
        {"scale": [1, float("nan"), 1]},
        {"scale": "1,1,1"},
        {"low": 5, "high": [1, 2, 3]},
        {"low": [9, 9, 9]},
        {"step": 0.3},
        {"step": -1},
        {"columns": ["a", "a", "b"]},
        {"columns": ["a"]},
        {"classes": [1, 2]},
        {"extra": 1},
        {"low": object()},
    ],
)
def test_damaged_schemas_are_refused_with_a_sentence(change):
    assert Schema.from_json(GOOD).to_json() == GOOD
    with pytest.raises(ValueError, match=r"^the schema is not valid: ") as caught:
        Schema.from_json(GOOD | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, [], "x", {}, {"kind": "image"}])
def test_other_content_is_not_a_schema(content):
    with pytest.raises(ValueError, match=r"^the schema is not valid: "):
        Schema.from_json(content)


@pytest.mark.parametrize(
    ("held_out", "count"), [(0, 0), (0.0, 0), (0.1, 10), (0.001, 1), (7, 7), (np.int64(7), 7), (99, 99)]
)
def test_a_split_divides_the_items(held_out, count):
    train, held = data.split(100, held_out, seed=3)
    assert len(held) == count
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(100))
    for part, again in zip((train, held), data.split(100, held_out, seed=3), strict=True):
        np.testing.assert_array_equal(part, np.sort(part))
        np.testing.assert_array_equal(part, again)


def test_another_seed_is_another_split():
    assert not np.array_equal(data.split(100, 0.5, seed=0)[1], data.split(100, 0.5, seed=1)[1])


def test_a_split_keeps_the_proportions_of_classes():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    _, held = data.split(100, 0.1, y=y, seed=0)
    np.testing.assert_array_equal(np.bincount(y[held]), [6, 3, 1])
    assert len(data.split(100, 1, y=y, seed=0)[1]) == 1


@pytest.mark.parametrize("held_out", [1.0, -0.1, -1, 100, 0.999, float("nan"), True, "half"])
def test_impossible_splits_are_refused(held_out):
    with pytest.raises(ValueError, match=r"held_out must|would leave none"):
        data.split(100, held_out, seed=0)


def test_describe_counts_what_is_there():
    x = np.array([[0.0, np.nan], [2.0, 3.0], [2.0, np.inf]])
    figures = data.describe(Dataset("t", x, np.array([0, 1, 1]), classes=("u", "v")))
    assert figures["missing"] == 2
    assert (figures["low"], figures["high"], figures["levels"]) == (0.0, 3.0, 3)
    assert figures["classes"] == {"u": 1, "v": 2}
    assert (figures["kind"], figures["items"], figures["item_shape"]) == ("vector", 3, [2])
    assert json.loads(json.dumps(figures)) == figures
    assert data.describe(Dataset("t", np.linspace(0, 1, 600).reshape(300, 2)))["levels"] is None


class TestPicturesAsItems:
    @staticmethod
    def file(pixels: np.ndarray, kind: str = "PNG") -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind)
        return stream.getvalue()

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
    def test_a_picture_of_the_right_size_is_the_item_itself(self, kind):
        rng = np.random.default_rng(0)
        for raw in (rng.integers(0, 256, (2, 6, 5), np.uint8), rng.integers(0, 256, (2, 6, 5, 3), np.uint8)):
            schema = Schema.infer(raw)
            assert np.array_equal(item_from_file(schema, self.file(raw[1], kind)), raw[1:])

    def test_the_middle_is_scaled_to_the_size_and_the_range(self):
        schema = Schema.infer(np.array([[[0, 16], [3, 5]]] * 2, np.uint8))  # whole numbers from 0 to 16
        wide = np.zeros((20, 60), np.uint8)
        wide[:, 20:40] = 255
        assert item_from_file(schema, self.file(wide)).min() >= 15

    def test_colour_becomes_grey_and_transparency_white(self):
        schema = Schema.infer(np.array([[[0, 255], [3, 5]]] * 2, np.uint8))
        clear = np.zeros((2, 2, 4), np.uint8)
        clear[0] = [255, 0, 0, 255]
        assert item_from_file(schema, self.file(clear)).tolist() == [[[76, 76], [255, 255]]]

    def test_deep_pictures_and_those_that_are_turned(self):
        schema = Schema.infer(np.array([[[0, 255], [3, 5]]] * 2, np.uint8))
        assert item_from_file(schema, self.file(np.full((2, 2), 257 * 100, np.uint16))).tolist() == [[[100] * 2] * 2]
        stream, exif = io.BytesIO(), Image.Exif()
        exif[ExifTags.Base.Orientation] = 3
        Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(stream, "PNG", exif=exif)
        assert item_from_file(schema, stream.getvalue()).tolist() == [[[4, 3], [2, 1]]]

    @pytest.mark.parametrize("content", [b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
    def test_other_files_are_refused(self, content):
        schema = Schema.infer(np.array([[[0, 255], [3, 5]]] * 2, np.uint8))
        with pytest.raises(ValueError, match=r"cannot read this file: it is no image of a known kind \(PNG, JPEG"):
            item_from_file(schema, content)
        with pytest.raises(ValueError, match="cannot read this file"):
            item_from_file(schema, self.file(np.zeros((90, 90), np.uint8))[:60])

    def test_pictures_are_items_of_images_alone(self):
        schema = Schema.infer(np.random.default_rng(0).normal(size=(9, 4)))
        with pytest.raises(ValueError, match="expected vectors, 4, float64, continuous, but got an image file"):
            item_from_file(schema, self.file(np.zeros((2, 2), np.uint8)))
        with pytest.raises(ValueError, match="pictures are those of images"):
            as_pixels(schema, np.zeros((1, 4)))
