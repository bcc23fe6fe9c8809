"""The live connection: pixels for latents, a sentence for what is wrong, and it goes on after that."""

import json
import struct

import numpy as np
import pytest
import torch

from vaekit import tasks
from vaekit.data.pictures import as_pixels

from .conftest import ADDRESS


@pytest.fixture
def ask(client):
    """Send a request and take its answer."""

    def one(**request) -> dict | bytes:
        socket.send_text(json.dumps({"id": 5, "z": [0.5, -1.0], **request}))
        answer = socket.receive()
        return answer["bytes"] if answer.get("bytes") else json.loads(answer["text"])

    with client.websocket_connect("/live", headers={"Host": ADDRESS.removeprefix("http://")}) as socket:
        yield one


def test_latents_are_answered_by_pixels(ask, digits_run, told_run):
    for run, label, name in ((digits_run, None, "digits"), (told_run, "7", "told")):
        answer = ask(run=name, label=label)
        assert struct.unpack("<5I", answer[:20]) == (5, 1, 8, 8, 1)
        c = run.context(1, None if label is None else [label])
        x = tasks.decode(run.model, torch.tensor([[0.5, -1.0]]), c)
        assert np.array_equal(np.frombuffer(answer[20:], np.uint8), as_pixels(run.schema, x).ravel())


def test_rows_are_answered_by_texts(ask, people_run):
    (row,) = ask(run="people")["rows"]
    assert len(row) == len(people_run.schema.columns)


def test_what_is_wrong_is_said_and_the_connection_goes_on(ask, monkeypatch):
    for request, words in (
        ({"z": [0.0]}, "expected a z of 2 numbers, got 1"),
        ({"z": ["a", 0]}, "z.0"),
        ({"run": "nobody"}, "there is no run 'nobody'"),
        ({"label": "7"}, "not conditional"),
        ({"z": [0.0] * 70_000}, "at most 65,536 characters"),
    ):
        assert words in ask(**request)["error"]
    with monkeypatch.context() as patched:
        patched.setattr("vaekit.server.live.decode", lambda *given: 1 / 0)
        assert ask() == {"id": 5, "error": "unexpected ZeroDivisionError in the server; its log says more"}
    assert isinstance(ask(), bytes)
