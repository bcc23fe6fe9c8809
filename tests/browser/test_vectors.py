"""Items that are neither images nor rows of a table: lines over their entries, in every view."""

import csv

import numpy as np
import pytest
import torch

from vaekit import tasks
from vaekit.recipes import choose_examples
from vaekit.recipes.detection import surprises
from vaekit.server import Host
from vaekit.server.page import facts

from .pages import eventually, shown

DECODE = """async (z) => {
  const answer = await fetch("page/decode?run=signals&as=numbers", { method: "POST", body: Float32Array.from(z) });
  return [...new Float32Array(await answer.arrayBuffer())];
}"""


@pytest.fixture
def places(runs):
    """Vectors (N, 12) ↦ the points of their lines."""
    ends = facts(Host.of({"signals": runs["signals"]}).get())
    low, high = np.array(ends["low"]), np.array(ends["high"])
    return lambda x: np.stack([np.broadcast_to(100 * np.arange(12) / 11, x.shape), 100 * (high - x) / (high - low)], -1)


def points(page, selector: str) -> np.ndarray:
    """Those of all lines (N, 12, 2) that are shown."""
    lines = [line.get_attribute("points") or "" for line in page.locator(f"{selector} polyline").all()]
    return np.array([[[float(part) for part in pair.split(",")] for pair in line.split()] for line in lines])


def test_one_scale_suits_all_entries_of_a_signal(runs):
    ends = facts(Host.of({"signals": runs["signals"]}).get())
    assert len(set(ends["low"])) == len(set(ends["high"])) == 1
    assert ends["low"][0] < 15 < 25 < ends["high"][0]


def test_vectors_are_decoded_sampled_and_encoded_as_lines(open_page, runs, places):
    run, examples = runs["signals"], choose_examples(runs["signals"])
    page = open_page("#/manifold?run=signals")
    z = torch.tensor([shown(page)])
    x = run.schema.restore(tasks.decode(run.model, z).numpy(), round=False)
    np.testing.assert_allclose(points(page, ".decoded"), places(x), atol=1e-3)
    near = page.evaluate(DECODE, z[0].tolist())
    np.testing.assert_allclose(near, x[0], rtol=1e-5)
    page.evaluate("location.hash = '#/samples?run=signals&n=16&seed=2'")
    drawn = run.schema.restore(tasks.generate(run.model, 16, seed=2).numpy(), round=False)
    eventually(lambda: page.locator(".curves svg").count(), lambda count: count == 16)
    np.testing.assert_allclose(points(page, ".curves"), places(drawn), atol=1e-3)
    with page.expect_download() as download:
        page.click("button:has-text('Save as CSV')")
    rows = list(csv.reader(download.value.path().open()))
    assert rows[0] == [f"x{i}" for i in range(12)]
    np.testing.assert_allclose(np.array(rows[1:], float), drawn, atol=1e-5)
    page.evaluate("location.hash = '#/clusters?run=signals'")
    page.wait_for_selector(".plane[data-complete=true]")
    page.focus(".plane")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[data-index] polyline[points]")
    index = int(page.get_attribute("[data-index]", "data-index"))
    own = examples.x[index : index + 1]
    again = run.schema.restore(tasks.reconstruct(run.model, run.feed(own)).numpy(), round=False)
    np.testing.assert_allclose(points(page, "[data-index]"), places(np.concatenate([own, again])), atol=1e-3)


def test_numbers_of_ones_own_are_judged(open_page, runs, places):
    run = runs["signals"]
    page = open_page("#/item?run=signals")
    page.wait_for_selector(".histogram:visible")
    x = np.linspace(10, 30, 12, dtype="f4")[None]
    page.fill("textarea", " ".join(map(str, x[0])))
    eventually(lambda: np.abs(points(page, ".stack")[0] - places(x)[0]).max() < 1e-2)
    score = surprises([run], [1.0], x, seed=run.request.seed)[0][0]
    assert float(page.text_content(".figure .value").replace(",", "")) == pytest.approx(score, abs=0.06)
    assert "An anomaly" in page.text_content(".panel [role=status]")
    page.fill("textarea", "1 2 three")
    eventually(lambda: page.text_content("#message"), lambda text: "got “three”" in text)
