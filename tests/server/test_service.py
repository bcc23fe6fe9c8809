"""Every route answers what the task itself finds; JSON, .npy and PNG both ways."""

import base64
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from vaekit import VAEDetector, store, tasks
from vaekit.data.pictures import as_pixels
from vaekit.evaluation.sheets import on_a_sheet

JSON, NPY, PNG, VAE = "application/json", "application/x-npy", "image/png", "application/x-vae"


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def array_of(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == NPY
    return np.load(io.BytesIO(response.content), allow_pickle=False)


def picture_of(response) -> np.ndarray:
    assert response.headers["content-type"] == PNG
    return np.asarray(Image.open(io.BytesIO(response.content)))


def post(client, path, content, accept=NPY, **query):
    """Send an array as .npy, all else as JSON."""
    if isinstance(content, np.ndarray):
        headers = {"Content-Type": NPY, "Accept": accept}
        return client.post(path, content=npy(content), headers=headers, params=query)
    return client.post(path, json=content, headers={"Accept": accept}, params=query)


# ---------------------------------------------------------------------------------------------------------------------
# Tasks


def test_encode(client, digits_run, images):
    z = tasks.encode(digits_run.model, digits_run.feed(images)).numpy()
    assert np.allclose(array_of(post(client, "/encode", images)), z, atol=1e-6)
    answer = client.post("/encode", json={"x": images.tolist()}).json()
    assert np.array_equal(np.array(answer["z"], np.float32), array_of(post(client, "/encode", {"x": images.tolist()})))


def test_decode(client, digits_run):
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    x = tasks.decode(digits_run.model, torch.from_numpy(z))
    assert np.array_equal(array_of(post(client, "/decode", z)), digits_run.schema.restore(x))
    assert client.post("/decode", json={"z": z.tolist()}).json() == {"x": digits_run.schema.restore(x).tolist()}
    sheet = on_a_sheet(as_pixels(digits_run.schema, x))[..., 0]
    assert np.array_equal(picture_of(post(client, "/decode", z, PNG)), sheet)
    drawn = tasks.decode(digits_run.model, torch.from_numpy(z), draw=True, seed=7)
    assert np.array_equal(array_of(post(client, "/decode", z, draw="true", seed=7)), digits_run.schema.restore(drawn))


def test_reconstruct(client, digits_run, images):
    x = tasks.reconstruct(digits_run.model, digits_run.feed(images))
    assert np.array_equal(array_of(post(client, "/reconstruct", images)), digits_run.schema.restore(x))
    stream = io.BytesIO()
    Image.fromarray(np.rint(images[0] * (255 / 16)).astype(np.uint8)).save(stream, "PNG")
    asked = {"Content-Type": PNG, "Accept": PNG}
    found = picture_of(client.post("/reconstruct", content=stream.getvalue(), headers=asked))
    assert np.array_equal(found, as_pixels(digits_run.schema, x)[0, ..., 0])


def test_sample(client, digits_run):
    x = tasks.generate(digits_run.model, 3, temperature=0.5, seed=4)
    answer = client.post("/sample", json={"n": 3, "temperature": 0.5, "seed": 4}).json()
    assert answer["x"] == digits_run.schema.restore(x).tolist()
    assert np.array_equal(
        np.array(answer["z"], np.float32), tasks.sample_latents(digits_run.model, 3, temperature=0.5, seed=4)
    )
    assert client.post("/sample", params={"n": 3, "temperature": 0.5, "seed": 4}).json() == answer


def test_score(client, digits_run, images):
    found = tasks.importance(digits_run.model, digits_run.feed(images), 20, seed=3)
    answer = client.post("/score", json={"x": images.tolist(), "samples": 20, "seed": 3}).json()
    for name, values in answer.items():
        assert np.allclose(values, getattr(found, name), rtol=1e-5), name


def test_large_requests_are_answered_in_parts(client, digits_run):
    z = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    x = digits_run.schema.restore(tasks.decode(digits_run.model, torch.from_numpy(z)))
    assert np.abs(array_of(post(client, "/decode", z)).astype(int) - x).max() <= 1  # a rounding
    sums = np.array(client.post("/score", json={"x": x.tolist(), "samples": 50}).json()["elbo"])
    assert np.allclose(sums, tasks.importance(digits_run.model, digits_run.feed(x), 50).elbo, rtol=1e-4)


def test_labels(client, told_run, images):
    names = ["3", "7"]
    z = np.zeros((2, 2), np.float32)
    x = tasks.decode(told_run.model, torch.from_numpy(z), told_run.context(2, names))
    asked = {"z": z.tolist(), "label": names}
    assert client.post("/decode?run=told", json=asked).json()["x"] == told_run.schema.restore(x).tolist()
    z_of = tasks.encode(told_run.model, told_run.feed(images, [3] * len(images)))
    assert np.allclose(array_of(post(client, "/encode", images, run="told", label="3")), z_of, atol=1e-5)
    refused = client.post("/decode", json=asked)
    assert refused.status_code == 422
    assert "not conditional" in refused.json()["error"]


def test_detect(client, folder, digits_run, images):
    odd = np.concatenate([images, 16 - images[:1]])
    detector = VAEDetector.from_run(folder / "digits", device="cpu")
    answer = client.post("/detect", json={"x": odd.tolist()}).json()
    assert np.allclose(answer["surprise"], -detector.score_samples(odd), atol=1e-3)
    assert np.allclose(answer["p_value"], detector.p_values(odd))
    assert answer["anomaly"] == (detector.predict(odd) == -1).tolist()
    assert answer["held_out"] == len(detector.held_out_)


def test_detect_rows_and_their_causes(client, folder):
    rows = [{"age": 30, "income": 27000, "city": "Bern"}, {"age": 30, "income": 900_000, "city": "Bern"}]
    answer = client.post("/detect?run=people", json={"x": rows, "explain": 1}).json()
    assert answer["surprise"][1] > answer["surprise"][0]
    (top,) = answer["most_surprising"]
    assert (top["row"], top["causes"][0]["column"], top["causes"][0]["value"]) == (1, "income", 900_000)
    detector = VAEDetector.from_run(folder / "people", device="cpu")
    import pandas as pd

    assert np.allclose(answer["surprise"], -detector.score_samples(pd.DataFrame(rows)), rtol=1e-4)


def test_detect_by_a_saved_detector(folder, tmp_path, client):
    from fastapi.testclient import TestClient

    from vaekit.server import Host, create_app

    detector = VAEDetector.from_run(folder / "people", X=folder / "people.csv", device="cpu")
    detector.save(tmp_path / "judge")
    rows = [{"age": 30, "income": 27000, "city": "Bern"}]
    with TestClient(create_app(Host.open([tmp_path / "judge"], "cpu")), base_url="http://localhost") as other:
        answer = other.post("/detect", json={"x": rows}).json()
    assert answer["held_out"] == len(detector.held_out_) == 120


def test_impute_images(client, digits_run, images):
    x = digits_run.feed(images).batch(slice(None)).x
    x[:, :, 2:5, :4] = torch.nan
    found = tasks.impute(digits_run.model, x, samples=8, draws=2, seed=5)
    asked = {"x": images.tolist(), "mask": "2:5,:4", "samples": 8, "draws": 2, "seed": 5}
    answer = client.post("/impute", json=asked).json()
    assert answer["x"] == digits_run.schema.restore(found.values).tolist()
    assert answer["draws"] == digits_run.schema.restore(found.draws).tolist()
    hidden = np.zeros((8, 8), bool)
    hidden[2:5, :4] = True
    assert client.post("/impute", json={**asked, "mask": hidden.tolist()}).json() == answer
    holes = np.where(hidden, np.nan, images.astype(float))
    assert np.array_equal(array_of(post(client, "/impute", holes, samples=8, draws=2, seed=5)), answer["x"])
    nulls = [[[None if value != value else value for value in row] for row in image] for image in holes.tolist()]
    assert client.post("/impute", json={**asked, "x": nulls, "mask": None}).json() == answer


def test_impute_rows(client):
    rows = [{"age": 40, "income": None, "city": "Oslo"}, {"age": None, "income": 30_000.0, "city": "Bern"}]
    answer = client.post("/impute?run=people", json={"x": rows, "draws": 2, "intervals": True}).json()
    for row, filled in zip(rows, answer["x"], strict=True):
        assert all(filled[name] is not None for name in row)
        assert all(filled[name] == value for name, value in row.items() if value is not None)
    assert answer["low"][0]["income"] <= answer["x"][0]["income"] <= answer["high"][0]["income"]
    assert len(answer["draws"]) == 2
    refused = client.post("/impute?run=people", json={"x": rows, "mask": "0:2,0:2"})
    assert refused.status_code == 422
    assert "mask is for images" in refused.json()["error"]


def test_rows_as_objects_or_as_lists(client, people_run):
    rows = [{"age": 40, "city": "Oslo"}, {"age": 23, "income": 20_000, "city": "Bern"}]
    lists = [[40, None, "Oslo"], [23, 20_000, "Bern"]]
    one, other = (client.post("/encode?run=people", json={"x": x}).json() for x in (rows, lists))
    assert one == other
    answer = client.post("/reconstruct?run=people", json={"x": rows}).json()["x"]
    assert [list(row) for row in answer] == [["age", "income", "city"]] * 2
    assert {row["city"] for row in answer} <= {"Bern", "Oslo"}


def test_compress_and_back(client, images):
    packed = client.post("/compress", content=npy(images), headers={"Content-Type": NPY})
    assert packed.headers["content-type"] == VAE
    back = client.post("/decompress", content=packed.content, headers={"Content-Type": VAE})
    assert array_of(back).tobytes() == images.tobytes()
    told = client.post("/compress", json={"x": images.tolist()}, headers={"Accept": JSON}).json()
    assert base64.b64decode(told["data"]) == packed.content
    assert told["size"] == len(packed.content)
    assert (
        client.post("/decompress", json={"data": told["data"]}, headers={"Accept": JSON}).json()["x"] == images.tolist()
    )


# ---------------------------------------------------------------------------------------------------------------------
# The server itself


def test_info(client, folder, digits_run):
    about = client.get("/info").json()
    assert about["runs"] == ["digits", "told", "people"]
    assert (about["name"], about["latents"], about["layout"], about["dtype"]) == ("digits", 2, [8, 8], "uint8")
    assert about["request"] == store.read_json(folder / "digits" / "config.json")["request"]
    assert about["parameters"] == sum(p.numel() for p in digits_run.model.parameters())
    columns = client.get("/info?run=people").json()["columns"]
    assert [column["name"] for column in columns] == ["age", "income", "city"]


def test_unknown_runs_are_named_with_the_known(client):
    answer = client.get("/info?run=nobody")
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no run 'nobody'; there are: digits, told, people"


@pytest.mark.parametrize("run", ["digits", "told", "people"])
def test_examples_of_the_document_work(client, run):
    document = client.get(f"/openapi.json?run={run}").json()
    tried = 0
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if "example" in content.get(JSON, {}):
            answer = client.post(f"{path}?run={run}", json=content[JSON]["example"])
            assert answer.status_code == 200, (path, answer.text)
            tried += 1
    assert tried >= 6
    assert client.get("/docs").status_code == 200


def test_clients_at_once_share_turns_and_get_their_own(client, digits_run):
    z = np.random.default_rng(1).normal(size=(24, 1, 2)).astype(np.float32)
    expected = digits_run.schema.restore(tasks.decode(digits_run.model, torch.from_numpy(z[:, 0]))).astype(int)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: array_of(post(client, "/decode", one)), z))
    assert np.abs(np.concatenate(found).astype(int) - expected).max() <= 1  # a rounding


