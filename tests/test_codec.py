"""The codec: files and arrays come back to the byte, and nothing else ever does."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vaekit import VAE
from vaekit.cli import main
from vaekit.container import MAGIC, Kind, Reader, Writer, digest, pack, unpack
from vaekit.core import Batch
from vaekit.data import Schema
from vaekit.noise import isolated_rng
from vaekit.recipes import Run, TrainRequest, build_model, codec_model
from vaekit.recipes.codec import Restored, Source, compress, decompress, estimate
from vaekit.recipes.codec_files import array, file_bytes, of_array, open_source, write_back
from vaekit.recipes.codec_folder import WAYS, files_of
from vaekit.recipes.codec_items import Arrays, Stored
from vaekit.recipes.packed_run import pack_run

CHOICES = {
    "data": "x.npy",
    "network": {"name": "mlp", "hidden": [8]},
    "likelihood": "logistic-mixture",
    "prior": "standard-normal",
    "posterior": "diagonal-normal",
    "latent_dim": 2,
}
SHAPE = (4, 5)


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Random 8-bit pictures, dark for the most part."""
    return np.random.default_rng(seed).integers(-300, 256, (n, *(shape or SHAPE))).clip(0).astype(np.uint8)


def run_on(x: np.ndarray, **choices: object) -> Run:
    """A run that has not been trained, started from the pictures."""
    request, schema = TrainRequest.parse(CHOICES | choices), Schema.infer(x)
    model = build_model(request, schema, len(x))
    with isolated_rng(0):
        model.prepare(Batch(torch.from_numpy(schema.normalize(x))))
    return Run(request, schema, model)


@pytest.fixture(scope="module")
def run() -> Run:
    return run_on(pictures(50))


@pytest.fixture
def small(monkeypatch):
    """Chunks of 16 items."""
    monkeypatch.setattr(Arrays, "at_once", 16)


def blob_of(run: Run, source: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    compress(run, source if isinstance(source, Source) else of_array(run, source), stream, **options)
    return stream.getvalue()


def back(run: Run | None, blob: bytes, *rows: int | None, **options: Any) -> np.ndarray:
    return array(decompress(run, Reader(blob), slice(*rows) if rows else None, **options))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


# round trips

FAR = np.int32(10) ** 6
EXTREMES = {
    "random": pictures(20, seed=1),
    "black": np.zeros((20, *SHAPE), np.uint8),
    "white": np.full((20, *SHAPE), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (20, *SHAPE)).astype(np.uint8),
    "none": np.zeros((0, *SHAPE), np.uint8),
    "one": pictures(1),
    "many": pictures(300, seed=2),
    "whole numbers as floats": pictures(20).astype(np.float64),
    "other byte order": pictures(20).astype(">u2"),
    "far outside": np.random.default_rng(0).integers(-FAR, FAR, (20, *SHAPE)).astype(np.int32),
    "between": np.random.default_rng(0).random((20, *SHAPE)).astype(np.float32),
    "negative zero": -np.zeros((3, *SHAPE), np.float32),
    "not finite": np.full((3, *SHAPE), np.nan),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_arrays_come_back(run, name):
    x = EXTREMES[name]
    assert same(back(run, blob_of(run, x)), x)


@pytest.mark.parametrize(
    "x",
    [
        pictures(30, 1, 1),
        pictures(30, 4, 4, 3),
        pictures(30, 3, 4, 4),
        pictures(30, 6),
        pictures(30, 4, 4) // 128,
        pictures(30, 4, 4) > 100,
        (pictures(30, 4, 4) / 255).astype(np.float32),
        pictures(30, 4, 4).astype(np.int64) - 300,
    ],
    ids=lambda x: f"{x.dtype}{x.shape[1:]}",
)
def test_every_layout_is_coded(x):
    run = run_on(x)
    stream = io.BytesIO()
    found = compress(run, of_array(run, x), stream)
    assert same(back(run, stream.getvalue()), x)
    assert found.coded == 30 or x[0].size == 1, found.packed


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from(["u1", "<i2", ">i4", "<f4", "f8"]), st.booleans())
def test_any_array_comes_back(run, n, seed, dtype, is_far):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 256, (n, *SHAPE)).astype(dtype) * (generator.integers(1, 9) if is_far else 1)
    x = x.astype(dtype)
    assert same(back(run, blob_of(run, x)), x)


