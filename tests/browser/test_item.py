"""Somebody's own item: what the page says about it is what the model says."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from vaekit import tasks
from vaekit.data.pictures import as_pixels
from vaekit.recipes import choose_examples
from vaekit.recipes.detection import surprises

from .pages import eventually, painted

DROP = """(page, [content, name, type]) => {
  const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type }));
  const event = KIND === "drop"
    ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
  page.dispatchEvent(event);
}"""
BAD = [(b"no picture", "notes.txt", "text/plain"), (b"\x89PNG\r\n\x1a\n", "cut.png", "image/png"),
       (b"", "empty.gif", "image/gif")]  # fmt: skip
SEEN = ".trio figure:nth-child(1) .picture"


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def give(page, content: bytes, name: str = "item.png", kind: str = "image/png", how: str = "drop") -> None:
    """Drop a file on the page, or paste it."""
    code = DROP.replace("KIND", f'"{how}"')
    page.locator("body").evaluate(code, [base64.b64encode(content).decode(), name, kind])


def ready(page) -> None:
    """The example that the view begins with is there."""
    page.wait_for_selector(".figure .value")
    eventually(lambda: page.locator(".histogram:visible").count())


def test_a_picture_is_shown_as_the_model_sees_it_with_its_reconstruction_and_surprise(open_page, runs):
    run = runs["digits"]
    x = (np.arange(64).reshape(1, 8, 8) % 17).astype(np.uint8)
    pixels = as_pixels(run.schema, run.schema.normalize(x))[0, ..., 0]
    page = open_page("#/item?run=digits")
    ready(page)
    give(page, png(pixels))
    eventually(lambda: painted(page, SEEN), lambda found: np.array_equal(found, pixels))
    rebuilt = as_pixels(run.schema, tasks.reconstruct(run.model, run.feed(x)).numpy())[0, ..., 0]
    np.testing.assert_array_equal(painted(page, ".trio figure:nth-child(2) .picture"), rebuilt)
    score = surprises([run], [1.0], x, seed=run.request.seed)[0][0] + tasks.complexity(x)[0]
    assert number(page.text_content(".figure .value")) == pytest.approx(score, abs=0.06)
    said = page.text_content(".panel [role=status]")
    assert "surprising than" in said or "An anomaly" in said
    own = run.schema.normalize(choose_examples(run).x[17:18])
    give(page, png(as_pixels(run.schema, own)[0, ..., 0]), how="paste")
    eventually(page.locator(".neighbors > li").first.text_content, lambda text: "no. 17" in text)
    assert page.locator(".neighbors > li").count() == 12


def number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def test_bad_files_get_their_message_and_a_drawing_is_judged(open_page):
    page = open_page("#/item?run=digits", allow_errors=True)
    ready(page)
    for content, name, kind in BAD:
        give(page, content, name, kind)
        eventually(lambda: page.text_content("#message"), lambda text: "cannot read this file" in text)
        assert page.get_attribute("#message", "data-kind") == "error"
        give(page, png(np.zeros((8, 8), np.uint8)))
        eventually(lambda: page.locator("#message:visible").count(), lambda shown: not shown)
    box = page.locator(".sheet").bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 260, steps=4)
    page.mouse.up()
    bar = eventually(lambda: painted(page, SEEN), lambda found: found[:, 3:5].min() > 50 and not found[:, :2].any())
    page.click("button:has-text('Invert')")
    eventually(lambda: painted(page, SEEN), lambda found: np.abs(found.astype(int) + bar - 255).max() <= 16)


def test_a_row_is_edited_and_its_causes_are_named(open_page):
    page = open_page("#/item?run=table", allow_errors=True)
    page.wait_for_selector(".row-form .number")
    line = lambda name: page.locator(f".row-form tr:has(th:text-is('{name}'))")  # noqa: E731
    marked = lambda: "cause" in (line("income").get_attribute("class") or "")  # noqa: E731
    page.fill("input[aria-label=age]", "30")
    page.fill("input[aria-label=income]", "1900")
    page.select_option("select[aria-label=city]", "Rome")
    eventually(lambda: not marked() and "nats" in line("income").text_content())
    page.fill("input[aria-label=income]", "9000")
    eventually(marked)
    page.fill("input[aria-label=income]", "")
    eventually(line("income").text_content, lambda text: "filled in" in text)
    page.fill("input[aria-label=age]", "old")
    sentence = "column 'age' holds 'old', where numbers are expected"
    eventually(lambda: page.text_content("#message"), lambda text: sentence in text)


def test_without_data_the_item_is_judged_alone_and_there_is_no_walk(open_page):
    page = open_page("#/item?run=arrays")
    page.wait_for_selector(".sheet")
    give(page, png(np.full((8, 8), 100, np.uint8)))
    page.wait_for_selector(".figure .value")
    assert not page.locator(".neighbors").count()
    page.evaluate("location.hash = '#/walk?run=arrays'")
    eventually(lambda: page.text_content("#message"), lambda text: "A walk needs two items" in text)
