"""What all views have in common: states, messages, appearance, the rules of accessibility."""

import pytest

from .pages import eventually

COLORS = {"runOnly": ["color-contrast", "link-in-text-block"]}  # the rules that colours can break
VIEWS = {  # and what is there once a view has read all that it needs
    "manifold": ".plane[data-complete=true]",
    "clusters": ".plane[data-complete=true]",
    "walk": ".strip .picture",
    "item": ".neighbors .picture",
    "samples": "canvas.gallery",
    "training": ".chart path.line",
    "model": ".facts",
}


def titles(page) -> list[str]:
    return page.locator("#tabs a").all_text_contents()


def test_tabs_runs_and_the_address_agree(open_page, runs):
    page = open_page()
    page.wait_for_selector(".plane")
    ahead = page.evaluate("Array.from(document.querySelectorAll('link[rel=modulepreload]'), (link) => link.href)")
    asked = page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    assert sorted(ahead) == sorted(url for url in asked if url.endswith(".js"))
    assert page.url.split("#/")[1].startswith("manifold")
    assert page.locator("#run option").all_text_contents() == list(runs)
    page.click("#tabs a:has-text('Clusters')")
    eventually(lambda: page.text_content("h1"), lambda text: text == "Clusters")
    assert page.locator("#tabs a[aria-current=page]").all_text_contents() == ["Clusters"]
    page.select_option("#run", "table")
    eventually(lambda: page.url, lambda url: url.endswith("#/clusters?run=table"))
    page.go_back()
    eventually(lambda: page.input_value("#run"), lambda name: name == "digits")


def test_the_appearance_is_kept(open_page):
    page = open_page(color_scheme="light")
    ground = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    assert ground() == "rgb(255, 255, 255)"
    page.wait_for_selector("#connection[data-state=open]")  # what is cut off while it opens is logged as an error
    page.click("#theme")
    page.click("#theme")
    assert ground() == "rgb(21, 24, 28)"
    page.reload()
    assert ground() == "rgb(21, 24, 28)"
    assert page.get_attribute("#theme", "aria-label") == "Appearance: dark"


def test_a_lost_connection_is_said(open_page):
    page = open_page(allow_errors=True, color_scheme="light")
    page.wait_for_selector("#connection[data-state=open]")
    page.context.set_offline(True)
    page.click("#tabs a:has-text('Clusters')")
    eventually(lambda: page.text_content("#message"), lambda text: "does not answer" in text)


def test_a_view_that_is_left_asks_for_nothing_more(open_page):
    page = open_page("#/model?run=digits")
    page.route("**/page/walk*", lambda route: None)  # never answered
    with page.expect_request("**/page/walk*"):
        page.evaluate("location.hash = '#/walk?run=digits'")
    with page.expect_event("requestfailed", lambda request: "page/walk" in request.url):
        page.evaluate("location.hash = '#/samples?run=digits'")
    page.wait_for_selector("canvas.gallery")


def test_the_service_explains_itself_and_its_examples_work(open_page):
    page = open_page("docs?run=told")
    answer = page.locator("section[aria-labelledby=route-decode] [role=status]")
    page.click("button:has-text('Send to /decode')")
    eventually(answer.text_content, lambda text: text.startswith("200, application/json"))
    page.select_option("section[aria-labelledby=route-decode] select", "image/png")
    page.click("button:has-text('Send to /decode')")
    eventually(answer.locator("img").count)
    assert page.locator(".route tr:has(td:text-is('temperature'))").text_content().endswith("(1 if left out)")
    assert page.locator("#run option:checked").text_content() == "told"
    with_error = open_page("docs?run=nobody", allow_errors=True)
    eventually(lambda: with_error.text_content("#message"), lambda text: text.startswith("there is no run 'nobody'"))


def visit(page, view: str) -> None:
    """Go to a view and wait until it has read what it needs."""
    page.evaluate(f"location.hash = '#/{view}?run=digits'")
    eventually(lambda: page.locator(f"#tabs a[aria-current][href^='#/{view}']").count())
    page.wait_for_selector(f"#view {VIEWS[view]}")


def test_no_view_breaks_a_rule_of_accessibility(open_page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    page = open_page("#/manifold?run=digits")
    for view in VIEWS:
        visit(page, view)
        for scheme, rules in (("light", None), ("dark", COLORS)):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page, options=rules)
            assert found.violations_count == 0, found.generate_report()


def test_a_phone_needs_no_scrolling_to_the_side(open_page):
    page = open_page("#/manifold?run=digits", viewport={"width": 375, "height": 800})
    for view in VIEWS:
        visit(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, view
