"""The plane of decoded items: what it shows is what the model makes of the points."""

import numpy as np
import pytest
import torch

from vaekit import tasks
from vaekit.data.pictures import as_pixels

PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"


def decoded(run, z, label=None) -> np.ndarray:
    """Grey pixels (H, W) of a latent vector."""
    c = run.context(1, None if label is None else [label])
    x = tasks.decode(run.model, torch.tensor([z], dtype=torch.float32), c)
    return as_pixels(run.schema, x.numpy())[0, ..., 0]


def painted(page, selector=".panel .picture") -> np.ndarray:
    """Grey pixels (H, W) of a canvas."""
    canvas = page.locator(selector).first
    height, width = canvas.evaluate("canvas => [canvas.height, canvas.width]")
    rgba = np.array(canvas.evaluate(PIXELS), np.uint8).reshape(height, width, 4)
    assert (rgba[..., 3] == 255).all()
    assert (rgba[..., :3] == rgba[..., :1]).all()
    return rgba[..., 0]


def shown(page) -> list[float]:
    """The point that is decoded, once the exact picture is there."""
    page.wait_for_selector(".plane[data-exact=true]")
    return [float(part) for part in page.get_attribute(".plane", "data-shown").split()]


def viewport(page) -> tuple[float, float, float]:
    """The middle of the plane and the pixels of a unit, once all of it is decoded."""
    page.wait_for_selector(".plane[data-complete=true]")
    return tuple(float(part) for part in page.get_attribute(".plane", "data-view").split())


def move_to(page, x: float, y: float) -> None:
    """Move the pointer over a point of the plane."""
    box = page.locator(".plane").bounding_box()
    middle_x, middle_y, unit = viewport(page)
    left = box["x"] + box["width"] / 2 + (x - middle_x) * unit
    page.mouse.move(left, box["y"] + box["height"] / 2 - (y - middle_y) * unit)


@pytest.mark.parametrize("point", [(0.5, -0.25), (-1.2, 1.4)])
def test_the_decoded_view_is_the_models_own_output_at_the_pointer(open_page, runs, point):
    page = open_page("#/manifold?run=digits")
    shown(page)
    move_to(page, *point)
    page.wait_for_function(f"!document.querySelector('.plane').dataset.shown.startsWith('0 0')")
    z = shown(page)
    assert np.allclose(z, point, atol=0.02)
    np.testing.assert_array_equal(painted(page), decoded(runs["digits"], z))


def test_the_plane_shows_each_item_where_it_is_decoded(open_page, runs):
    page = open_page("#/manifold?run=digits")
    x, y, unit = viewport(page)
    ground = painted_ground(page)
    height, width = ground.shape
    spacing = 2.0 ** -round(np.log2(unit / 44))
    size = spacing * unit
    for column, row in [(0, 0), (2, 1), (-3, -2)]:
        z = (column + 0.5) * spacing, (row + 0.5) * spacing
        left, top = width / 2 + (z[0] - x) * unit - size / 2, height / 2 - (z[1] - y) * unit - size / 2
        middles = (np.arange(8) + 0.5) * size / 8
        found = ground[np.ix_((top + middles).astype(int), (left + middles).astype(int))]
        np.testing.assert_array_equal(found, decoded(runs["digits"], z))


def painted_ground(page) -> np.ndarray:
    canvas = page.locator(".plane canvas").first
    height, width = canvas.evaluate("canvas => [canvas.height, canvas.width]")
    return np.array(canvas.evaluate(PIXELS), np.uint8).reshape(height, width, 4)[..., 0]


def test_keys_move_the_point_and_zoom_and_drags_pan(open_page):
    page = open_page("#/manifold?run=digits")
    before, (x, _, unit) = shown(page), viewport(page)
    page.focus(".plane")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.plane').dataset.shown != '0 0'")
    assert shown(page)[0] > before[0]
    page.wait_for_function("document.querySelector('#announcer').textContent.includes('z[0]')")
    page.keyboard.press("+")
    page.wait_for_function(f"Number(document.querySelector('.plane').dataset.view.split(' ')[2]) > {unit * 1.2}")
    page.keyboard.press("0")
    page.wait_for_function(f"Math.abs(Number(document.querySelector('.plane').dataset.view.split(' ')[2]) - {unit}) < 1")
    box = page.locator(".plane").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=3)
    page.mouse.up()
    page.wait_for_function(f"Number(document.querySelector('.plane').dataset.view.split(' ')[0]) > {x + 50 / unit}")


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
    row = runs["table"].schema.restore(tasks.decode(runs["table"].model, z).numpy())
    cells = dict(zip(page.locator(".item-row th").all_text_contents(), page.locator(".item-row td").all_text_contents(), strict=True))  # fmt: skip
    assert cells["city"] == str(row["city"].to_pylist()[0] if hasattr(row["city"], "to_pylist") else row["city"][0])
    assert page.locator(".scale").count() == 1