def test_some_rows_are_decoded_alone(run, small, monkeypatch):
    x = pictures(70)
    blob, calls = blob_of(run, x), []
    decode = codec_model.Codec.decode
    monkeypatch.setattr(codec_model.Codec, "decode", lambda self, *given: calls.append(given) or decode(self, *given))
    assert same(back(run, blob, 30, 50), x[30:50])
    assert len(calls) == 3
    assert same(back(run, blob, -5, None), x[-5:])
    assert same(back(run, blob, 60, 1000), x[60:])
    assert same(back(run, blob, 40, 40), x[:0])


def test_the_estimator_compresses(run):
    x = pictures(40)
    vae = VAE(latent_dim=2, network={"name": "mlp", "hidden": [8]}, epochs=1, verbose=False).fit(x)
    with pytest.raises(ValueError, match="shape"):
        vae.compress(pictures(3, 7, 7))
    assert same(vae.decompress(vae.compress(x)), x)


def test_an_estimate_is_near(run):
    x = pictures(300)
    source = of_array(run, x)
    assert estimate(run, source) == pytest.approx(len(blob_of(run, x)), rel=0.05)


# files


def test_files_come_back_to_the_byte(run, tmp_path):
    x = pictures(30)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(30))
    np.savez_compressed(tmp_path / "packed.npz", x=x)
    (tmp_path / "x-idx3-ubyte").write_bytes(struct.pack(">HBBIII", 0, 8, 3, 30, *SHAPE) + x.tobytes())
    (tmp_path / "notes.txt").write_text("not an array")
    (tmp_path / "nothing").write_bytes(b"")
    np.save(tmp_path / "fortran.npy", np.asfortranarray(x))
    np.save(tmp_path / "other.npy", pictures(5, 9, 9))
    coded = {}
    for path in tmp_path.iterdir():
        source = open_source(run, path)
        stream = io.BytesIO()
        coded[path.name] = compress(run, source, stream).coded
        assert bool(source.remarks) == (not coded[path.name])
        assert file_bytes(decompress(run, Reader(stream.getvalue()))) == path.read_bytes()
    assert {name for name, count in coded.items() if count} >= {"x.npy", "x.npz", "x-idx3-ubyte"}


def test_stored_files_need_no_run(tmp_path, run):
    (tmp_path / "a.txt").write_text("a" * 1000)
    blob = blob_of(run, open_source(run, tmp_path / "a.txt"))
    assert file_bytes(decompress(None, Reader(blob))) == b"a" * 1000
    assert len(blob) < 500


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


# damage


def test_damaged_chunks_are_told_and_the_rest_comes_back(run, small):
    x = pictures(70)
    blob = bytearray(blob_of(run, x))
    chunks = Reader(bytes(blob)).chunks
    blob[chunks[2].offset + 5] ^= 1  # in the payload
    blob[chunks[4].offset - 10] ^= 1  # in the head
    with pytest.raises(ValueError, match=r"32 to 47 are damaged.*--recover"):
        back(run, bytes(blob))
    found = decompress(run, Reader(bytes(blob)), recover=True)
    assert [sentence[:14] for sentence in found.damage] == ["items 32 to 47", "items 64 to 69"]
    kept = np.r_[0:32, 48:64]
    assert same(array(found), x[kept])
    assert same(back(run, bytes(blob), 48, 60), x[48:60])


def test_a_cut_off_file_gives_what_is_there(run, small):
    x = pictures(70)
    blob = blob_of(run, x)
    cut = blob[: Reader(blob).chunks[3].offset + 3]
    with pytest.raises(ValueError, match="48 to 69 are lost"):
        back(run, cut)
    assert same(back(run, cut, recover=True), x[:48])


