"""An exported page: one file that shows the plane, the points and the numbers without a server."""

import re

import numpy as np
import pytest
import torch

from vaekit import tasks
from vaekit.cli import main
from vaekit.data.pictures import as_pixels
from vaekit.recipes import choose_examples
from vaekit.server import Host
from vaekit.server.bundle import VIEWS
from vaekit.server.export import export_page, record

from .pages import PATIENCE, eventually, painted, screen


@pytest.fixture
def open_file(browser):
    """Open a file; nothing may be asked of the network, and no errors be logged."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(1000 * PATIENCE)
    page, problems = context.new_page(), []
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)

    def open_one(path, place):
        page.goto(f"file://{path}{place}")
        return page

    yield open_one
    context.close()
    assert not problems, problems


def test_the_file_shows_the_plane_and_the_points(open_file, runs, tmp_path):
    run, path = runs["digits"], tmp_path / "digits.html"
    assert main(["export-page", str(run.path), str(path), "--side", "9", "--points", "40"]) == 0
    page = open_file(path, "#/manifold")
    page.wait_for_selector(".plane[data-exact=true]")
    assert page.locator("#tabs a").all_text_contents() == [name.title() for name in VIEWS]
    places = record(Host.of({"digits": run}).get(), 9, 40)["places"]
    step = (np.array(places["high"]) - places["low"]) / 8
    low = places["low"] + np.array([5, 4]) * step
    high = low + np.array([0, step[1]])
    page.mouse.move(*screen(page, *(low + high) / 2))
    exact = tasks.decode(run.model, torch.tensor(np.stack([low, high]), dtype=torch.float32))
    blend = as_pixels(run.schema, exact)[..., 0].astype(float).mean(0)
    eventually(lambda: painted(page), lambda found: np.abs(found - blend).max() <= 6)  # the pointer is at a whole pixel
    page.evaluate("location.hash = '#/clusters'")
    eventually(lambda: page.get_attribute(".plane", "data-visible") == "40")
    assert "some of the held-out examples of digits" in page.text_content("#view")
    page.click("text=Select all in view")
    with page.expect_download() as download:
        page.click("text=Save as CSV")
    head, *rows = download.value.path().read_text().splitlines()
    assert head == "index,label,z[0],z[1]"
    assert len(rows) == int(page.get_attribute(".plane", "data-visible"))
    page.evaluate("location.hash = '#/model'")
    eventually(lambda: page.locator(".facts").count())


def test_what_is_saved_of_items_is_the_items_and_their_reconstructions(runs):
    run = runs["wide"]
    saved = record(Host.of({"wide": run}).get(), 4, 10_000)
    assert saved["count"] == len(choose_examples(run)) == 180
    assert saved["items"]["total"] == 360
    assert saved["answers"]["page/axes"]["names"] == ["direction 1", "direction 2"]
    assert len(saved["answers"]["page/colors/label"]["values"]) == 180


def test_tables_and_runs_without_data_are_saved_too(open_file, runs, tmp_path):
    for name in ("table", "arrays"):
        page = export_page(Host.of({name: runs[name]}).get(), side=3, most=20)
        (tmp_path / f"{name}.html").write_text(page)
    page = open_file(tmp_path / "table.html", "#/manifold")
    page.wait_for_selector(".item-row td")
    assert page.locator(".item-row th").all_text_contents() == ["age", "income", "city"]
    page = open_file(tmp_path / "arrays.html", "#/clusters")
    eventually(lambda: page.text_content("#message"), lambda text: "no points to show" in text)


def test_names_cannot_become_markup(runs):
    page = export_page(Host.of({"</script><b>x": runs["arrays"]}).get(), side=2, most=1)
    assert "<b>" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


@pytest.mark.parametrize(
    ("arguments", "sentence"), [(["page.pdf"], "written as .html"), (["x.html", "--side", "1"], "at least 2")]
)
def test_what_cannot_be_exported_is_said(runs, capsys, tmp_path, arguments, sentence):
    assert main(["export-page", str(runs["digits"].path), str(tmp_path / arguments[0]), *arguments[1:]]) == 2
    assert sentence in capsys.readouterr().err
