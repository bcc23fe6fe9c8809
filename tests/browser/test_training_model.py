"""The curves are those of metrics.jsonl, while a run trains too; the model's numbers are those of evaluation.json."""

import json
import shutil

import pytest

from vaekit import store
from vaekit.server import Host
from vaekit.server.page_training import about, progress

from .pages import eventually


def numbers(page) -> list[list[str]]:
    return [row.locator("td").all_text_contents() for row in page.locator("details tbody tr").all()]


def test_curves_follow_a_training(open_page, runs):
    run, metrics = runs["wide"], runs["wide"].path / "metrics.jsonl"
    config, history = run.path / "config.json", metrics.read_text()
    planned = config.read_text()
    try:
        content = json.loads(planned)
        store.write_json(config, content | {"request": content["request"] | {"epochs": 3}})
        page = open_page("#/training?run=wide")
        eventually(lambda: page.text_content(".status"), lambda text: text.startswith("Training: epoch 3 of 3"))
        page.click("summary")
        assert [row[0] for row in numbers(page)] == ["2", "1"]
        assert float(numbers(page)[0][1].replace(",", "")) == pytest.approx(run.history[1]["loss"], abs=6e-4)
        row = {**run.history[-1], "epoch": 3, "loss": 12.3456}
        store.append_jsonl(metrics, row)
        eventually(lambda: page.text_content(".status"), lambda text: text == "Trained for 3 epochs.")
        assert numbers(page)[0][:2] == ["3", "12.346"]
    finally:
        store.write_text(config, planned)
        store.write_text(metrics, history)
    page.check("fieldset input[value=digits]")
    chart = page.locator("figure:has-text('Loss') svg.chart")
    eventually(
        lambda: chart.get_attribute("aria-label"), lambda text: "wide: loss from" in text and "digits: held-out" in text
    )
    assert chart.locator("path.line").count() == 4


def test_the_model_view_shows_the_card_and_the_last_evaluation(open_page, runs):
    report = {"data": "the held-out examples of digits", "n": 180, "elbo": -102.5, "log_likelihood": None, "ssim": 0.5,
              "findings": [{"name": "overfitting", "sentence": "The model <b>overfits</b>.", "remedy": "--patience 5"}],
              "latents": {"holes": 0.25}}  # fmt: skip
    file = runs["digits"].path / "evaluation.json"
    file.write_text(json.dumps(report))
    try:
        page = open_page("#/model?run=digits&with=table")
        page.wait_for_selector(".facts")
        row = lambda name: page.locator(f"tr:has(th:text-is('{name}')) td").all_text_contents()  # noqa: E731
        assert row("data")[:1] == ["digits"]
        assert row("ELBO") == ["−102.50", "–", "nats", "bound on the log-likelihood of an example; higher is better"]
        assert row("holes")[:2] == ["0.25", "–"]
        assert not row("log likelihood")
        assert "The model <b>overfits</b>." in page.text_content(".findings")
        assert page.text_content(".findings code") == "--patience 5"
    finally:
        file.unlink()
    page.uncheck("fieldset input[value=table]")
    eventually(lambda: page.locator("text=vaekit evaluate digits").count())


def test_a_run_without_weights_has_a_history(runs, tmp_path):
    folder = shutil.copytree(runs["digits"].path, tmp_path / "young")
    (folder / "model.safetensors").unlink()
    (folder / "metrics.jsonl").unlink()
    (folder / "config.json").touch()
    assert progress(Host.open([folder]).get()) == ([], 2, True)


def test_a_table_s_columns_and_a_full_evaluation_are_told(runs):
    hosted = Host.of({"table": runs["table"]}).get()
    told = about(hosted)
    assert told["columns"][0] == {"name": "age", "kind": "count", "values": "18 to 79"}
    assert dict(told["card"])["latent dimensions"] == "2"
    assert told["evaluation"] is None