@pytest.fixture(scope="module")
def fuzzed(run) -> tuple[bytes, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arrays, "at_once", 16)
        x = pictures(40)
        return blob_of(run, x), x


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_damage_ever_yields_other_bytes(run, fuzzed, data):
    blob, x = bytearray(fuzzed[0]), fuzzed[1]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(blob) - 1, 0)))
        what = data.draw(st.sampled_from(["flip", "set", "cut", "drop", "double", "insert"]))
        if what == "flip":
            blob[at : at + 1] = bytes(value ^ 1 << data.draw(st.integers(0, 7)) for value in blob[at : at + 1])
        elif what == "set":
            blob[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
        elif what == "cut":
            del blob[at:]
        elif what == "drop":
            del blob[at : at + data.draw(st.integers(1, 300))]
        elif what == "double":
            blob[at:at] = blob[at : at + data.draw(st.integers(1, 300))]
        else:
            blob[at:at] = data.draw(st.binary(max_size=20))
    rows = {row.tobytes() for row in x}
    try:
        found = decompress(run, Reader(bytes(blob)), recover=True)
    except ValueError:
        return
    assert found.damage or same(array(found), x)
    assert all(row.tobytes() in rows for row in array(found))
    for start, count, content in found.chunks:
        assert content == x[start : start + count].tobytes()


def forged(run: Run, header: dict | None = None, chunks: tuple = ()) -> bytes:
    """A file with a header of someone's choice, its checks intact."""
    own = Reader(blob_of(run, pictures(3))).header
    stream = io.BytesIO()
    writer = Writer(stream, own | (header or {}))
    for chunk in chunks:
        writer.append(*chunk)
    return stream.getvalue()


HUGE = 2**60
HOSTILE = {
    "count": {"count": HUGE},
    "negative count": {"count": -1},
    "text for a count": {"count": "3"},
    "true for a count": {"count": True},
    "no items": {"items": {}},
    "unknown items": {"items": {"kind": "pickle"}},
    "objects": {"items": {"kind": "array", "dtype": "O", "layout": list(SHAPE)}},
    "a wrong dtype": {"items": {"kind": "array", "dtype": "nonsense", "layout": list(SHAPE)}},
    "a structure": {"items": {"kind": "array", "dtype": [["a", "u1"]], "layout": list(SHAPE)}},
    "huge items": {"items": {"kind": "array", "dtype": "u1", "layout": [HUGE, HUGE]}},
    "threads": {"threads": HUGE},
    "no threads": {"threads": 0},
    "a probe that is none": {"probe": 5},
    "a model that is none": {"model": None},
    "a form that is none": {"form": None},
    "made of nothing": {"made": None, "probe": "0"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(run, name):
    payload = (Kind.CODED, 0, 3, bytes(40), bytes(60))
    with pytest.raises(ValueError, match=r"\w"):
        back(run, forged(run, HOSTILE[name], (payload,)))


@pytest.mark.parametrize(
    "chunk",
    [
        (Kind.CODED, 0, 2**32 - 1, bytes(40), b""),
        (Kind.CODED, 0, 0, bytes(40), b""),
        (Kind.CODED, 2**60, 3, bytes(40), b""),
        (Kind.CODED, 0, 3, b"", b""),
        (Kind.CODED, 0, 3, b"\xff\xff\xff\xff", b""),
        (Kind.CODED, 0, 3, bytes(5), b""),
        (Kind.CODED, 0, 3, struct.pack("<I", 8) + bytes(range(1, 30)), b""),
        (Kind.PACKED, 0, 3, b"", b""),
        (Kind.PACKED, 0, 3, pack(bytes(2**24)), bytes(2**24)),
        (Kind.PACKED, 0, 3, pack(bytes(59)), bytes(59)),
        (Kind.FRAME, 0, 0, bytes(3), b""),
    ],
)
def test_hostile_chunks_are_refused(run, chunk):
    with pytest.raises(ValueError, match="items"):
        back(run, forged(run, None, (chunk,)))


def test_what_is_no_file_is_refused():
    def file(packed: bytes, version: int = 1) -> bytes:
        return struct.pack("<8sHI4s", MAGIC, version, len(packed), digest(packed, 4)) + packed

    bomb = zlib.compress(b'{"a":"' + bytes(2**24) + b'"}')
    for blob, words in [
        (b"", "not a .vae"),
        (b"PK\x03\x04" + bytes(100), "not a .vae"),
        (file(b"", 9), "format 9"),
        (file(b"x")[:-1], "cut off"),
        (file(b"nonsense"), "damaged"),
        (file(bomb), "damaged"),
        (file(zlib.compress(b"[" * 100000)), "damaged"),
        (file(zlib.compress(b"[]")), "no JSON object"),
        (file(zlib.compress(b"1" * 10000)), "damaged"),
        (MAGIC + b"\1\0\xff\xff\xff\xff" + bytes(4), "cut off"),
    ]:
        with pytest.raises(ValueError, match=words):
            Reader(blob)


def test_packed_bytes_are_bounded():
    packed = pack(bytes(10**6))
    assert unpack(packed, 10**6) == bytes(10**6)
    for damaged, most in ((packed, 10**6 - 1), (packed[:-3], 10**6), (b"", 10)):
        with pytest.raises(ValueError, match="packed bytes"):
            unpack(damaged, most)


def test_the_header_says_where_it_was_made(run):
    header = Reader(blob_of(run, pictures(3))).header
    assert json.dumps(header)
    assert {"vaekit", "torch", "constriction", "platform"} == set(header["made"])


# folders of pictures


def filled(folder: Path, x: np.ndarray) -> dict[str, bytes]:
    """Pictures in files of several kinds, and others; what they hold by path."""
    (folder / "a" / "b").mkdir(parents=True)
    for number, picture in enumerate(x):
        image = Image.fromarray(picture)
        image.save(folder / "a" / f"{number}.png", **WAYS[number % len(WAYS)])
        image.save(folder / "a" / "b" / f"{number}.pgm")
    Image.fromarray(x[0]).save(folder / "with.png", dpi=(30, 30))
    Image.fromarray(x[0]).convert("RGB").save(folder / "colour.png")
    Image.fromarray(x[0]).save(folder / "photo.jpg")
    Image.fromarray(x[0, :2]).save(folder / "small.png")
    (folder / "notes.txt").write_text("none\n")
    (folder / "broken.png").write_bytes((folder / "with.png").read_bytes()[:-20])
    (folder / "empty.png").write_bytes(b"")
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folders_come_back_to_the_byte(run, tmp_path):
    x = pictures(8)
    was = filled(tmp_path / "in", x)
    source, stream = open_source(run, tmp_path / "in"), io.BytesIO()
    assert compress(run, source, stream).coded == 2 * len(x)
    assert source.remarks[0].startswith("7 of 23 files")
    found = decompress(run, Reader(stream.getvalue()))
    write_back(found, tmp_path / "out")
    assert contents(tmp_path / "out") == was
    with pytest.raises(FileExistsError):
        write_back(found, tmp_path / "out")
    assert len(array(found)) == 2 * len(x)
    some = decompress(run, Reader(stream.getvalue()), slice(3, 5))
    assert len(list(files_of(some))) == 7 + 2


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a//b", "c:x", "a\\b", "x\0", "."])
def test_no_file_is_written_outside_of_the_folder(path, tmp_path):
    index = json.dumps([{"path": path, "stored": 0, "digest": digest(b"").hex()}]).encode()
    found = Restored(Stored(), "folder", 0, struct.pack("<Q", len(index)) + index)
    with pytest.raises(ValueError, match="no path"):
        write_back(found, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "index",
    [b"", b"[1]", b"{", b'[{"path": 1}]', b'[{"path": "a", "stored": -1}]', b'[{"path": "a", "png": {"a": 1}}]'],
)
def test_a_damaged_list_of_files_is_refused(run, index, tmp_path):
    items = of_array(run, pictures(1)).items
    found = Restored(items, "folder", 1, struct.pack("<Q", len(index)) + index, [(0, 1, bytes(20))])
    with pytest.raises(ValueError, match="list of files"):
        write_back(found, tmp_path / "out")
    assert not list(tmp_path.iterdir())


# the command line


@pytest.fixture
def saved(run, tmp_path, capsys):
    """A run's folder, an array in a file, and a function that runs commands."""
    x = pictures(60)
    np.save(tmp_path / "x.npy", x)
    folder = run.save(tmp_path / "run")

    def call(*arguments: object, code: int = 0) -> str:
        assert main([str(argument) for argument in arguments]) == code
        said = capsys.readouterr()
        return said.out + said.err

    return folder, x, call


def test_the_commands(saved, tmp_path, small):
    run, x, call = saved
    original, file, out = tmp_path / "x.npy", tmp_path / "x.vae", tmp_path / "out.npy"
    assert "about" in call("compress", run, original, "--estimate", "--out", file)
    assert not file.exists()
    call("compress", run, original, "--out", file)
    assert "--overwrite" in call("compress", run, original, "--out", file, code=2)
    call("decompress", file, "--run", run, "--out", out)
    assert out.read_bytes() == original.read_bytes()
    call("decompress", file, "--run", run, "--out", out, "--rows", "30:40", "--overwrite")
    assert same(np.load(out), x[30:40])
    assert "first:end" in call("decompress", file, "--run", run, "--out", tmp_path / "n.npy", "--rows", "3", code=2)
    blob = bytearray(file.read_bytes())
    blob[-3] ^= 1
    file.write_bytes(blob)
    assert "48 to 59 are damaged" in call("decompress", file, "--run", run, "--out", tmp_path / "n.npy", code=2)
    assert not (tmp_path / "n.npy").exists()
    said = call("decompress", file, "--run", run, "--out", out, "--overwrite", "--recover", code=1)
    assert "48 to 59 are damaged" in said
    assert same(np.load(out), x[:48])


def test_an_interrupt_leaves_nothing(saved, tmp_path, monkeypatch):
    run, _, call = saved
    before = sorted(tmp_path.iterdir())
    encode = codec_model.Codec.encode

    def stopped(self: Any, content: bytes, n: int) -> bytes:
        if n == 60:
            raise KeyboardInterrupt
        return encode(self, content, n)

    monkeypatch.setattr(codec_model.Codec, "encode", stopped)
    call("compress", run, tmp_path / "x.npy", "--out", tmp_path / "x.vae", code=130)
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_may_carry_its_model_but_no_hostile_one(run):
    x, stream = pictures(30), io.BytesIO()
    compress(run, of_array(run, x), stream, with_model=True)
    assert same(back(None, stream.getvalue()), x)
    request = run.request.model_copy(update={"network": {"name": "mlp", "hidden": [2**17, 2**17]}})
    packed = pack_run(run)
    length, _, about = struct.unpack("<IQI", packed[:16])
    content = json.loads(unpack(packed[16 + length :], 2**20)[:about])
    content["request"]["network"] = request.network
    text = json.dumps(content).encode()
    hostile = struct.pack("<IQI", 0, 0, len(text)) + pack(text)
    with pytest.raises(ValueError, match="at most"):
        back(None, forged(run, None, ((Kind.RUN, 0, 0, hostile, hostile),)))
    for damaged in (b"", packed[:10], packed[:-9], bytes(30), packed[:16] + bytes(len(packed) - 16)):
        with pytest.raises(ValueError, match=r"own model|packed bytes"):
            back(None, forged(run, None, ((Kind.RUN, 0, 0, damaged, damaged),)))
