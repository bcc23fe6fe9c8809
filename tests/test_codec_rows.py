"""Tables in files: back to the byte, whatever their lines hold; models that a file carries."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vaekit.coding import Repeats, Stack
from vaekit.container import Reader
from vaekit.core import Batch
from vaekit.data import TableSchema
from vaekit.data.delimited import layout
from vaekit.noise import isolated_rng
from vaekit.recipes import TrainRequest, build_model, codec, codec_files, codec_frames
from vaekit.recipes.codec_model import Codec
from vaekit.recipes.codec_rows import Rows, split_lines
from vaekit.recipes.packed_run import pack_run, unpack_run
from vaekit.recipes.run import Run

N = 200
NAMES = ["colour", "count", "day", "amount", "text", "last"]
ODD = {
    "quotes": b'"red",1,2020-01-01,0.50,"a ""b"", c",7\n',
    "too few cells": b"red,1\n",
    "empty": b"\n",
    "another ending": b"red,1,2020-01-01,0.50,x,7\r\n",
    "not UTF-8": b"r\xe9d,1,2020-01-01,0.50,x,7\n",
    "no number": b"red,many,soon,0.50,x,-\n",
    "unseen, far": b"mauve,123456789,1890-12-31,99999.99,x,7\n",
    "other forms": b"red,01,2020-1-1,.5,x,1e1\n",
    "zeros": b"red,\0,,0.50,x,7\n",
}


def lines_of(n: int = N, ending: str = "\n") -> list[str]:
    """Categories, counts with missing cells, days, amounts with two digits, texts that no model codes, and odd ones."""
    rng = np.random.default_rng(0)
    days = (np.datetime64("2020-01-01") + rng.integers(0, 300, n)).astype(str)
    amounts = np.exp(rng.normal(3, 1, n))
    counts = [str(count) if rng.random() < 0.8 else " ?" for count in rng.poisson(5, n)]
    colours = rng.choice(["red", "green", "blue"], n)
    return [
        f"{colour},{count},{day},{amount:.2f},text {number},{rng.integers(3, 9)}{ending}"
        for number, (colour, count, day, amount) in enumerate(zip(colours, counts, days, amounts, strict=True))
    ]


def table_file(folder: Path, extra: bytes = b"", ending: str = "\n", n: int = N) -> Path:
    path = folder / "table.csv"
    path.write_bytes((",".join(NAMES) + ending + "".join(lines_of(n, ending))).encode() + extra)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Untrained, but started from the rows."""
    path = table_file(tmp_path_factory.mktemp("train"))
    schema = TableSchema.infer(path)
    options = {
        "data": str(path),
        "likelihood": {"name": "autoregressive", "bins": 32, "features": 2, "width": 4, "embedding": 2},
        "network": {"name": "mlp", "hidden": [4]},
        "latent_dim": 1,
        "prior": "standard-normal",
        "weight_step": 0.1,
    }
    request = TrainRequest.parse(options)
    model = build_model(request, schema, N)
    x = torch.from_numpy(schema.normalize(path))
    with isolated_rng(0):
        model.prepare(Batch(x, None, ~x.isnan()))
    return Run(request, schema, model.eval())


def packed(run: Run | None, path: Path, **options: bool) -> bytes:
    stream = io.BytesIO()
    assert run is not None
    codec.compress(run, codec_files.open_source(run, path), stream, verify=False, **options)
    return stream.getvalue()


def unpacked(run: Run | None, data: bytes, rows: slice | None = None) -> bytes:
    return codec_files.file_bytes(codec.decompress(run, Reader(data), rows))


def through_rows(run: Run, lines: list[bytes]) -> bytes:
    """Lines as numbers and what comes beside them, and back, without the model."""
    rows = Rows.learn(run.schema, NAMES, ",", lines)
    part = rows.split(b"".join(lines), len(lines))
    return rows.join(part.symbols, rows.open(part.side, len(lines)))


