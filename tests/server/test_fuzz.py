"""Whatever is sent, the server answers, and as its OpenAPI document says. ``VAEKIT_FUZZ=1000`` sends as much."""

import json
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from .conftest import ADDRESS

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
TASKS = ("encode", "decode", "reconstruct", "sample", "score", "detect", "impute", "compress", "decompress")
MANY = 50  # of anything, at most, so that an answer does not take long
few = settings(
    max_examples=int(os.environ.get("VAEKIT_FUZZ", "8")),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.mark.parametrize("path", [*TASKS, "info", "healthz", "metrics"])
def test_no_request_breaks_the_server(client, path):
    document = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    (operation,) = (one.ok() for one in schema.get_all_operations() if one.ok().path == f"/{path}")

    @few
    @given(operation.as_strategy())
    def ask(case):
        made = case.as_transport_kwargs(base_url=ADDRESS)
        made["content"] = made.pop("data", None)
        assert not made.pop("cookies", None)  # no route takes any
        case.validate_response(client.request(**made), checks=CHECKS)

    ask()


OPTIONAL = ("decode", "sample", "score", "detect", "impute")


@pytest.mark.parametrize(("run", "path"), [*((run, path) for run in ("digits", "people") for path in OPTIONAL),
                                           ("digits", "compress")])  # fmt: skip
def test_every_choice_of_options_is_answered(client, run, path):
    body = client.get(f"/openapi.json?run={run}").json()["paths"][f"/{path}"]["post"]["requestBody"]
    content = body["content"]["application/json"]
    drawn = {name: values(about) for name, about in content["schema"]["properties"].items()}
    drawn = {name: strategy for name, strategy in drawn.items() if strategy is not None}

    @few
    @given(st.fixed_dictionaries({}, optional=drawn))
    def ask(chosen):
        asked = content["example"] | chosen
        answer = client.post(f"/{path}?run={run}", json=asked, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        json.loads(answer.text, parse_constant=pytest.fail)  # NaN and infinity are no JSON

    ask()


def values(about: dict) -> st.SearchStrategy | None:
    """The numbers and truths that an option takes, by its schema; None for options of other kinds."""
    about = {"type": "any", **about, **about.get("anyOf", [{}])[0]}
    low, high = (about.get(f"{end}imum", about.get(f"exclusive{end.title()}imum")) for end in ("min", "max"))
    if about["type"] == "boolean":
        return st.booleans()
    if about["type"] == "integer":
        return st.integers(low, min(high or MANY, MANY))
    if about["type"] == "number":
        ends = {f"exclude_{end}": f"exclusive{end.title()}imum" in about for end in ("min", "max")}
        return st.floats(low, high, **ends)
    return None
