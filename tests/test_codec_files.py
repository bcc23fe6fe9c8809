"""Files and folders through the codec and its commands: back to the byte."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from small_codec import SHAPE, blob_of, pictures, run_on, same
from vaekit.cli import main
from vaekit.container import Reader, digest
from vaekit.recipes import Run, codec_model
from vaekit.recipes.codec import Restored, compress, decompress
from vaekit.recipes.codec_files import array, file_bytes, of_array, open_source, write_back
from vaekit.recipes.codec_folder import WAYS, files_of
from vaekit.recipes.codec_items import Arrays, Stored


@pytest.fixture(scope="module")
def run() -> Run:
    return run_on(pictures(50))


@pytest.fixture
def small(monkeypatch):
    """Chunks of 8 items."""
    monkeypatch.setattr(Arrays, "at_once", 8)


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
    x = pictures(16)
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
    call("decompress", file, "--run", run, "--out", out)
    assert out.read_bytes() == original.read_bytes()
    call("decompress", file, "--run", run, "--out", out, "--rows", "5:10", "--overwrite")
    assert same(np.load(out), x[5:10])
    blob = bytearray(file.read_bytes())
    blob[-3] ^= 1
    file.write_bytes(blob)
    assert "8 to 15 are damaged" in call("decompress", file, "--run", run, "--out", tmp_path / "n.npy", code=2)
    assert not (tmp_path / "n.npy").exists()
    said = call("decompress", file, "--run", run, "--out", out, "--overwrite", "--recover", code=1)
    assert "8 to 15 are damaged" in said
    assert same(np.load(out), x[:8])


def test_a_folder_comes_back_by_the_commands(saved, tmp_path):
    run, _, call = saved
    was = filled(tmp_path / "in", pictures(4))
    assert "7 of 15 files" in call("compress", run, tmp_path / "in", "--out", tmp_path / "in.vae")
    assert "8 items" in call("decompress", tmp_path / "in.vae", "--run", run, "--out", tmp_path / "out")
    assert contents(tmp_path / "out") == was
    assert "not empty" in call("decompress", tmp_path / "in.vae", "--run", run, "--out", tmp_path / "out", code=2)


def test_a_report_compresses_once_and_writes_the_file_that_it_is_about(saved, tmp_path, monkeypatch):
    run, x, call = saved
    file, coded, encode = tmp_path / "x.vae", [], codec_model.Codec.encode
    monkeypatch.setattr(codec_model.Codec, "encode", lambda self, *given: coded.append(given) or encode(self, *given))
    said = call("compress", run, tmp_path / "x.npy", "--out", file, "--report", "--with-model")
    for words in ("x.vae", "own bound", "vaekit and its model", "xz", "items a second"):
        assert words in said
    assert len(coded) == 1
    call("decompress", file, "--out", tmp_path / "again.npy")
    assert same(np.load(tmp_path / "again.npy"), x)
    for other in ("--estimate", "--quality=5"):
        assert "leave out" in call("compress", run, tmp_path / "x.npy", "--out", file, "--report", other, code=2)


MISTAKES = {
    "there is no run": "compress no.run x.npy",
    "no such file: no.npy": "compress run no.npy",
    "x.vae is there already; replace it with --overwrite": "compress run x.npy --out x.vae",
    "what is to be read": "compress run x.npy --out x.npy --overwrite",
    "there is no folder": "compress run x.npy --out no/x.vae",
    "from 0 (smallest) to 100": "compress run x.npy --out y.vae --quality 101",
    "got -1": "compress run x.npy --estimate --quality -1",
    "another model": "decompress x.vae --run other --out y.npy",
    "name its run": "decompress x.vae --out y.npy",
    "no such file: no.vae": "decompress no.vae --run run --out y.npy",
    "not a .vae file: it": "decompress x.npy --run run --out y.npy",
    "a folder, not a .vae file": "decompress run --run run --out y.npy",
    "items 0 to 15 are lost": "decompress cut.vae --run run --out y.npy",
    "nothing else to recover": "decompress cut.vae --run run --out y.npy --recover",
    "first:end": "decompress x.vae --run run --out y.npy --rows 3",
    "the file holds 16": "decompress x.vae --run run --out y.npy --rows 20:30",
    "no items in --rows 5:2": "decompress x.vae --run run --out y.npy --rows 5:2",
    "not empty": "decompress x.vae --run run --out run",
}


def test_a_mistake_gets_its_sentence_and_leaves_nothing(saved, tmp_path, monkeypatch):
    _, _, call = saved
    monkeypatch.chdir(tmp_path)
    run_on(pictures(20), latent_dim=3).save("other")
    call("compress", "run", "x.npy")
    Path("cut.vae").write_bytes(Path("x.npy.vae").rename("x.vae").read_bytes()[:-9])
    before = contents(tmp_path)
    for words, command in MISTAKES.items():
        said = call(*command.split(), code=2)
        assert words in said
        assert said.count("\n") == 1
        assert contents(tmp_path) == before


def test_an_interrupt_leaves_nothing(saved, tmp_path, monkeypatch):
    run, _, call = saved
    before = sorted(tmp_path.iterdir())

    def stopped(self: Any, content: bytes, n: int, labels: Any = None) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(codec_model.Codec, "encode", stopped)
    call("compress", run, tmp_path / "x.npy", "--out", tmp_path / "x.vae", code=130)
    assert sorted(tmp_path.iterdir()) == before