def test_a_file_comes_back_to_the_byte_and_small(run, tmp_path):
    path = table_file(tmp_path)
    data = packed(run, path)
    assert unpacked(run, data) == path.read_bytes()
    assert len(data) < 0.5 * path.stat().st_size


@pytest.mark.parametrize("name", ODD)
def test_odd_lines_come_back(run, name):
    lines = [*(line.encode() for line in lines_of(40)), ODD[name]]
    assert through_rows(run, lines) == b"".join(lines)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_file_of_odd_lines_comes_back(run, tmp_path, ending):
    path = table_file(tmp_path, b"".join(ODD.values()), ending, n=20)
    assert unpacked(run, packed(run, path)) == path.read_bytes()


@pytest.mark.parametrize("extra", [b"red,1,2020-01-01,0.50,x,7", b"\n\n", b"\r", b'"'])
def test_the_last_line_may_be_cut_off(run, tmp_path, extra):
    content = table_file(tmp_path, extra, n=40).read_bytes()
    lines = split_lines(content)
    assert b"".join(lines) == content
    assert through_rows(run, lines) == content


def test_files_of_other_columns_come_back(run, tmp_path):
    path = tmp_path / "other.csv"
    path.write_bytes(b"\xef\xbb\xbfday;size;colour\n2020-02-03;1.5;red\n2020-03-01;2.5;green\n;;\n")
    assert unpacked(run, packed(run, path)) == path.read_bytes()


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_lines_come_back(run, parts):
    content = b"".join(part.replace(b"\n", b",") + b"\n" for part in parts)
    lines = split_lines(content)
    rows = Rows.learn(run.schema, NAMES, ",", [*(line.encode() for line in lines_of(20)), *lines])
    again = Rows.from_json(json.loads(json.dumps(rows.to_json())), run.schema)
    part = rows.split(content, len(lines))
    assert again.join(part.symbols, again.open(part.side, len(lines))) == content


def test_rows_are_taken_with_the_names(run, tmp_path):
    path = table_file(tmp_path, n=24)
    names, *lines = split_lines(path.read_bytes())
    assert unpacked(run, packed(run, path), slice(10, 20)) == names + b"".join(lines[10:20])


def test_columns_are_found_by_their_names(run, tmp_path):
    path = tmp_path / "turned.tsv"
    path.write_bytes(b"last\tcount\n" + b"".join(b"%d\t%d\n" % (3 + i % 5, i % 7) for i in range(20)))
    _, delimiter, names = layout(path)
    rows = Rows.learn(run.schema, names, delimiter, split_lines(path.read_bytes())[1:])
    assert [each.column.name for each in rows.coded] == ["count", "last"]
    assert unpacked(run, packed(run, path)) == path.read_bytes()


def test_damaged_rows_are_refused_or_are_others(run):
    lines, generator = [line.encode() for line in lines_of(16)], np.random.default_rng(0)
    codec = Codec(run, Rows.learn(run.schema, NAMES, ",", lines))
    with codec.alone():
        data = codec.encode(b"".join(lines), len(lines))
        assert codec.decode(data, len(lines)) == b"".join(lines)
        for at in generator.integers(0, len(data), 6):
            hurt = bytearray(data)
            hurt[at] ^= 1 << generator.integers(8)
            with contextlib.suppress(ValueError):
                assert isinstance(codec.decode(bytes(hurt), len(lines)), bytes)


