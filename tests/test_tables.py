"""Tables: reading, columns and their kinds, the way to model units and back, and models of them."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from vaekit import VAE, data, load
from vaekit.cli import main
from vaekit.data import Column, Table, TableSchema, read_choices, write_choices
from vaekit.data.cells import fill_cells
from vaekit.data.relations import find_relations

RNG = np.random.default_rng(0)
N = 240


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(N),
            "age": rng.integers(18, 80, N),
            "city": rng.choice(["Ulm", "Bonn", " Kiel"], N),
            "height": rng.normal(170, 10, N).round(1),
            "const": "x",
            "gain": np.where(rng.random(N) < 0.9, 0, np.exp(rng.normal(8, 1, N)).round(2)),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, N), unit="D"),
            "ok": pd.array(rng.random(N) > 0.5, dtype="boolean"),
            "share": rng.random(N),
            "grade": rng.integers(1, 6, N),
        }
    )
    frame.loc[15:20, "height"] = np.nan
    frame.loc[30:40, "city"] = None
    frame.loc[50:60, "ok"] = pd.NA
    return frame


def kinds(schema: TableSchema) -> dict[str, str]:
    return {column.name: column.kind for column in schema.table}


def infer(**columns: Any) -> TableSchema:
    return TableSchema.infer(pd.DataFrame(columns))


def column_of(values: Any) -> Any:
    return infer(a=values).table[0]


# reading files


def read(tmp_path: Any, text: str | bytes, name: str = "a.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Table.read(path)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path, mark):
    table = read(tmp_path, "a,b\n1,x\n2,y\n".replace(",", mark))
    assert table.columns["a"].tolist() == [1, 2]
    assert table.columns["b"].tolist() == ["x", "y"]


def test_texts_become_what_all_of_their_column_are(tmp_path):
    lines = ["i,f,t,z,d,s,b,m", '1,1.5, x ,007,2020-01-31,2020-01-31 10:30,true,"a,b"', "2,-2e3,y,010,,,false,c"]
    table = read(tmp_path, "\n".join(lines))
    assert list(table.dtypes.values()) == [
        "int64", "double", "string", "string", "date32[day]", "timestamp[us]", "bool", "string"
    ]  # fmt: skip
    assert table.columns["t"].tolist() == [" x ", "y"]
    assert table.columns["z"].tolist() == ["007", "010"]
    assert table.columns["m"].tolist() == ["a,b", "c"]
    assert np.isnat(table.columns["d"][1])


def test_markers_of_missing_cells(tmp_path):
    marks = ["", "NA", " n/a", "NaN ", "null", "None", " ? "]
    table = read(tmp_path, "a,b\n" + "".join(f"{mark},{mark}\n" for mark in marks) + "1,x\n")
    assert np.isnan(table.columns["a"]).sum() == len(marks)
    assert table.columns["b"].tolist() == [None] * len(marks) + ["x"]


def test_thousands_separators_and_decimal_commas(tmp_path):
    table = read(tmp_path, 'a;b;c\n1,234.5;3,14;1,234\n17;2.500,5;2,345\n"1,000,000";1;1\n')
    assert table.columns["a"].tolist() == [1234.5, 17, 1e6]
    assert table.columns["b"].tolist() == [3.14, 2500.5, 1]
    assert table.columns["c"].tolist() == ["1,234", "2,345", "1"]
    assert [remark.split(";")[0].partition(" ")[2] for remark in table.remarks] == [
        "'a' has thousands separators", "'b' has decimal commas",
        "'c' may hold thousands separators or decimal commas, as in '1,234'",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_found(tmp_path, encoding):
    assert read(tmp_path, "größe,b\n1,ä\n2,ß\n".encode(encoding)).columns.keys() == {"größe", "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,ä\n".encode("latin-1"), "not encoded in UTF-8; convert it first, such as with: iconv"),
        ("", "a.csv is empty"),
        ("a,b\n", "names of columns but no rows"),
        ("a,a\n1,2\n", "two columns of the same name, 'a'; rename one"),
        ("a:b\n1:2\n3:4\n", "seems to be divided by ':' into 2 columns"),
        ("a,b\n1,2\n1,2,3\n", "Expected 2 columns, got 3"),
        ("1.5,2\n3,4\n", "the first line of .* holds numbers; put a line with the names"),
        (b"a,b\n\0\0,1\n", "bytes of zero"),
    ],
)
def test_files_that_cannot_be_understood(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_damaged_and_empty_parquet_files(tmp_path, people):
    whole, none = (tmp_path / f"{name}.parquet" for name in ("whole", "none"))
    people.to_parquet(whole)
    people[:0].to_parquet(none)
    content = bytearray(whole.read_bytes())
    for name, damaged in (("part", content[:900]), ("zeros", content[:100] + bytes(800) + content[900:])):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(damaged)
        for use in (Table.read, lambda path: list(Table.stream(path))):
            with pytest.raises(ValueError, match=f"{name}.parquet is damaged"):
                use(path)
    with pytest.raises(ValueError, match="no rows"):
        list(Table.stream(none))
    with pytest.raises(FileNotFoundError, match="is a folder, not a table"):
        Table.read(tmp_path.rename(tmp_path.with_suffix(".csv")))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_stream_is_the_file_in_parts(tmp_path, people, suffix):
    path = tmp_path / f"people{suffix}"
    people.to_csv(path, index=False) if suffix == ".csv" else people.to_parquet(path)
    schema = TableSchema.infer(path)
    parts = list(schema.stream(path, 100))
    assert [len(part) for part in parts] == [100, 100, 40]
    np.testing.assert_array_equal(np.concatenate([schema.normalize(part) for part in parts]), schema.normalize(path))


def test_texts_that_look_like_numbers_in_a_part_of_a_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "".join(f"{i % 7},{i}.0\n" for i in range(100)) + "x,0.5\n" * 9)
    schema = TableSchema.infer(path)
    assert schema.table[0].values == ("0", "1", "2", "3", "4", "5", "6", "x")
    parts = np.concatenate([schema.normalize(part) for part in schema.stream(path, 10)])
    np.testing.assert_array_equal(parts, schema.normalize(path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_larger_than_memory_is_refused_before_it_is_read(tmp_path, people, monkeypatch, suffix):
    path = tmp_path / f"people{suffix}"
    people.to_csv(path, index=False) if suffix == ".csv" else people.to_parquet(path)
    monkeypatch.setattr("vaekit.data.arrayfiles._available_memory", lambda: 10_000)
    with pytest.raises(ValueError, match=r"would need 0\.0 GB of memory, .* use fewer rows or columns"):
        Table.read(path)
    assert sum(map(len, Table.stream(path, 50))) == N


# frames and their types


def every_type() -> dict[str, Any]:
    date, zoned = dt.date(2020, 1, 31), pd.to_datetime(["2020-01-31 10:00", "2021-01-01 00:00", None])
    return {
        "int64": [1, 2, 3],
        "Int64": pd.array([1, None, 3], dtype="Int64"),
        "uint8": np.array([1, 2, 3], np.uint8),
        "float32": np.array([1.5, np.nan, 2], np.float32),
        "Float32": pd.array([1.5, None, 2], dtype="Float32"),
        "bool": [True, False, True],
        "boolean": pd.array([True, None, False], dtype="boolean"),
        "str": ["a", "b", None],
        "object": pd.Series(["a", None, "c"], dtype=object),
        "string": pd.array(["a", None, "b"], dtype="string"),
        "ordered": pd.Categorical(["x", None, "y"], categories=["y", "x", "z"], ordered=True),
        "numbered": pd.Categorical([3, 1, None]),
        "datetime": pd.to_datetime(["2020-01-01", "2021-01-01", None]),
        "zoned": zoned.tz_localize("Europe/Berlin").as_unit("ms"),
        "dates": pd.Series([date, None, dt.date(2021, 1, 1)], dtype=object),
        "timedelta": pd.to_timedelta([1, 2, None], unit="s"),
        "int64[pyarrow]": pd.array([1, None, 3], dtype="int64[pyarrow]"),
        "date32": pd.array([date, None, dt.date(2021, 1, 1)], dtype="date32[day][pyarrow]"),
    }


def polars_types() -> pl.DataFrame:
    day, time = dt.date(2020, 1, 31), dt.datetime(2020, 1, 1, 3)
    return pl.DataFrame(
        {
            "Int32": pl.Series([1, None, 3], dtype=pl.Int32),
            "UInt8": pl.Series([1, 2, 3], dtype=pl.UInt8),
            "Float32": pl.Series([1.5, None, 2], dtype=pl.Float32),
            "Boolean": [True, None, False],
            "String": ["a", None, "b"],
            "Enum": pl.Series(["x", None, "y"], dtype=pl.Enum(["y", "x", "z"])),
            "Categorical": pl.Series(["x", None, "y"], dtype=pl.Categorical),
            "Date": [day, None, dt.date(2021, 1, 2)],
            "ms": pl.Series([time, None, dt.datetime(2021, 1, 2)], dtype=pl.Datetime("ms")),
            "zoned": pl.Series([time, None, time], dtype=pl.Datetime("ns")).dt.replace_time_zone("Asia/Tokyo"),
            "Duration": [dt.timedelta(1), None, dt.timedelta(2)],
            "Decimal": pl.Series(["1.5", None, "2.25"]).cast(pl.Decimal(10, 2)),
        }
    )


def test_types_of_pandas_come_back():
    frame = pd.DataFrame(every_type())
    pd.testing.assert_frame_equal(Table.read(frame).write(), frame)
    schema = TableSchema.infer(pd.concat([frame, frame], ignore_index=True))
    pd.testing.assert_frame_equal(schema.restore(schema.normalize(frame)), frame)


def test_types_of_polars_come_back():
    frame = polars_types()
    assert_frame_equal(Table.read(frame).write(), frame)
    schema = TableSchema.infer(pl.concat([frame, frame]))
    assert_frame_equal(schema.restore(schema.normalize(frame)).drop("zoned"), frame.drop("zoned"))
    assert schema.restore(schema.normalize(frame))["zoned"].dtype == frame["zoned"].dtype


def test_types_of_pyarrow_come_back():
    frame = polars_types().drop("Enum", "Categorical", "zoned").to_arrow()
    frame = frame.append_column("dictionary", pa.array(["x", None, "y"]).dictionary_encode())
    frame = frame.append_column("zoned", pa.array([1, None, 3], pa.timestamp("s", "Asia/Tokyo")))
    assert Table.read(frame).write().equals(frame)
    schema = TableSchema.infer(pa.concat_tables([frame, frame]))
    assert schema.restore(schema.normalize(frame)).equals(frame)


def test_columns_that_do_not_change_are_the_frames_own():
    """Types that no model takes included, the index too, and names that are numbers."""
    frame = pd.DataFrame({0: [0.5, None, 1.5], 1: pd.cut([1, 2, 3], 2), 2: [[1], [2], None]}, index=list("xyx"))
    table = fill_cells(Table.read(frame), [Column("0", "real", "float64")], np.zeros((3, 1)))
    pd.testing.assert_frame_equal(table.write(), frame.fillna({0: 0.0}))
    some = pd.DataFrame(RNG.normal(size=(9, 2)))
    assert TableSchema.infer(some).restore(np.zeros((1, 2))).columns.tolist() == [0, 1]


@pytest.mark.parametrize("names", [[0, "b"], [None, "b"], [("a", 1), ("b", 2)], [0.5, 1.5]])
def test_names_that_are_neither_texts_nor_whole_numbers(names):
    frame = pd.DataFrame(np.zeros((2, 2)))
    frame.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    with pytest.raises(TypeError, match="expected columns named by texts, or all by whole numbers"):
        Table.read(frame)


def test_masked_entries_are_missing():
    masked = np.ma.masked_array(np.arange(6.0).reshape(3, 2), mask=np.array([[1, 0], [0, 0], [0, 1]], bool))
    assert Table.suits(masked)
    np.testing.assert_array_equal(Table.read(masked).write(), masked.filled(np.nan))


def test_arrays_come_back_as_arrays():
    array = np.array([[1, "a", None, 0.5], [2, "b", 3, None], [3, "a", 4, 1.5]], object)
    schema = TableSchema.infer(array)
    assert schema.columns == ("x0", "x1", "x2", "x3")
    assert schema.restore(schema.normalize(array)).tolist() == array.tolist()
    floats = np.array([[0, 1.5, np.nan], [0, np.nan, np.nan], [0, 3.5, np.nan]], np.float32)
    schema = TableSchema.infer(floats)
    restored = schema.restore(schema.normalize(floats))
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, floats)


NUMBERS = st.one_of(
    st.lists(st.integers(-1000, 1000), min_size=30, max_size=30),
    st.lists(st.integers(10**9, 10**9 + 10**6), min_size=30, max_size=30),
    st.lists(st.integers(0, 99999).map(lambda cents: cents / 100), min_size=30, max_size=30),
    st.lists(st.sampled_from([0.0, 2.5, 5.0, 1000.0]), min_size=30, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.lists(st.sampled_from(["a", " b", "B", "ü", "a,b", "0"]), min_size=30, max_size=30),
    st.lists(st.integers(0, 10**5).map(lambda m: dt.datetime(2020, 1, 1) + dt.timedelta(minutes=m)), min_size=30,
             max_size=30),
)  # fmt: skip


@settings(max_examples=60)
@given(columns=st.lists(NUMBERS, min_size=2, max_size=4), holes=st.lists(st.integers(0, 119), max_size=40))
def test_recorded_values_come_back(columns, holes):
    columns = {f"c{i}": list(values) for i, values in enumerate(columns)}
    for hole in holes:
        if f"c{hole // 30}" in columns:
            columns[f"c{hole // 30}"][hole % 30] = None
    frame = pl.DataFrame(columns)
    if all(frame[name].drop_nulls().n_unique() < 2 for name in columns):
        return
    schema = TableSchema.infer(frame)
    restored = schema.restore(schema.normalize(frame))
    assert TableSchema.from_json(schema.to_json()) == schema
    for name in schema.columns:
        assert restored[name].dtype == frame[name].dtype
        assert restored[name].to_list() == frame[name].to_list()


@settings(max_examples=40)
@given(st.lists(st.floats(-1e300, 1e300), min_size=5, max_size=30, unique=True))
def test_continuous_values_come_back_to_seven_digits(values):
    schema = TableSchema.infer(pl.DataFrame({"a": values}))
    (column,) = schema.table
    x = schema.normalize(pl.DataFrame({"a": values}))
    assert np.isfinite(x).all()
    error = np.abs(schema.restore(x)["a"].to_numpy() - values)
    far = np.abs(np.array(values) / column.scale - column.offset / column.scale) + 1
    assert (error / column.scale <= 4e-7 * far).all()


# kinds


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RNG.normal(size=99), "real"),
        (RNG.lognormal(size=99) + 1, "positive"),
        (RNG.random(99), "bounded"),
        (RNG.poisson(20, 99), "count"),
        (RNG.integers(1, 6, 99), "ordinal"),
        (RNG.integers(0, 2, 99), "boolean"),
        (RNG.random(99) < 0.5, "boolean"),
        (RNG.choice(["a", "b", "c"], 99), "categorical"),
        (pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, 99), unit="D"), "datetime"),
        (pd.Categorical(RNG.choice(["low", "high"], 99), ["low", "high"], ordered=True), "ordinal"),
        ([f"{i * 7 % 99}.5" for i in range(99)], "positive"),
    ],
)
def test_kinds(values, kind):
    assert column_of(values).kind == kind


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (RNG.integers(0, 50, 99), 1),
        (RNG.integers(0, 50, 99) * 5, 5),
        (RNG.integers(0, 9999, 99) / 100, 0.01),
        ((RNG.integers(0, 9999, 99) / 100).astype(np.float32), 0.01),
        (RNG.integers(10**8, 10**9, 99) / 1.0, 1),
        (RNG.normal(size=99), None),
        (RNG.normal(size=99) * 1e-9, None),
        (RNG.normal(size=99) * 1e4, None),
        (pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, 99), unit="D"), 86400),
        (pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 10**6, 99), unit="s"), 1),
    ],
)
def test_recorded_precision(values, step):
    assert column_of(values).step == (None if step is None else pytest.approx(step))


def test_spikes_are_values_recorded_far_more_often():
    gain = np.where(RNG.random(999) < 0.9, 0, RNG.integers(1, 5000, 999))
    assert column_of(gain).spikes == (0,)
    assert column_of(RNG.poisson(10, 999)).spikes == ()
    few = np.array([1, 2, 4]) / math.pi  # on no grid
    assert column_of(np.append(RNG.choice(few, 99), 1.0)).spikes == tuple(few)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.arange(99), "identifier: every row has a number"),
        ([f"user {i}" for i in range(99)], "identifier: every row has a text"),
        (["so " * 20 + str(i) for i in range(99)], "free text"),
        ([None] * 99, "empty"),
        ([math.nan] * 99, "empty"),
        (["x"] * 99, "constant: every cell is x"),
        ([2.5] * 98 + [None], "constant: every cell is 2.5"),
        ([1, "a", 2.5] * 33, "mixed: it holds values of the types float, int, str"),
        ([str(i) for i in range(98)] + ["unknown"], "mixed: most cells are numbers, .* such as 'unknown'"),
        ([{"a": 1}] * 99, "of dict objects"),
        ([b"x", b"y", b"z"] * 33, "of bytes objects"),
        (2**53 + 2 * np.arange(99) ** 2, r"whole numbers beyond 2\^53, whose last digits would be lost"),
        ([2**70 + i * i for i in range(99)], r"whole numbers beyond 2\^53"),
        ([str(2**64 + i * i) for i in range(99)], r"whole numbers beyond 2\^53"),
        ([f"{1000 + i:,}" for i in range(99)], "texts of numbers with separators, such as '1,000'; convert them"),
        ([f"2020-01-{1 + i % 28:02}" for i in range(99)], "texts of dates; convert them"),
        ([f"name {i}" for i in range(1500)] * 3, "1,500 different texts"),
    ],
)
def test_columns_that_cannot_be_used_are_left_out_with_the_reason(values, reason):
    numbers = np.random.default_rng(0).normal(size=len(values))
    ((name, said),) = TableSchema.infer(pd.DataFrame({"a": pd.Series(values), "b": numbers})).left_out
    assert name == "a"
    assert pd.Series([said]).str.match(reason).all(), said


def test_constants_are_given_back_in_their_place_or_kept():
    frame = pd.DataFrame({"a": [1, 2, 3], "c": [7, 7, 7], "t": ["x"] * 3, "e": [np.nan] * 3, "b": [0.1, 0.2, 0.4]})
    schema = TableSchema.infer(frame)
    assert [name for name, _ in schema.left_out] == ["c", "t", "e"]
    pd.testing.assert_frame_equal(schema.restore(schema.normalize(frame)), frame.drop(columns="e"))
    assert TableSchema.infer(frame, constants=True).columns == ("a", "c", "t", "b")
    with pytest.warns(UserWarning, match="'c' was always 7 and is ignored"):
        schema.normalize(frame.assign(c=[7, 8, 7]))


def test_columns_that_determine_others():
    city = RNG.choice(["Ulm", "Bonn", "Kiel"], 300)
    height = RNG.normal(size=300)
    frame = pd.DataFrame(
        {
            "city": city,
            "code": pd.Series(city).map({"Ulm": 1, "Bonn": 2, "Kiel": 3}),
            "north": city == "Kiel",
            "height": height,
            "inches": -height / 2.54 + 1,
            "other": RNG.integers(0, 3, 300),
        }
    )
    found = {tuple(relation) for relation in find_relations(Table.read(frame))}
    assert found == {("city", "code", True), ("height", "inches", True), ("city", "north", False)}


# new rows


def test_columns_are_found_by_name(people):
    schema = TableSchema.infer(people)
    expected = schema.normalize(people)
    np.testing.assert_array_equal(schema.normalize(people[people.columns[::-1]]), expected)
    with pytest.warns(UserWarning, match=r"did not have are ignored: \['new'\]"):
        np.testing.assert_array_equal(schema.normalize(people.assign(new=1)), expected)
    np.testing.assert_array_equal(schema.normalize(pl.from_pandas(people)), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(schema.normalize(people.drop(columns=["id", "const"])), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="age"), r"the columns \['age'\] of the training data are missing"),
        (lambda f: f.rename(columns={"age": "Age"}), r"the columns \['age'\] of the training data are missing"),
        (lambda f: f.assign(city="Rom"), "'city' holds 'Rom', which was not among the 3 values .* Kiel, Bonn, Ulm"),
        (lambda f: f.assign(age=np.inf), r"'age' holds infinity \(inf\)"),
        (lambda f: f.assign(age="1,234"), "'age' holds '1,234', where numbers are expected"),
        (lambda f: f.assign(age=f.when), "'age' holds datetime64.*, but numbers in the training data"),
        (lambda f: f.assign(when=3.0), "'when' holds float64, but dates in the training data"),
        (lambda f: f[:0], "expected a table with rows and columns, but got shape"),
        (lambda f: pd.concat([f, f.age], axis=1), "two columns of the same name, 'age'"),
        (lambda f: f.to_numpy()[:, 1:], r"are missing"),
    ],
)
def test_new_rows_that_do_not_fit(people, change, message):
    with pytest.raises(ValueError, match=message):
        TableSchema.infer(people).normalize(change(people))


def test_unseen_categories_can_be_missing_cells_that_are_told(people):
    schema = TableSchema.infer(people)
    rows = people.assign(city=["Rom"] + ["Ulm"] * (N - 1))
    x = schema.normalize(rows, unknown="missing")
    place = schema.columns.index("city")
    assert np.isnan(x[:, place]).tolist() == [True] + [False] * (N - 1)
    assert np.argwhere(schema.unseen(rows)).tolist() == [[0, place]]


@pytest.mark.parametrize(
    ("raw", "error", "message"),
    [
        (np.zeros((1, 3)), ValueError, "1 sample"),
        (np.zeros((0, 3)), ValueError, "shape"),
        (np.zeros(3), ValueError, "shape"),
        (np.zeros((9, 3)), ValueError, "no column of the table can be used"),
        (np.array([[1.0, np.inf], [2, 3]]), ValueError, "'x1' holds infinity"),
        (3, TypeError, "expected a data frame"),
        ("no.csv", FileNotFoundError, "no such file: no.csv"),
        ("a.xlsx", ValueError, "expected .csv, .tsv, .parquet"),
    ],
)
def test_tables_that_cannot_be_used(raw, error, message):
    with pytest.raises(error, match=message):
        TableSchema.infer(raw)


# the schema of the user's


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_written_schema_says_the_same(people, tmp_path, suffix):
    schema, path = TableSchema.infer(people), tmp_path / f"people{suffix}"
    write_choices(schema, path)
    again = TableSchema.infer(people, choices=read_choices(path))
    assert (again.table, again.order) == (schema.table, schema.order)
    assert dict(again.left_out) == dict(schema.left_out)


def test_choices_go_before_what_values_look_like(people):
    choices = {
        "id": {"kind": "count"},
        "age": {"kind": "categorical"},
        "height": {"kind": "bounded", "low": 0, "high": 300, "step": 0},
        "city": {"kind": "ordinal", "values": ["Ulm", "Bonn", " Kiel"]},
        "gain": {"kind": "left-out", "reason": "secret"},
    }
    schema = TableSchema.infer(people, choices=choices)
    found = {column.name: column for column in schema.table}
    assert {name: found[name].kind for name in choices if name != "gain"} == {
        name: choice["kind"] for name, choice in choices.items() if name != "gain"
    }
    assert (found["height"].low, found["height"].high, found["height"].step) == (0, 300, None)
    assert ("gain", "secret") in schema.left_out
    restored = schema.restore(schema.normalize(people))
    pd.testing.assert_series_equal(restored["city"], people["city"])
    assert restored["age"].tolist() == people["age"].tolist()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"agee": {}}, "'agee' that the table does not have; did you mean 'age'?"),
        ({"age": {"knd": "count"}}, "unknown 'knd'; did you mean 'kind'?"),
        ({"age": {"kind": "counts"}}, "unknown kind 'counts'; did you mean 'count'?"),
        ({"age": "count"}, "expected for each column"),
        ({"age": {"kind": "bounded", "low": 30}}, "'age' goes from 18 to 79, beyond 30 to 79"),
        ({"age": {"step": -1}}, "step -1, expected a number that is not negative"),
        ({"age": {"step": 0.7}}, "which is no multiple of 0.7 from 18"),
        ({"age": {"high": math.nan}}, "high nan, expected a number or a date"),
        ({"when": {"low": "soon"}}, "low 'soon', expected a number or a date"),
        ({"age": {"spikes": "many"}}, "spikes 'many', expected a list of numbers"),
        ({"city": {"values": ["Ulm", "Ulm"]}}, "expected a list of different values"),
        ({"city": {"values": ["Ulm"]}}, "which is not among the values of its schema"),
        ({"city": {"kind": "count"}}, "where numbers are expected"),
        ({"when": {"kind": "categorical"}}, "holds dates, which cannot be categorical"),
    ],
)
def test_choices_that_do_not_suit(people, choices, message):
    with pytest.raises(ValueError, match=message):
        TableSchema.infer(people, choices=choices)


# models


@pytest.fixture(scope="module")
def fitted(people: pd.DataFrame) -> VAE:
    with pytest.warns(UserWarning, match="column 'id' is left out: identifier.*; column 'const' is left out"):
        return VAE(epochs=2, verbose=False).fit(people)


def test_a_vae_takes_a_data_frame_and_gives_it_back(people, fitted, tmp_path):
    assert list(fitted.feature_names_in_) == list(people.columns)
    restored = fitted.reconstruct(people)
    assert restored.dtypes.to_dict() == people.drop(columns="id").dtypes.to_dict()
    assert restored.index.equals(people.index)
    assert not restored.isna().any().any()
    assert np.isfinite(fitted.transform(people)).all()
    loaded = load(fitted.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.transform(people), fitted.transform(people))
    assert list(loaded.feature_names_in_) == list(people.columns)
    assert loaded.sample(3).columns.tolist() == restored.columns.tolist()


def test_scores_depend_neither_on_the_order_of_columns_nor_on_rows_beside(people, fitted):
    scores = fitted.score_samples(people)
    np.testing.assert_allclose(fitted.score_samples(people[people.columns[::-1]]), scores, atol=1e-4)
    np.testing.assert_allclose(fitted.score_samples(people[:7]), scores[:7], atol=1e-4)


def test_scores_do_not_depend_on_units():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.integers(0, 99, 200), "c": rng.choice(["x", "y"], 200)})
    other = frame.assign(a=frame.a * 2.54 + 1, b=frame.b * 4)
    vae = VAE(epochs=2, verbose=False, held_out=0)
    scores = [vae.fit(each).score_samples(each) for each in (frame, other)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


def test_an_array_with_missing_cells_is_a_table():
    x = RNG.normal(size=(80, 4))
    x[::5, 1] = np.nan
    vae = VAE(epochs=2, verbose=False).fit(x)
    assert isinstance(vae.schema_, TableSchema)
    assert np.isfinite(vae.reconstruct(x)).all()
    assert vae.reconstruct(x).shape == x.shape
    assert vae.n_features_in_ == 4
    report = vae.evaluate(x, samples=2)
    seen = ~np.isnan(x)
    error = (vae.schema_.normalize(vae.reconstruct(x)) - vae.schema_.normalize(x))[seen]
    assert report.mse == pytest.approx(np.square(error).mean(), rel=1e-3)
    assert report.accuracy is None


def test_a_schema_for_the_estimator(people, tmp_path):
    write_choices(TableSchema.infer(people), tmp_path / "people.toml")
    text = (tmp_path / "people.toml").read_text().replace('["age"]\nkind = "count"', '["age"]\nkind = "real"')
    (tmp_path / "people.toml").write_text(text)
    with pytest.warns(UserWarning, match="left out"):
        vae = VAE(columns=tmp_path / "people.toml", epochs=1, verbose=False).fit(people)
    assert kinds(vae.schema_)["age"] == "real"
    with pytest.raises(ValueError, match="these data are no table"):
        VAE(columns={}, epochs=1, verbose=False).fit(RNG.normal(size=(20, 3)))


# the command line


def test_tables_on_the_command_line(people, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    people.to_csv("people.csv", index=False)
    assert main(["data", "show", "people.csv", "--save", "people.toml"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("identifier", "boolean", "2020-01-0", "continuous", "1 day", "0 9"))
    assert main(["train", "people.csv", "--columns", "people.toml", "--epochs", "2", "--out", "run"]) == 0
    assert "column 'id' is left out: identifier" in capsys.readouterr().err
    assert main(["evaluate", "run", "--samples", "2"]) == 0
    assert main(["encode", "run", "--part", "train", "--out", "z.parquet"]) == 0
    assert len(Table.read("z.parquet")) == 216
    assert main(["sample", "run", "-n", "5", "--out", "rows.csv"]) == 0
    assert main(["reconstruct", "run", "people.csv", "--out", "rows.parquet"]) == 0
    assert Table.read("rows.parquet").dtypes == {
        name: dtype for name, dtype in Table.read("people.csv").dtypes.items() if name != "id"
    }
    assert main(["plot", "run", "clusters", "reconstructions", "--color-by", "city", "--out", "."]) == 0
    capsys.readouterr()
    assert main(["plot", "run", "clusters", "--color-by", "towm"]) == 2
    assert "unknown column 'towm'" in capsys.readouterr().err
    assert main(["sample", "run", "--out", "rows.npy"]) == 2
    assert "rows are written as .csv or .parquet" in capsys.readouterr().err
    assert "| age | count | 18 to 79, steps of 1 |" in (tmp_path / "run" / "README.md").read_text()


def test_thousands_of_columns():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2000)).round(2))
    schema = TableSchema.infer(table)
    assert schema.shape == (2000,)
    assert data.describe_table(data.Dataset("wide", Table.read(table)), schema)["rows"] == 40
