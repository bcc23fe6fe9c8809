"""Walks: what is shown is what the latents on the way between two items decode to."""

import itertools

import numpy as np

from vaekit import tasks
from vaekit.data.pictures import as_pixels
from vaekit.recipes import choose_examples

from .pages import eventually, painted

PLACE = "input[aria-label='Place on the way']"
LARGE = ".panel:has-text('Decoded here') .picture"


def test_a_walk_shows_the_decoded_way_between_two_items(open_page, runs):
    run, (start, end) = runs["digits"], (3, 10)
    x = choose_examples(run).x[[start, end]]
    z = tasks.encode(run.model, run.feed(x))
    straight, round_ = (
        as_pixels(run.schema, tasks.interpolate(run.model, z[:1], z[1:], 61, path=path)[0])[..., 0]
        for path in ("linear", "spherical")
    )
    page = open_page(f"#/walk?run=digits&start={start}&end={end}", reduced_motion="reduce")
    page.wait_for_selector(".strip .picture")
    first = as_pixels(run.schema, run.schema.normalize(x))[0, ..., 0]
    eventually(lambda: painted(page, ".end .picture"), lambda found: np.array_equal(found, first))
    for at in (0, 4, 10):
        np.testing.assert_array_equal(painted(page, f".strip button:nth-child({at + 1}) .picture"), straight[6 * at])
    page.fill(PLACE, "31")
    eventually(lambda: painted(page, LARGE), lambda found: np.array_equal(found, straight[31]))
    page.select_option("label:has-text('Way') select", "spherical")
    eventually(lambda: painted(page, LARGE), lambda found: np.array_equal(found, round_[31]))
    assert "start=3&end=10&path=spherical" in page.url
    page.click("button:has-text('Play')")
    eventually(lambda: int(page.input_value(PLACE)), lambda step: step > 33)
    page.click("button:has-text('Pause')")
    place = page.input_value(PLACE)
    assert page.input_value(PLACE) == place


def test_a_walk_through_a_table_marks_what_changes(open_page):
    page = open_page("#/walk?run=table&start=0&end=9", reduced_motion="reduce")
    page.wait_for_selector(".strip-place td")
    assert page.locator(".strip-place thead th").count() == 6
    for row in page.locator(".strip-place tbody tr").all():
        cells = row.locator("td").all_text_contents()
        changed = ["changed" in (cell.get_attribute("class") or "") for cell in row.locator("td").all()]
        assert changed == [False, *(a != b for a, b in itertools.pairwise(cells))]
