"""Requests of every shape that the OpenAPI description allows, of shapes that it forbids, and along its links.

Bounded: with FUZZ_EXAMPLES in the environment each operation gets so many more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from aifactory_hub.service.api.app import describe

from ..support.job_service import PREFIX
from ..support.service_thread import ServiceThread, service_in_a_thread

Case = schemathesis.Case[Any]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
# What belongs to nlp must never reach eve, who is of vision.
SECRET = "only-nlp-may-see-this"
# Streams have no end.
STREAMS = "/events"
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
HOW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/gzip", "application/octet-stream")
def _bytes(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def read(**phases: bool) -> Any:
    config = SchemathesisConfig.from_dict({"phases": {name: {"enabled": wanted} for name, wanted in phases.items()}})
    return schemathesis.openapi.from_dict(describe(PREFIX), config=config).exclude(path_regex=f"{STREAMS}$")


schema = read()
# Without the table of each parameter's odd values: it is the same for everybody.
for_strangers = read(coverage=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceThread]:
    with service_in_a_thread(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture(scope="module")
def job(running: ServiceThread) -> str:
    """A job of nlp's whose every text is the secret."""
    body = {"command": f"echo {SECRET}", "profile": "mig-1g.10gb", "key": SECRET, "name": SECRET}
    answer = ask(running, "ada", "POST", "/jobs", json={**body, "environment": {"TOKEN": SECRET}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def ask(running: ServiceThread, token: str, method: str, path: str, **how: Any) -> httpx.Response:
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(trust_env=False, verify=False, timeout=30) as http:  # noqa: S501 - plain HTTP, on this machine
        return http.request(method, f"{running.url}api/v1{path}", headers=headers, **how)


def call(running: ServiceThread, case: Case, token: str) -> Any:
    answer = case.call(base_url=f"{running.url}api/v1", headers={"Authorization": f"token {token}"}, timeout=30)
    assert "unknown-path" not in answer.text, f"nobody is at {answer.request.url}"
    return answer


@schema.parametrize()
@HOW
def test_no_request_is_too_odd_for_a_clear_answer(case: Case, running: ServiceThread, job: str) -> None:
    if "job" in case.path_parameters and case.method in ("GET", "POST"):
        case.path_parameters["job"] = job
    answer = call(running, case, "ada")
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400:
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert len(problem["detail"]) > 10


@for_strangers.parametrize()
@HOW
def test_nothing_of_another_team_is_told_or_changed(case: Case, running: ServiceThread, job: str) -> None:
    for name, value in (("job", job), ("tenant", "nlp")):
        if name in case.path_parameters:
            case.path_parameters[name] = value
    if case.query is not None and "tenant" in case.query:
        case.query["tenant"] = "nlp"
    answer = call(running, case, "eve")
    assert answer.status_code < 500, answer.text
    assert SECRET not in answer.text
    if case.method != "GET":
        now = ask(running, "ada", "GET", f"/jobs/{job}").json()
        assert (now["name"], now["state"], now["cancel_asked"]) == (SECRET, "PENDING", False)


Machine = for_strangers.as_state_machine()


class Along(Machine):  # type: ignore[misc, valid-type]
    """Follows what answers lead to: a job to its log, a schedule to its end."""

    url = ""

    def get_call_kwargs(self, case: Case) -> dict[str, Any]:
        return {"base_url": f"{self.url}api/v1", "headers": {"Authorization": "token ada"}, "timeout": 30}

    def validate_response(self, response: Any, case: Case, **_: Any) -> None:
        case.validate_response(response, checks=CHECKS)


def test_whatever_is_done_one_after_the_other_ends_in_a_clear_answer(running: ServiceThread) -> None:
    Along.url = running.url
    schemathesis_settings = settings(HOW, max_examples=2 * EXAMPLES, stateful_step_count=8)
    Along.run(settings=schemathesis_settings)
