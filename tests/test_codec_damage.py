"""Damaged and hostile .vae files: what is intact comes back, nothing else ever does.

``VAEKIT_FUZZ=10000`` tries as many damaged files instead of a few.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_codec import SHAPE, back, blob_of, pictures, run_on, same
from vaekit.container import MAGIC, Kind, Reader, Writer, digest, pack, unpack
from vaekit.recipes import Run
from vaekit.recipes.codec import decompress
from vaekit.recipes.codec_files import array, of_array
from vaekit.recipes.codec_items import Arrays
from vaekit.recipes.codec_model import Codec
from vaekit.recipes.packed_run import pack_run

EXAMPLES = int(os.environ.get("VAEKIT_FUZZ", "25"))


@pytest.fixture(scope="module")
def run() -> Run:
    return run_on(pictures(50))


@pytest.fixture
def small(monkeypatch):
    """Chunks of 8 items."""
    monkeypatch.setattr(Arrays, "at_once", 8)


def test_damaged_chunks_are_told_and_the_rest_comes_back(run, small):
    x = pictures(40)
    blob = bytearray(blob_of(run, x, verify=False))
    chunks = Reader(bytes(blob)).chunks
    blob[chunks[2].offset + 5] ^= 1  # in the payload
    blob[chunks[4].offset - 10] ^= 1  # in the head
    with pytest.raises(ValueError, match=r"16 to 23 are damaged.*--recover"):
        back(run, bytes(blob))
    found = decompress(run, Reader(bytes(blob)), recover=True)
    assert [sentence[:14] for sentence in found.damage] == ["items 16 to 23", "items 32 to 39"]
    kept = np.r_[0:16, 24:32]
    assert same(array(found), x[kept])
    assert same(back(run, bytes(blob), 24, 30), x[24:30])


def test_a_cut_off_file_gives_what_is_there(run, small):
    x = pictures(40)
    blob = blob_of(run, x, verify=False)
    cut = blob[: Reader(blob).chunks[3].offset + 3]
    with pytest.raises(ValueError, match="24 to 39 are lost"):
        back(run, cut)
    assert same(back(run, cut, recover=True), x[:24])


X = pictures(15)


@pytest.fixture(scope="module")
def blob(run) -> bytes:
    """X in three chunks."""
    with fives():
        return blob_of(run, X, verify=False)


@contextlib.contextmanager
def fives() -> Iterator[None]:
    """Chunks of five items; and no time goes into probes, as the model computes the same here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arrays, "at_once", 5)
        patch.setattr(Codec, "probe", lambda self, count: "0" * 16)
        yield


SOME = st.binary(min_size=1, max_size=20)
WAYS = st.one_of(  # a place, a number of bytes there, and what takes their place
    st.tuples(st.integers(0, 2**16), st.just(1), st.just(None)),
    st.tuples(st.integers(0, 2**16), st.integers(0, 300), SOME),
    st.tuples(st.integers(0, 2**16), st.integers(1, 300), st.just(b"")),
    st.tuples(st.integers(0, 2**16), st.just(2**16), st.just(b"")),
)


def damaged(data: bytes, ways: list[tuple[int, int, bytes | None]]) -> bytes:
    """Bits flipped, bytes overwritten, put in, left out or cut off."""
    for at, size, other in ways:
        at %= max(len(data), 1)
        flipped = bytes(value ^ 1 << size % 8 for value in data[at : at + 1])
        data = data[:at] + (flipped if other is None else other) + data[at + size :]
    return data


@settings(max_examples=EXAMPLES)
@given(st.lists(WAYS, min_size=1, max_size=3))
def test_no_damage_ever_yields_other_bytes(run, blob, ways):
    try:
        with fives():
            found = decompress(run, Reader(damaged(blob, ways)), recover=True)
    except ValueError:
        return
    assert found.damage or same(array(found), X)
    for start, count, content in found.chunks:
        assert content == X[start : start + count].tobytes()


@settings(max_examples=EXAMPLES)
@given(st.lists(WAYS, min_size=1, max_size=3))
def test_damage_that_no_check_sees_yields_no_other_bytes(run, blob, ways):
    reader, stream = Reader(blob), io.BytesIO()
    writer = Writer(stream, reader.header)
    for chunk in reader.chunks:
        content = X[chunk.start : chunk.start + chunk.items].tobytes()
        payload = reader.payload(chunk)
        writer.append(chunk.kind, chunk.start, chunk.items, damaged(payload, ways) if chunk.start else payload, content)
    try:
        with fives():
            assert same(back(run, stream.getvalue()), X)
    except ValueError as error:
        assert "damaged" in str(error)  # noqa: PT017 - both are fine


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=200), st.integers(1, 16))
def test_random_codes_are_refused_or_decode_to_something(run, code, n):
    codec = Codec(run, of_array(run, pictures(1)).items)
    code = code[: len(code) // 4 * 4]
    with contextlib.suppress(ValueError), codec.alone():
        assert len(codec.decode(struct.pack("<I", len(code)) + code + bytes(2), n)) == n * 20


@pytest.fixture(scope="module")
def forged(run) -> Callable[..., bytes]:
    """A file with chunks and entries of the header of someone's choice, its checks intact."""
    own = Reader(blob_of(run, pictures(3), verify=False)).header

    def forge(*chunks: tuple, **header: Any) -> bytes:
        stream = io.BytesIO()
        writer = Writer(stream, own | header)
        for chunk in chunks:
            writer.append(*chunk)
        return stream.getvalue()

    return forge


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
    "a probe that is none": {"probe": 5},
    "a model that is none": {"model": None},
    "a form that is none": {"form": None},
    "made of nothing": {"made": None, "probe": "0"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(run, forged, name):
    payload = (Kind.CODED, 0, 3, bytes(40), bytes(60))
    with pytest.raises(ValueError, match=r"\w"):
        back(run, forged(payload, **HOSTILE[name]))


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
def test_hostile_chunks_are_refused(run, forged, chunk):
    with pytest.raises(ValueError, match="items"):
        back(run, forged(chunk))


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


def test_a_file_may_carry_its_model_but_no_hostile_one(run, forged):
    x = pictures(8)
    assert same(back(None, blob_of(run, x, with_model=True)), x)
    request = run.request.model_copy(update={"network": {"name": "mlp", "hidden": [2**17, 2**17]}})
    packed = pack_run(run)
    length, _, about = struct.unpack("<IQI", packed[:16])
    content = json.loads(unpack(packed[16 + length :], 2**20)[:about])
    content["request"]["network"] = request.network
    text = json.dumps(content).encode()
    hostile = struct.pack("<IQI", 0, 0, len(text)) + pack(text)
    with pytest.raises(ValueError, match="at most"):
        back(None, forged((Kind.RUN, 0, 0, hostile, hostile)))
    for damaged in (b"", packed[:10], packed[:-9], bytes(30), packed[:16] + bytes(len(packed) - 16)):
        with pytest.raises(ValueError, match=r"own model|packed bytes"):
            back(None, forged((Kind.RUN, 0, 0, damaged, damaged)))
