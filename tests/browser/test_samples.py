"""Samples: the page's are the model's draws, and are saved as they are shown."""

import numpy as np
from PIL import Image

from vaekit import tasks
from vaekit.data import Table
from vaekit.data.pictures import as_pixels

from .pages import eventually, painted

TIMES = 4  # that 8 × 8 pixels are enlarged


def sheet(run, c=None, **options) -> np.ndarray:
    """16 samples side by side, four in a row, with a pixel between them."""
    tiles = as_pixels(run.schema, tasks.generate(run.model, 16, c, **options))[..., 0]
    whole, side = np.zeros((4 * 33 - 1, 4 * 33 - 1), np.uint8), 8 * TIMES
    for at, tile in enumerate(tiles):
        top, left = (at // 4) * (side + 1), (at % 4) * (side + 1)
        whole[top : top + side, left : left + side] = np.kron(tile, np.ones((TIMES, TIMES)))
    return whole


def test_samples_are_the_models_and_are_saved(open_page, runs, tmp_path):
    page = open_page("#/samples?run=told&n=16&temperature=0.5&seed=3&label=7")
    page.wait_for_selector("canvas.gallery")
    with page.expect_download() as download:
        page.click("button:has-text('Save as PNG')")
    assert download.value.suggested_filename == "told-samples.png"
    download.value.save_as(tmp_path / "samples.png")
    found = np.array(Image.open(tmp_path / "samples.png").convert("L"))
    told = runs["told"]
    np.testing.assert_array_equal(found, sheet(told, told.context(16, ["7"]), temperature=0.5, seed=3))
    page.evaluate("location.hash = '#/samples?run=digits&n=16'")
    page.wait_for_selector("canvas.gallery[aria-label='16 samples']")
    before = painted(page, "canvas.gallery")
    page.click("button:has-text('Draw new ones')")
    eventually(lambda: painted(page, "canvas.gallery"), lambda now: now.shape != before.shape or (now != before).any())
    assert "seed=" in page.url


def test_samples_of_a_table_are_rows(open_page, runs):
    page = open_page("#/samples?run=table&n=16&seed=2")
    page.wait_for_selector(".gallery-place td")
    rows = Table.read(runs["table"].schema.restore(tasks.generate(runs["table"].model, 16, draw=True, seed=2))).columns
    assert page.locator(".gallery-place tbody tr td:nth-child(3)").all_text_contents() == list(rows["city"])
    assert page.locator(".gallery-place thead th").all_text_contents() == list(rows)