def test_metrics_count_by_route_and_status(client):
    def count(text: str, start: str) -> float:
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(start))

    before = client.get("/metrics").text
    client.post("/decode", json={"z": [[0, 0]]})
    client.post("/decode", json={"z": [[0]]})
    client.get("/no/such/place/1")
    client.get("/no/such/place/2")
    after = client.get("/metrics").text
    for start in (
        'vaekit_requests_total{route="/decode",status="200"}',
        'vaekit_requests_total{route="/decode",status="422"}',
    ):
        assert count(after, start) == count(before, start) + 1
    assert count(after, 'vaekit_request_seconds_count{route="/decode"}') == count(
        after, 'vaekit_requests_total{route="/decode"'
    )
    assert "/no/such" not in after  # as many series as routes, whatever is asked for
    assert count(after, "vaekit_resident_memory_bytes") > 1e6


def test_a_run_that_trains_on_is_read_again(folder, tmp_path):
    import shutil

    from vaekit.recipes import Run
    from vaekit.server.hosting import Hosted

    shutil.copytree(folder / "digits", tmp_path / "run")
    hosted = Hosted("run", tmp_path / "run", device="cpu")
    before = hosted.run
    assert hosted.fact("x", lambda: 1) == hosted.fact("x", lambda: 2) == 1
    run = Run.load(tmp_path / "run")
    with torch.no_grad():
        next(run.model.parameters()).add_(1)
    hosted._looked = -1e9
    assert not hosted.stale()
    run.save(tmp_path / "run", overwrite=True)
    hosted._looked = -1e9
    assert hosted.stale()
    hosted.refresh()
    assert hosted.run is not before
    assert hosted.fact("x", lambda: 2) == 2