@pytest.mark.parametrize("spread", [1, 10])
def test_numbers_that_repeat_cost_less(spread):
    generator = torch.Generator().manual_seed(0)
    symbols = spread * torch.randint(0, 1000 // spread**2, (400,), generator=generator)
    coded = Repeats(torch.randint(0, 3, (400,), generator=generator), 1000, 0.3, 5.0)
    keep, stack = torch.rand(400, generator=generator) > 0.2, Stack()
    coded.push(stack, symbols)
    assert 8 * len(stack.to_bytes()) == pytest.approx(coded.bits(symbols), rel=1e-2, abs=64)
    assert torch.equal(coded.pop(stack), symbols)
    coded.push(stack, symbols, keep)
    assert torch.equal(coded.pop(stack, keep), torch.where(keep, symbols, 0))
    assert stack.bits == 0
    assert coded.bits(symbols) < 400 * np.log2(1000) * (1.2 if spread == 1 else 0.6)


def test_a_packed_run_is_the_run_with_rounded_weights(run, tmp_path):
    data = pack_run(run)
    again = unpack_run(data)
    for name, weights in run.model.named_parameters():
        own = again.model.get_parameter(name)
        assert torch.allclose(own, 0.1 * (weights / 0.1).round())
    x = torch.from_numpy(run.schema.normalize(table_file(tmp_path)))
    assert torch.equal(run.model.likelihood.columns.edges, again.model.likelihood.columns.edges)
    assert again.schema == run.schema
    assert again.model.encode(Batch(x)).shape == (N, 1)
    assert pack_run(again) == data
    assert len(data) < 8000


def test_a_file_may_carry_its_model(run, tmp_path):
    path = table_file(tmp_path, n=24)
    data = packed(run, path, with_model=True)
    assert unpacked(None, data) == path.read_bytes()
    with pytest.raises(ValueError, match="name its run"):
        unpacked(None, packed(run, path))


def test_damaged_packed_runs_are_refused(run):
    data = pack_run(run)
    generator = np.random.default_rng(0)
    for _ in range(8):
        hurt = bytearray(data)
        hurt[generator.integers(len(hurt))] ^= 1 << generator.integers(8)
        with contextlib.suppress(ValueError):
            unpack_run(bytes(hurt))
    for length in (0, 5, 20, len(data) - 1):
        with pytest.raises(ValueError, match="damaged"):
            unpack_run(data[:length])


def frame_of(library: str) -> object:
    """Rows with missing cells, empty texts, line breaks, NaN and types of several widths."""
    rows = pl.read_csv("".join([",".join(NAMES) + "\n", *lines_of(16)]).encode(), null_values=" ?")
    frame = rows.with_columns(
        pl.col("day").str.to_date(),
        pl.col("amount").cast(pl.Float32),
        pl.col("last").cast(pl.Int8),
        text=pl.when(pl.col("last") > 4).then(pl.lit('a "b",\nc')).otherwise(pl.lit("")),
        ratio=pl.when(pl.col("last") > 5).then(float("nan")).otherwise(pl.col("last") / 7),
    )
    if library == "lists":
        return frame.with_columns(more=pl.concat_list("last", "last"))
    return {"polars": frame, "pyarrow": frame.to_arrow(), "pandas": frame.to_pandas().set_index("last")}[library]


@pytest.mark.parametrize("library", ["polars", "pyarrow", "pandas", "lists"])
def test_data_frames_come_back_with_their_types(run, library):
    frame = frame_of(library)
    stream = io.BytesIO()
    codec.compress(run, codec_files.of_array(run, frame), stream, verify=False)
    found = codec_files.array(codec.decompress(run, Reader(stream.getvalue())))
    if library == "pandas":
        pd.testing.assert_frame_equal(found, frame)
    elif library == "pyarrow":
        assert found.schema == frame.schema
        assert codec_frames._same(found, frame.combine_chunks())
    else:
        assert found.schema == frame.schema
        assert found.equals(frame)


def test_arrays_of_rows_come_back(run):
    x = np.random.default_rng(0).integers(0, 9, (16, 6)).astype(np.float32)
    x[3, 2] = np.nan
    stream = io.BytesIO()
    codec.compress(run, codec_files.of_array(run, x), stream)
    found = codec_files.array(codec.decompress(run, Reader(stream.getvalue())))
    np.testing.assert_array_equal(found, x)
    assert found.dtype == x.dtype
