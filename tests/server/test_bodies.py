"""Bad requests get a status that says whose fault it is and one sentence; numbers survive JSON."""

import base64
import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vaekit.server.bodies import JSON, NPY, PNG, VAE, numbers, wanted
from vaekit.server.errors import RefusedError

from .test_service import npy


def refused(answer, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    sentence = answer.json()["error"]
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert all(word in sentence for word in words), sentence


X = np.zeros((1, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("/encode", {}, ["x: field required"]),
        ("/encode", {"x": []}, ["at least one item"]),
        ("/encode", {"x": 3}, ["(N, 8, 8)"]),
        ("/encode", {"x": "digits.npy"}, ["numbers"]),
        ("/encode", {"x": [[[0] * 8] * 7]}, ["(N, 8, 8)", "(1, 7, 8)"]),
        ("/encode", {"x": [[1, 2], [3]]}, ["one shape"]),
        ("/encode", {"x": [[["a"] * 8] * 8]}, ["numbers"]),
        ("/encode", {"x": [[[17] * 8] * 8]}, ["0 to 16", "17"]),
        ("/encode", {"x": [[[0.5] * 8] * 8]}, ["whole numbers"]),
        ("/encode", {"x": [[[None] * 8] * 8]}, ["NaN"]),
        ("/encode", {"x": [[[10**400] * 8] * 8]}, ["numbers"]),
        ("/encode", {"x": X.tolist(), "n": 3}, ["there is no option 'n'"]),
        ("/encode", {"x": X.tolist(), "label": "3"}, ["not conditional"]),
        ("/encode", {"x": X.tolist(), "label": {"a": 1}}, ["label is a text or a number"]),
        ("/encode", [1], ["expected a JSON object"]),
        ("/decode", {"z": [[0]]}, ["(N, 2)", "(1, 1)"]),
        ("/decode", {"z": [0, 0]}, ["(N, D)"]),
        ("/decode", {"z": []}, ["(N, D)"]),
        ("/decode", {"z": [[1e300, 0]]}, ["too large"]),
        ("/decode", {"z": [["a", 0]]}, ["lists of numbers"]),
        ("/decode", {"z": [[0, 0]], "seed": -1}, ["seed", "greater than or equal to 0"]),
        ("/decode", {"z": [[0, 0]], "draw": "perhaps"}, ["draw", "boolean"]),
        ("/sample", {"n": 0}, ["n: should be greater than or equal to 1", "got '0'"]),
        ("/sample", {"temperature": 0}, ["temperature"]),
        ("/score", {"x": X.tolist(), "samples": 10**9}, ["at most 1,000 importance samples"]),
        ("/detect", {"x": X.tolist(), "false_alarm": 2}, ["false_alarm"]),
        ("/impute", {"x": X.tolist()}, ["nothing is hidden"]),
        ("/impute", {"x": X.tolist(), "mask": "/etc/passwd"}, ["top:bottom,left:right"]),
        ("/impute", {"x": X.tolist(), "mask": "secret.npy"}, ["top:bottom,left:right"]),
        ("/impute", {"x": X.tolist(), "mask": "5:5,0:1"}, ["hides nothing"]),
        ("/impute", {"x": X.tolist(), "mask": [[True]]}, ["shape (1, 1)"]),
        ("/compress", {"x": X.tolist(), "quality": 101}, ["quality"]),
        ("/decompress", {"data": "***"}, ["base64"]),
        ("/decompress", {"data": "AAAA"}, ["not a .vae file"]),
        ("/encode?run=people", {"x": [{"age": 1, "size": 2}]}, ["there is no column 'size'", "age, income, city"]),
        ("/encode?run=people", {"x": [{"city": "Rome"}]}, ["'Rome'", "Bern"]),
        ("/encode?run=people", {"x": [{"age": "old"}]}, ["'old'", "numbers are expected"]),
        ("/encode?run=people", {"x": [{"age": [1]}]}, ["cells"]),
        ("/encode?run=people", {"x": [[1, 2]]}, ["age, income, city", "2 cells"]),
        ("/encode?run=people", {"x": [1, 2]}, ["rows"]),
        ("/compress?run=people", {"x": [[1, 2, "Bern"]]}, ["only images and vectors"]),
    ],
)
def test_what_is_wrong_with_json_is_said(client, path, content, words):
    refused(client.post(path, json=content), 422, *words)


def test_bodies_that_are_not_what_they_say(client):
    for body in (b"", b"{", b'{"x": NaN}', b"\xff\xfe", b"[" * 10_000):
        refused(client.post("/encode", content=body, headers={"Content-Type": JSON}), 422, "JSON")
    for body in (b"", b"x", npy(X)[:-5], npy(X)[:20], b"\x93NUMPY" + bytes(300)):
        refused(client.post("/encode", content=body, headers={"Content-Type": NPY}), 422, "the body")
    for body in (b"", npy(X), b"GIF89a" + bytes(30), b"\x89PNG\r\n\x1a\n" + bytes(8)):
        refused(client.post("/encode", content=body, headers={"Content-Type": PNG}), 422, "no PNG")


def test_latents_so_far_away_that_nothing_is_there_give_no_picture(client):
    answer = client.post("/decode", json={"z": [[1e38, -1e38]]}, headers={"Accept": PNG})
    refused(answer, 422, "no numbers there")


def test_nothing_is_unpickled(client):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], object), allow_pickle=True)
    refused(client.post("/encode", content=stream.getvalue(), headers={"Content-Type": NPY}), 422, "Python objects")


