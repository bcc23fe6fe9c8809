"""The run folder's bytes: nothing half written, nothing damaged or foreign read, nothing of the user's removed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import stat

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from vaekit import store
from vaekit.store import RunFolder

TENSORS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "turned": np.arange(6.0).reshape(2, 3).T,
    "scalar": np.array(3, dtype=np.int64),
    "empty": np.zeros((0, 2), dtype=np.uint8),
    "flags": np.array([True, False]),
}
CONFIG = {"format": store.FORMAT, "vaekit": "0.1.0", "seed": 0}
WRITERS = {
    "bytes": lambda path: store.write_bytes(path, b"new"),
    "text": lambda path: store.write_text(path, "new"),
    "json": lambda path: store.write_json(path, {"new": 1}),
    "tensors": lambda path: store.write_tensors(path, TENSORS),
}


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    store.write_json(folder.config, CONFIG)
    return folder


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, write, failing):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match=rf"^cannot write {path}: no space left on device$"):
        write(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")

    def interrupted():
        with store.replacing(path) as temporary:
            assert (temporary.parent, temporary.suffix) == (tmp_path, ".png")
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_files_get_the_usual_permissions(tmp_path, write):
    (tmp_path / "usual").touch()
    write(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_writing_into_a_missing_folder_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^cannot write .*missing/a\.json: no such file or directory$"):
        store.write_json(tmp_path / "missing" / "a.json", {})


def test_json_round_trip(tmp_path):
    content = {"a": [1, 2.5, None, True, "Ä€"], "tiny": 5e-324, "third": 1 / 3}
    store.write_json(tmp_path / "a.json", content)
    assert store.read_json(tmp_path / "a.json") == content
    store.write_json(tmp_path / "a.json", {"n": np.int64(3), "x": np.float32(0.5)})
    assert store.read_json(tmp_path / "a.json") == {"n": 3, "x": 0.5}


@pytest.mark.parametrize("content", [float("nan"), [np.float32("inf")], {"a": {1, 2}}, object()])
def test_what_json_cannot_hold_is_not_written(tmp_path, content):
    with pytest.raises(ValueError, match=r"cannot write .*a\.json as JSON"):
        store.write_json(tmp_path / "a.json", content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b"", "line 1, column 1"),
        (b'{"a": NaN}', "NaN is not a finite number"),
        (b'{"a": -Infinity}', "-Infinity is not a finite number"),
        (b'{"a": 1e999}', "1e999 is not a finite number"),
        (b"\xff\xfe", "decode"),
        (b"[" * 100_000, "recursion|line 1"),
        (b"1" * 5000, "digits"),
        (pickle.dumps({"a": 1}), "decode"),
    ],
)
def test_damaged_json_is_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?s)^{path} is damaged: .*(?i:{message})"):
        store.read_json(path)


def test_missing_and_huge_json(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"^cannot read .*a\.json: no such file"):
        store.read_json(tmp_path / "a.json")
    monkeypatch.setattr(store, "MOST_JSON", 4)
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    with pytest.raises(ValueError, match="larger than"):
        store.read_json(tmp_path / "a.json")


ROWS = [{"epoch": n, "loss": n / 3, "val_loss": None} for n in range(1, 5)]


@pytest.fixture
def metrics(tmp_path):
    for row in ROWS:
        store.append_jsonl(tmp_path / "metrics.jsonl", row)
    return tmp_path / "metrics.jsonl"


def test_rows_are_lines_of_json(metrics):
    assert [json.loads(line) for line in metrics.read_text().splitlines()] == ROWS
    assert store.read_jsonl(metrics) == ROWS


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_last_line_that_was_cut_off_is_left_out_and_then_replaced(metrics, cut):
    metrics.write_bytes(metrics.read_bytes()[:-cut])
    kept = ROWS if cut == 1 else ROWS[:3]
    assert store.read_jsonl(metrics) == kept
    store.append_jsonl(metrics, {"epoch": 9})
    assert store.read_jsonl(metrics) == [*kept, {"epoch": 9}]


@pytest.mark.parametrize("line", ['{"epoch": 2', "[1]", "NaN"])
def test_a_damaged_line_in_the_middle_is_named(metrics, line):
    lines = metrics.read_text().splitlines()
    metrics.write_text("\n".join([lines[0], line, *lines[2:]]) + "\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl.*line 2"):
        store.read_jsonl(metrics)


@pytest.mark.parametrize("rows", [0, 2, 4, 9])
def test_truncating_keeps_the_first_rows(metrics, rows):
    store.truncate_jsonl(metrics, rows)
    assert store.read_jsonl(metrics) == ROWS[:rows]


def test_truncating_no_file_makes_none(tmp_path):
    store.truncate_jsonl(tmp_path / "metrics.jsonl", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_append_leaves_the_rows_before(metrics, monkeypatch):
    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        store.append_jsonl(metrics, {"epoch": 5})
    assert store.read_jsonl(metrics) == ROWS


def test_tensors_round_trip_and_are_plain_safetensors(tmp_path):
    path = tmp_path / "a.safetensors"
    store.write_tensors(path, TENSORS, {"step": "7"})
    for read in (store.read_tensors(path)[0], safetensors.numpy.load_file(path)):
        assert read.keys() == TENSORS.keys()
        for name, array in TENSORS.items():
            np.testing.assert_array_equal(read[name], array)
            assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
    assert store.read_tensors(path)[1] == {"step": "7"}
    store.write_tensors(path, {})
    assert store.read_tensors(path) == ({}, {})


def test_tensors_outlive_their_file(tmp_path):
    path = tmp_path / "a.safetensors"
    store.write_tensors(path, TENSORS)
    tensors, _ = store.read_tensors(path)
    path.write_bytes(b"")
    tensors["weight"] += 1
    np.testing.assert_array_equal(tensors["weight"], TENSORS["weight"] + 1)


def test_objects_are_not_written_as_tensors(tmp_path):
    with pytest.raises(ValueError, match="cannot write"):
        store.write_tensors(tmp_path / "a", {"a": np.array([{}], dtype=object)})
    assert list(tmp_path.iterdir()) == []


HEADER = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
BFLOAT = json.dumps({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\xff" * 64,
        pickle.dumps(TENSORS),
        safetensors.numpy.save({"a": np.ones(9)})[:-1],
        safetensors.numpy.save({"a": np.ones(9)}) + b"x",
        len(HEADER).to_bytes(8, "little") + HEADER + bytes(8),
        len(BFLOAT).to_bytes(8, "little") + BFLOAT + bytes(2),
    ],
)
def test_damaged_and_foreign_tensors_are_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{path} is damaged or not a safetensors file") as caught:
        store.read_tensors(path)
    assert "\n" not in str(caught.value)


def test_missing_tensors(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot read"):
        store.read_tensors(tmp_path / "a.safetensors")
    with pytest.raises(IsADirectoryError, match="cannot read"):
        store.read_tensors(tmp_path)


def test_a_run_is_created_opened_and_checked(run, tmp_path):
    again = RunFolder.open(str(tmp_path / "run"))
    assert again.read_config() == CONFIG
    names = {path.name for key, path in vars(run).items() if key != "path"}
    assert names == {
        *("config.json", "schema.json", "model.safetensors", "checkpoint.safetensors"),
        *("metrics.jsonl", "evaluation.json", "README.md", "figures"),
    }
    store.write_bytes(run.model, b"abc")
    assert run.checksum("model.safetensors") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(FileNotFoundError, match="cannot read"):
        run.checksum("evaluation.json")


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    assert RunFolder.create(tmp_path).path == tmp_path


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "model.safetensors").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"is not a run: it has no config\.json; choose another folder"):
            RunFolder.create(tmp_path, overwrite=overwrite)
    assert (tmp_path / "model.safetensors").read_text() == "mine"
    with pytest.raises(FileExistsError, match="is a file"):
        RunFolder.create(tmp_path / "model.safetensors")
    with pytest.raises(NotADirectoryError, match="cannot create"):
        RunFolder.create(tmp_path / "model.safetensors" / "run")


def test_overwriting_removes_only_what_a_run_holds(run):
    run.figures.mkdir()
    known = [run.model, run.checkpoint, run.metrics, run.figures / "manifold.png", run.path / ".vaekit-0a0a-model"]
    others = [run.config, run.path / "notes.txt", run.figures / "notes.txt"]
    for path in (*known, *others[1:]):
        path.write_text("x")
    with pytest.raises(FileExistsError, match=r"--overwrite.*--resume"):
        RunFolder.create(run.path)
    assert all(path.exists() for path in known)
    RunFolder.create(run.path, overwrite=True)
    assert not any(path.exists() for path in known)
    assert all(path.exists() for path in others)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_type": "bert"}', "not a run"),
        ("[]", "not a run"),
        ('{"format": "1", "vaekit": "0.1"}', "not a run"),
        ('{"format": true, "vaekit": "0.1"}', "not a run"),
        ('{"format": 0, "vaekit": "0.1"}', "not a run"),
        ('{"format": 1}', "not a run"),
        ('{"format": 999, "vaekit": "9.9"}', r"newer vaekit \(9\.9, format 999.*upgrade vaekit"),
        ('{"format": 1,', "damaged: line 1"),
    ],
)
def test_foreign_damaged_and_newer_runs_are_refused_and_never_overwritten(run, content, message):
    run.config.write_text(content)
    run.model.write_text("x")
    with pytest.raises(ValueError, match=message):
        RunFolder.open(run.path)
    with pytest.raises(FileExistsError, match=message):
        RunFolder.create(run.path, overwrite=True)
    assert run.model.exists()


def test_opening_what_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no run at"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"it has no config\.json"):
        RunFolder.open(tmp_path)
