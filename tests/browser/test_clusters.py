"""The encoded data as points: each is where the model encodes it, and stands for its own item."""

import csv
import io

import numpy as np
import pytest

from vaekit import tasks
from vaekit.data.pictures import as_pixels
from vaekit.recipes import Run, choose_examples

from .pages import eventually, painted, screen, viewport


@pytest.fixture(scope="module")
def encoded(runs):
    """The examples of the digits with their latents (N, 2)."""
    return encode(runs["digits"])


def encode(run: Run):
    examples = choose_examples(run)
    return examples, tasks.encode(run.model, run.feed(examples.x, examples.y)).numpy()


def lonely(z: np.ndarray) -> int:
    """The point farthest from all others among those near the middle."""
    middle = np.flatnonzero((np.abs(z - np.median(z, 0)) < 1.5 * z.std(0)).all(1))
    gap = np.square(z[middle, None] - z[None]).sum(-1)
    gap[np.arange(len(middle)), middle] = np.inf
    return int(middle[gap.min(1).argmax()])


def visible(page) -> int:
    viewport(page)
    return int(page.get_attribute(".plane", "data-visible"))


def saved(page) -> list[dict[str, str]]:
    """The selection, as it is saved."""
    with page.expect_download() as download:
        page.click("text=Save as CSV")
    return list(csv.DictReader(io.StringIO(download.value.path().read_text())))


def test_every_example_is_a_point_and_the_pointer_shows_its_own_item(open_page, runs, encoded):
    examples, z = encoded
    page = open_page("#/clusters?run=digits")
    eventually(lambda: visible(page), lambda n: 0.98 * len(z) <= n <= len(z))
    index = lonely(z)
    page.mouse.move(*screen(page, *z[index].tolist()))
    page.wait_for_selector(f"[data-index='{index}']")
    feed = runs["digits"].feed(examples.x[[index]])
    own, again = feed.batch(slice(None)).x.numpy(), tasks.reconstruct(runs["digits"].model, feed).numpy()
    for position, x in enumerate((own, again)):
        pixels = as_pixels(runs["digits"].schema, x)[0, ..., 0]
        np.testing.assert_array_equal(painted(page, f".pair figure:nth-child({position + 1}) canvas"), pixels)
    assert page.locator(".place").text_content() == f"No. {index:,} · {examples.y[index]}"


def test_the_legend_filters(open_page, encoded):
    examples, z = encoded
    page = open_page("#/clusters?run=digits")
    all_of_them = eventually(lambda: visible(page), lambda n: n > 0.98 * len(z))
    counts = [int(text.replace(",", "")) for text in page.locator(".legend-list .number").all_text_contents()]
    assert counts == np.bincount(examples.y, minlength=10).tolist()
    page.click(".legend-toggle:has-text('3')")
    fewer = eventually(lambda: visible(page), lambda n: n < all_of_them)
    assert abs(all_of_them - fewer - counts[3]) <= 2
    page.locator(".only").nth(7).click(force=True)
    eventually(lambda: visible(page), lambda n: abs(n - counts[7]) <= 2)
    assert page.locator(".legend-toggle[aria-pressed=true]").count() == 1
    page.click("text=Show all")
    eventually(lambda: visible(page), lambda n: n == all_of_them)


def test_a_lasso_selects_and_the_selection_is_saved(open_page, encoded):
    examples, z = encoded
    page = open_page("#/clusters?run=digits")
    eventually(lambda: visible(page), lambda n: n > 0.98 * len(z))
    low, high = np.quantile(z, [0.3, 0.7], axis=0)
    page.click("text=Lasso")
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    page.mouse.move(*screen(page, *corners[0]))
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*screen(page, *corner), steps=2)
    page.mouse.up()
    within = np.flatnonzero(((z > low) & (z < high)).all(1))
    said = eventually(lambda: page.locator(".row [role=status]").text_content(), lambda text: "selected" in text)
    assert abs(int(said.split()[0].replace(",", "")) - len(within)) <= 0.02 * len(within) + 2
    rows = saved(page)
    index = np.array([int(row["index"]) for row in rows])
    assert len(set(index) ^ set(within)) <= 0.02 * len(within) + 2
    assert [row["label"] for row in rows] == [str(examples.y[i]) for i in index]
    np.testing.assert_allclose([[float(row["z0"]), float(row["z1"])] for row in rows], z[index], atol=1e-5)


def test_more_latents_are_seen_along_the_directions_of_most_variance(open_page, runs):
    _, z = encode(runs["wide"])
    page = open_page("#/clusters?run=wide")
    eventually(lambda: visible(page), lambda n: n > 0.98 * len(z))
    words = page.locator("label:has-text('Across') option").first.text_content()
    variance = np.linalg.eigvalsh(np.cov(z.T))
    assert abs(float(words.split("·")[1].split()[0]) - 100 * variance[-1] / variance.sum()) < 5
    page.click("text=Select all in view")
    rows = saved(page)
    assert list(rows[0]) == ["index", "label", "z0", "z1", "z2", "z3", "z4"]
    found = np.array([[float(row[f"z{d}"]) for d in range(5)] for row in rows])
    np.testing.assert_allclose(found, z[[int(row["index"]) for row in rows]], atol=1e-5)


def test_a_table_is_coloured_by_its_columns(open_page, runs):
    page = open_page("#/clusters?run=table&by=city")
    eventually(lambda: visible(page), lambda n: n > 10)
    names = page.locator(".legend-name").all_text_contents()
    assert set(names) <= {"Oslo", "Rome", "Lima", "unknown"}
    assert len(names) >= 3
    page.select_option("label:has-text('Colour by') select", "income")
    page.wait_for_selector(".scale")
    assert "by=income" in page.url
    page.click("text=Select all in view")
    columns = choose_examples(runs["table"]).x.columns
    for row in saved(page):
        assert float(row["income"]) == columns["income"][int(row["index"])]
        assert row["city"] == (columns["city"][int(row["index"])] or "")


def test_without_data_there_is_a_message(open_page):
    page = open_page("#/clusters?run=arrays")
    eventually(lambda: page.text_content("#message"), lambda text: "no points to show" in text)