def test_declared_sizes_take_no_memory(client):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80)
    refused(client.post("/encode", content=body, headers={"Content-Type": NPY}), 422, "truncated")
    body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 50_000, 50_000) + bytes(5)
    refused(client.post("/encode", content=body, headers={"Content-Type": PNG}), 413, "50,000")


def test_types_are_strict(client):
    body = json.dumps({"x": X.tolist()})
    refused(
        client.post("/encode", content=body, headers={"Content-Type": "text/plain"}), 415, JSON, NPY, PNG, "text/plain"
    )
    refused(client.post("/encode", content=body), 415, "got none")
    refused(client.post("/decode", content=b"", headers={"Content-Type": PNG}), 415, PNG)
    refused(client.post("/encode", json={"x": X.tolist()}, headers={"Accept": "text/html"}), 406, "text/html")
    refused(client.post("/encode", json={"x": X.tolist()}, headers={"Accept": PNG}), 406, PNG)
    refused(client.get("/encode"), 405, "/encode takes POST, not GET")
    refused(client.post("/docs"), 405, "/docs takes GET, not POST")
    refused(client.get("/nothing/here"), 404, "/docs")
    assert (
        client.post("/encode", content=body, headers={"Content-Type": "application/JSON; charset=utf-8"}).status_code
        == 200
    )


def test_items_and_options_have_limits(client):
    z = np.zeros((601, 2), np.float32)
    refused(client.post("/decode", content=npy(z), headers={"Content-Type": NPY}), 413, "at most 600 items", "601")
    refused(client.post("/sample", json={"n": 601}), 413, "600")
    for path in ("encode", "detect", "score", "impute", "compress"):
        none = npy(np.empty((0, 8, 8), np.uint8))
        refused(client.post(f"/{path}", content=none, headers={"Content-Type": NPY}), 422, "at least one item")
    refused(client.post("/sample?n=3", json={"n": 3}), 422, "n is given twice")


def test_files_that_carry_a_model_or_come_of_another_are_refused(client, digits_run, told_run):
    from vaekit.recipes import codec, codec_files

    def packed(run, **options) -> dict[str, str]:
        stream = io.BytesIO()
        codec.compress(run, codec_files.of_array(run, np.zeros((9, 8, 8), np.uint8)), stream, **options)
        return {"data": base64.b64encode(stream.getvalue()).decode()}

    refused(client.post("/decompress", json=packed(digits_run, with_model=True)), 422, "only arrays")
    refused(client.post("/decompress?run=digits", json=packed(told_run)), 422, "another")
    whole = client.post("/compress", json={"x": np.zeros((9, 8, 8), int).tolist()}).content
    for at in range(8, len(whole), max(1, len(whole) // 12)):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        refused(client.post("/decompress", content=damaged, headers={"Content-Type": VAE}), 422)


def test_rows_of_texts_are_no_array(client):
    asked = {"x": [[40, 30_000, "Oslo"]]}
    answer = client.post("/reconstruct?run=people", json=asked, headers={"Accept": NPY})
    refused(answer, 422, "'city'", "JSON")
    refused(
        client.post("/reconstruct?run=people", json=asked, headers={"Accept": PNG}), 422, "pictures are those of images"
    )
    refused(client.post("/encode?run=people", content=_png(), headers={"Content-Type": PNG}), 422, "image file")


def _png() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "PNG")
    return stream.getvalue()


@settings(max_examples=60)
@given(st.lists(st.floats(width=32), min_size=1))
def test_numbers_come_back_from_json_to_the_bit(values):
    array = np.array(values, np.float32)
    text = json.dumps(numbers(array), allow_nan=False)
    back = np.array([np.nan if value is None else value for value in json.loads(text)], np.float32)
    finite = np.isfinite(array)
    assert np.array_equal(back[finite], array[finite])
    assert np.isnan(back[~finite]).all()


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("image/*", PNG),
        ("image/png;q=0.5, application/x-npy", NPY),
        ("application/x-npy;q=0, */*;q=0.1", JSON),
        ("text/html, */*;q=0.8", JSON),
        ("text/html", None),
        ("application/json;q=high", None),
        (",;,", None),
    ],
)
def test_accept(accept, found):
    from starlette.requests import Request

    headers = [] if accept is None else [(b"accept", accept.encode())]
    request = Request({"type": "http", "headers": headers})
    if found is None:
        with pytest.raises(RefusedError, match="Accept"):
            wanted(request, (JSON, NPY, PNG))
    else:
        assert wanted(request, (JSON, NPY, PNG)) == found
