"""Whatever is sent, the server answers, and as its OpenAPI document says."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from .conftest import ADDRESS

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
TASKS = ("encode", "decode", "reconstruct", "sample", "score", "detect", "impute", "compress", "decompress")


@pytest.mark.parametrize("path", [*TASKS, "info", "healthz", "metrics"])
def test_no_request_breaks_the_server(client, path):
    document = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    (operation,) = (one.ok() for one in schema.get_all_operations() if one.ok().path == f"/{path}")

    @settings(max_examples=8, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(operation.as_strategy())
    def ask(case):
        made = case.as_transport_kwargs(base_url=ADDRESS)
        made["content"] = made.pop("data", None)
        assert not made.pop("cookies", None)  # no route takes any
        case.validate_response(client.request(**made), checks=CHECKS)

    ask()
