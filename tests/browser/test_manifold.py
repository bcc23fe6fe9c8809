"""The plane of decoded items: what it shows is what the model makes of the points."""

import numpy as np
import pytest
import torch

from vaekit import tasks
from vaekit.data import Table
from vaekit.data.pictures import as_pixels

from .pages import eventually, painted, screen, shown, viewport


def decoded(run, z, label=None) -> np.ndarray:
    """Grey pixels (H, W) of a latent vector."""
    c = run.context(1, None if label is None else [label])
    x = tasks.decode(run.model, torch.from_numpy(np.array([z], np.float32)), c)
    return as_pixels(run.schema, x.numpy())[0, ..., 0]


@pytest.mark.parametrize("point", [(0.5, -0.25), (-1.2, 1.4)])
def test_the_decoded_view_is_the_models_own_output_at_the_pointer(open_page, runs, point):
    page = open_page("#/manifold?run=digits")
    shown(page)
    page.mouse.move(*screen(page, *point))
    z = eventually(lambda: shown(page), lambda z: np.allclose(z, point, atol=0.02))
    np.testing.assert_array_equal(painted(page), decoded(runs["digits"], z))


def test_the_plane_shows_each_item_where_it_is_decoded(open_page, runs):
    page = open_page("#/manifold?run=digits")
    x, y, unit = viewport(page)
    ground = painted(page, ".plane canvas")
    height, width = ground.shape
    spacing = 2.0 ** -round(np.log2(unit / 44))
    size = spacing * unit
    for column, row in [(0, 0), (2, 1), (-3, -2)]:
        z = (column + 0.5) * spacing, (row + 0.5) * spacing
        left, top = width / 2 + (z[0] - x) * unit - size / 2, height / 2 - (z[1] - y) * unit - size / 2
        middles = (np.arange(8) + 0.5) * size / 8
        found = ground[np.ix_((top + middles).astype(int), (left + middles).astype(int))]
        np.testing.assert_array_equal(found, decoded(runs["digits"], z))


def test_keys_move_the_point_and_zoom_and_drags_pan(open_page):
    page = open_page("#/manifold?run=digits")
    before, (x, _, unit) = shown(page), viewport(page)
    page.focus(".plane")
    page.keyboard.press("ArrowRight")
    eventually(lambda: shown(page), lambda z: z[0] > before[0])
    eventually(lambda: page.text_content("#announcer"), lambda text: "z[0]" in text)
    page.keyboard.press("+")
    eventually(lambda: viewport(page), lambda view: view[2] > 1.2 * unit)
    page.keyboard.press("0")
    eventually(lambda: viewport(page), lambda view: abs(view[2] - unit) < 1)
    box = page.locator(".plane").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=3)
    page.mouse.up()
    eventually(lambda: viewport(page), lambda view: abs(view[0] - x - 100 / unit) < 5 / unit)


def test_more_latents_are_on_sliders_in_the_order_of_what_they_say(open_page, runs):
    page = open_page("#/manifold?run=wide")
    shown(page)
    assert page.locator(".sliders input[type=range]").count() == 3
    order = page.locator("label:has-text('Across') option").all_text_contents()
    nats = [float(text.split("·")[1].split()[0]) for text in order]
    assert nats == sorted(nats, reverse=True)
    slider = page.locator(".sliders input").first
    axis = int(page.locator(".sliders label").first.text_content().split("[")[1].split("]")[0])
    page.evaluate("document.querySelector('.plane').dataset.exact = 'no'")
    slider.evaluate("(input) => { input.value = 1.25; input.dispatchEvent(new Event('input')); }")
    z, value = np.zeros(5), float(slider.input_value())
    x, y = shown(page)
    first, second = (int(page.locator(f"label:has-text('{name}') select").input_value()) for name in ("Across", "Up"))
    z[[first, second, axis]] = x, y, value
    np.testing.assert_array_equal(painted(page), decoded(runs["wide"], z))


def test_a_conditional_model_is_told_a_label(open_page, runs):
    page = open_page("#/manifold?run=told&label=7")
    x, y = shown(page)
    np.testing.assert_array_equal(painted(page), decoded(runs["told"], [x, y], "7"))


def test_a_row_of_a_table_is_shown_as_texts(open_page, runs):
    page = open_page("#/manifold?run=table")
    z = torch.tensor([shown(page)])
    row = Table.read(runs["table"].schema.restore(tasks.decode(runs["table"].model, z).numpy())).columns
    names, cells = (page.locator(f".item-row {cell}").all_text_contents() for cell in ("th", "td"))
    assert names == list(row) == ["age", "income", "city"]
    assert float(cells[1].replace(",", "")) == pytest.approx(row["income"][0], rel=1e-5)
    assert cells[2] == row["city"][0]
    assert page.locator(".scale").count() == 1
