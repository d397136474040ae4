"""The API's description says what the API does."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from aifactory_hub.service.api.app import ROUTES, describe, make_app
from aifactory_hub.service.api.operations import Access, operation_of

from ..support.job_service import PREFIX, RunningService

METHODS = ("get", "post", "put", "patch", "delete")


def described() -> dict[str, Any]:
    return describe(PREFIX)


def test_it_is_a_valid_description() -> None:
    OpenAPIV31SpecValidator(described()).validate()


def test_every_method_of_every_route_is_in_it() -> None:
    said = {(path, method) for path, item in described()["paths"].items() for method in item}
    done = {
        (path, method)
        for path, handler in ROUTES
        for method in METHODS
        if getattr(handler, method).__qualname__ != "RequestHandler._unimplemented_method"
        and getattr(handler, method).__name__ != "_unimplemented_method"
    }
    assert said == done


def test_every_route_that_tornado_serves_below_the_api_is_in_the_table(service: RunningService) -> None:
    rules = make_app(service.context, PREFIX).wildcard_router.rules
    served = [rule.matcher.regex.pattern for rule in rules if "api/v1" in rule.matcher.regex.pattern]  # type: ignore[attr-defined]
    assert len(served) == len(ROUTES)


def test_names_of_operations_are_unique_and_each_says_whose_token_it_takes() -> None:
    operations = [op for item in described()["paths"].values() for op in item.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    open_ones = {op["operationId"] for op in operations if "security" not in op}
    assert open_ones == {"getDescription", "getHealth", "getLimits", "listModelKeys"}
    assert all(path.startswith("/internal/") == (access is Access.RUNNER) for path, access in _accesses())


def _accesses() -> list[tuple[str, Access]]:
    found = [(path, operation_of(getattr(handler, m))) for path, handler in ROUTES for m in METHODS]
    return [(path, op.access) for path, op in found if op is not None]


async def test_it_is_served_to_anybody(service: RunningService) -> None:
    async with service.http() as http:
        answer = await http.get("/openapi.json")
    assert (answer.status_code, answer.json()) == (200, described())
    assert answer.json()["servers"] == [{"url": "/services/aifactory/api/v1"}]


async def test_what_is_answered_has_the_form_that_is_said(service: RunningService) -> None:
    job = {"command": "true", "profile": "mig-1g.10gb", "key": "k"}
    async with service.http("ada") as http:
        created = await http.post("/jobs", json=job)
        await service.reconciler.settle()
        job_id = created.json()["id"]
        asked = [
            ("/jobs", "post", created),
            ("/jobs", "get", await http.get("/jobs")),
            ("/jobs/{job}", "get", await http.get(f"/jobs/{job_id}")),
            ("/jobs/dry-run", "post", await http.post("/jobs/dry-run", json=job)),
            ("/jobs/dry-run", "post", await http.post("/jobs/dry-run", json={**job, "profile": "mig-9g"})),
            ("/jobs/{job}/artifacts", "get", await http.get(f"/jobs/{job_id}/artifacts")),
            ("/quota", "get", await http.get("/quota")),
            ("/limits", "get", await http.get("/limits")),
            ("/health", "get", await http.get("/health")),
            ("/jobs/{job}", "get", await http.get("/jobs/jnone")),
            ("/jobs", "post", await http.post("/jobs", json={**job, "key": "k2", "profile": "mig-3g.40gb"})),
        ]
    for path, method, answer in asked:
        responses = described()["paths"][path][method]["responses"]
        content = responses.get(str(answer.status_code), responses["default"])["content"]
        media_type = answer.headers["Content-Type"].split(";")[0]
        schema = {**content[media_type]["schema"], "components": described()["components"]}
        Draft202012Validator(schema).validate(answer.json())
        unknown = set(answer.json()) - set(_properties(schema))
        assert not unknown, (path, unknown)


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["$ref"].rsplit("/", 1)[1]
    found: dict[str, Any] = schema["components"]["schemas"][name]["properties"]
    return found


async def test_a_problem_is_one_as_rfc_9457_has_it(service: RunningService) -> None:
    async with service.http("ada") as http:
        answer = await http.get("/jobs/jnone")
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json() == {
        "type": "urn:aifactory-hub:problem:unknown-job",
        "title": "Unknown job",
        "status": 404,
        "detail": "There is no job 'jnone' in your teams.",
        "reason": "unknown-job",
        "field": "id",
    }
