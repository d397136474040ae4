"""Questions of teams to a real Prometheus that has two teams' series: each token, each way to ask, each trick.

What a team is told is compared with what a Prometheus says that has that team's series alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aifactory_hub.registry.model import Registry, TelemetryConfig
from aifactory_hub.service.api.team_queries import LARGEST_BODY

from ..support.fake_hub import ACCESS, FakeHub
from ..support.job_service import RunningService, make_registry, running_service
from ..support.prometheus import WITH_PROMETHEUS, Sample, running_prometheus

pytestmark = WITH_PROMETHEUS

END = int(time.time()) // 60 * 60
TEAMS = ("nlp", "vision")
# Of vision's series only these numbers are, and of nlp's and nobody's none.
FOREIGN = {"nlp": "71171", "vision": "31137"}
MARKS = {"nlp": "MARK-OF-NLP", "vision": "MARK-OF-VISION", "": "MARK-OF-NOBODY"}


def of_team(team: str) -> list[Sample]:
    """Series of one team; of none with an empty name, as other exporters have them."""
    whose: dict[str, str] = {"tenant": team, "mark": MARKS[team]} if team else {"mark": MARKS[team]}
    first = {"nlp": 31137.0, "vision": 71171.0, "": 71171.0}[team]
    return [
        ("held", {**whose, "profile": "small"}, lambda n: first),
        ("held", {**whose, "profile": "large"}, lambda n: first),
        ("starts_total", {**whose, "outcome": "ready"}, lambda n: first + n),
        ("wait_bucket", {**whose, "le": "1"}, lambda n: n),
        ("wait_bucket", {**whose, "le": "+Inf"}, lambda n: 2 * n),
        (f"only_{team or 'nobody'}", whose, lambda n: first),
        ("target_info", {**whose, "instance": "a", "job": "b"}, lambda n: 1),
    ]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """One Prometheus with all series, and one for each team that has that team's alone."""
    folder, everything = tmp_path_factory.mktemp("prometheus"), [*TEAMS, ""]
    with ExitStack() as stack:
        series = {"all": [each for team in everything for each in of_team(team)]}
        series |= {team: of_team(team) for team in TEAMS}
        yield {
            name: stack.enter_context(running_prometheus(folder / name, of_them, END))
            for name, of_them in series.items()
        }


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, addresses: Mapping[str, str]) -> AsyncIterator[RunningService]:
    def registry(url: str) -> Registry:
        return replace(make_registry(service=url), telemetry=TelemetryConfig(prometheus=addresses["all"]))

    async with running_service(tmp_path, hub=hub, registry=registry, reconciling=False) as running:
        yield running


def below(team: str, path: str) -> str:
    return f"/tenants/{team}/prometheus/api/v1/{path}"


async def ask(service: RunningService, token: str | None, team: str, path: str, **rest: Any) -> httpx.Response:
    async with service.http(token) as http:
        return await http.request(rest.pop("verb", "GET"), below(team, path), **rest)


def alone(answer: httpx.Response, team: str) -> Any:
    """The answer's data, once it has nothing of anybody else in it."""
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["status"] == "success"
    for other, mark in MARKS.items():
        assert other == team or mark not in answer.text
    assert FOREIGN[team] not in answer.text
    return said["data"]


def as_set(data: Any) -> Any:
    """Series in any order."""
    if isinstance(data, dict) and data["resultType"] in ("vector", "matrix"):
        return data["resultType"], sorted(json.dumps(each, sort_keys=True) for each in data["result"])
    return sorted(map(json.dumps, data)) if isinstance(data, list) else data


# Questions that try to see more than the team's own, and usual ones.
QUERIES = (
    "held",
    '{__name__=~".+"}',
    '{__name__!="x",mark!=""}',
    '{mark=~".*MARK.*"}',
    '{tenant="TEAM"}',
    'held{tenant=~"TEAM"}',
    'held{profile=~".*",profile!="small"}',
    "held or starts_total or only_vision or only_nlp or only_nobody",
    'count by (tenant, mark) ({__name__=~".+"})',
    'sum({__name__=~".+"})',
    "sum without (tenant, mark) (held)",
    "topk(10, held)",
    "bottomk by (tenant) (1, held)",
    'count_values("v", held)',
    "quantile(0.5, held)",
    "group by (mark) (held)",
    "sum by (outcome) (rate(starts_total[5m]))",
    "max_over_time(rate(starts_total[2m])[10m:1m])",
    "sum_over_time(held[10m:])",
    "held @ end()",
    "held @ start()",
    "held offset 10m",
    "last_over_time(held[5m] offset 10m)",
    "max_over_time(held[10m:1m] offset 5m)",
    'label_replace(held, "team", "vision", "", "")',
    'label_replace(held, "mark2", "$1", "tenant", "(.*)")',
    'label_join(held, "all", "-", "tenant", "mark")',
    "held * on (mark) group_left (instance) target_info",
    "target_info * on () group_right (tenant, instance) held",
    "held and on () only_vision",
    "held unless on () only_vision",
    "held unless on (profile) only_nlp",
    "vector(1) and on () only_vision",
    "vector(scalar(only_vision)) or vector(2)",
    "held == bool 71171",
    "held > 7000 or held < 7000",
    "histogram_quantile(0.9, sum by (le) (rate(wait_bucket[10m])))",
    "-held ^ 2 % 5 atan2 held",
    "vector(time())",
    "timestamp(held)",
    "sort_desc(held)",
    "changes(starts_total[5m])",
    "1 + 1",
    "held[2m]",
    "held # and a comment {tenant='vision'}",
    'held{mark!="\\", tenant=\\"vision"}',
    "held{mark!=`d`}",
    'held{mark!~"\\\\d+"}',
)  # fmt: skip


@pytest.mark.parametrize("team", TEAMS)
async def test_each_question_is_answered_as_if_the_team_were_alone(
    service: RunningService, addresses: Mapping[str, str], team: str
) -> None:
    token = {"nlp": "ada", "vision": "eve"}[team]
    found = 0
    async with httpx.AsyncClient(base_url=f"{addresses[team]}/api/v1/", trust_env=False) as oracle:
        for text in QUERIES:
            query = text.replace("TEAM", team)
            wanted = (await oracle.post("query", data={"query": query, "time": str(END)})).json()
            assert wanted["status"] == "success", (query, wanted)
            # "scalar" of nothing is a number that is none.
            asked = {"query": query, "time": str(END)}
            for rest in ({"params": asked}, {"data": asked, "verb": "POST"}):
                told = alone(await ask(service, token, team, "query", **rest), team)
                assert as_set(told) == as_set(wanted["data"]), query
            found += bool(wanted["data"]["result"])
            if query.endswith("]"):
                continue
            times = {"query": query, "start": str(END - 1200), "end": str(END), "step": "60"}
            wanted = (await oracle.post("query_range", data=times)).json()
            for rest in ({"params": times}, {"data": times, "verb": "POST"}):
                told = alone(await ask(service, token, team, "query_range", **rest), team)
                assert as_set(told) == as_set(wanted["data"]), query
    assert found > len(QUERIES) * 0.8, "questions that have no answer show nothing"


async def test_what_is_absent_is_so_for_the_team(service: RunningService) -> None:
    told = alone(await ask(service, "ada", "nlp", "query", params={"query": "absent(only_vision)", "time": END}), "nlp")
    assert told["result"] == [{"metric": {"tenant": "nlp"}, "value": [END, "1"]}]
    told = alone(await ask(service, "ada", "nlp", "query", params={"query": "absent(only_nlp)", "time": END}), "nlp")
    assert told["result"] == []


SELECTORS: tuple[tuple[str, ...], ...] = (
    (),
    ("held",),
    ('{__name__=~".+"}',),
    ("held", '{mark=~".+"}', 'only_vision{job=""}'),
    ("only_nlp", "only_vision", "only_nobody"),
)


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize(
    "path", ["series", "labels", "label/mark/values", "label/tenant/values", "label/__name__/values"]
)
async def test_series_and_labels_are_the_team_s_alone(
    service: RunningService, addresses: Mapping[str, str], team: str, path: str
) -> None:
    token = {"nlp": "ada", "vision": "eve"}[team]
    times = [("start", str(END - 3600)), ("end", str(END))]
    async with httpx.AsyncClient(base_url=f"{addresses[team]}/api/v1/", trust_env=False) as oracle:
        for selectors in SELECTORS:
            match = [("match[]", each) for each in selectors or ('{__name__=~".+"}',)]
            wanted = (await oracle.get(path, params=[*match, *times])).json()["data"]
            ways: list[dict[str, Any]] = [{"params": [*(match if selectors else []), *times]}]
            if not path.startswith("label/"):
                form = "&".join(str(httpx.QueryParams([each])) for each in [*(match if selectors else []), *times])
                ways.append({"content": form, "verb": "POST"})
            for rest in ways:
                told = alone(await ask(service, token, team, path, **rest), team)
                assert as_set(told) == as_set(wanted), (path, selectors)
    if path == "label/tenant/values":
        assert wanted == [team]


READS = {
    "ada": ("nlp",),
    "grace": ("nlp",),
    "reader": ("nlp",),
    "eve": ("vision",),
    "both": TEAMS,
    "everything": TEAMS,
    "platform": TEAMS,
}
NOBODY = (None, "garbage", "stranger", "no-access", "robot")
WAYS: dict[str, dict[str, Any]] = {
    "query": {"params": {"query": "held", "time": END}},
    "query_range": {"params": {"query": "held", "start": END - 60, "end": END, "step": 30}},
    "series": {"params": {"start": END - 60, "end": END}},
    "labels": {"params": {"start": END - 60, "end": END}},
    "label/mark/values": {"params": {"start": END - 60, "end": END}},
}


@pytest.mark.parametrize("path", WAYS)
async def test_each_token_sees_its_own_teams_and_other_teams_look_like_none(
    service: RunningService, hub: FakeHub, path: str
) -> None:
    scopes = [ACCESS, "admin-ui"]
    hub.add("platform", "rene", scopes)
    hub.administrators.add("rene")
    for token in (*READS, *NOBODY):
        answers = {}
        for team in (*TEAMS, "nowhere", "all", "nlp|vision", ".%2a"):
            answer = await ask(service, token, team, path, **WAYS[path])
            if team in READS.get(token or "", ()):
                assert alone(answer, team), token
            else:
                assert answer.status_code in (401, 403, 404), (token, team, answer.text)
                assert not any(mark in answer.text for mark in MARKS.values())
                answers[team] = (answer.status_code, answer.text.replace(team, "TEAM"))
        others = {said for team, said in answers.items() if team in (*TEAMS, "nowhere")}
        assert len(others) <= 1, "a team of others and one that is not there are refused alike"


REFUSED: tuple[tuple[str, str, Any, str], ...] = (
    ("query", "query", {"query": 'held{tenant="vision"}'}, "leave tenant out"),
    ("query", "query", {"query": 'held{tenant!="nlp"}'}, "leave tenant out"),
    ("query", "query", {"query": 'held{tenant=""}'}, "leave tenant out"),
    ("query", "query", {"query": 'held{tenant=~".*"}'}, "leave tenant out"),
    ("query", "query", {"query": 'held{tenant="nlp",tenant=~"vision|nlp"}'}, "leave tenant out"),
    ("query", "query", {"query": 'held{mark="a" or tenant="vision"}'}, "is not PromQL"),
    ("query", "query", {"query": '{"held"="x"} or {"te.nant"="y"}'}, "is no name of a label"),
    ("query", "query", {"query": "info(held)"}, "info can't be used"),
    ("query", "query", {"query": "limitk(1, held)"}, "limitk can't be used"),
    ("query", "query", {"query": 'label_replace(held, "tenant", "vision", "", "")'}, "writes the label tenant"),
    ("query", "query", {"query": 'label_join(held, "tenant", "", "mark")'}, "writes the label tenant"),
    ("query", "query", {"query": 'count_values("tenant", held)'}, "writes the label tenant"),
    ("query", "query", {"query": "held @ 1609746000"}, "start() or end()"),
    ("query", "query", {"query": "held @ -1"}, "start() or end()"),
    ("query", "query", {"query": "held{"}, "no PromQL"),
    ("query", "query", {"query": ""}, "no PromQL"),
    ("query", "query", {"query": "held{mark=~`\\\\w+`}"}, "in double quotes"),
    ("query", "query", {"query": "(" * 600 + "held"}, "brackets and operators"),
    ("query", "query", {"query": "a" * 4097}, "4096 at most"),
    ("query", "query", {"query": "held[200d]"}, "at most 100 days"),
    ("query", "query", {"query": "held[90d:1s]"}, "steps"),
    ("query", "query", {}, "missing"),
    ("query", "time", {"query": "held", "time": "tomorrow"}, "seconds since 1970"),
    ("query", "tenant", {"query": "held", "tenant": "vision"}, "no field"),
    ("query", "timeout", {"query": "held", "timeout": "10h"}, "no field"),
    ("query", "stats", {"query": "held", "stats": "all"}, "no field"),
    ("query", "lookback_delta", {"query": "held", "lookback_delta": "1y"}, "no field"),
    ("query", "query", [("query", "held"), ("query", "only_vision")], "twice"),
    ("query_range", "step", {"query": "held", "start": "0", "end": "1", "step": "0"}, "is the least"),
    ("query_range", "step", {"query": "held", "start": "0", "end": "86400", "step": "1"}, "11000 at most"),
    ("query_range", "end", {"query": "held", "start": "5", "end": "1", "step": "60"}, "end is before start"),
    ("query_range", "start", {"query": "held", "start": "0", "end": "1e9", "step": "1d"}, "400 days"),
    ("query_range", "start", {"query": "held", "start": "nan", "end": "1e9", "step": "1d"}, "no time"),
    ("query_range", "query", {"query": "avg_over_time(held[1m:1s])", "start": 0, "end": 86400, "step": "1h"}, "steps"),
    ("series", "match[]", {"match[]": "held or only_vision"}, "plain selector"),
    ("series", "match[]", {"match[]": "rate(held[5m])"}, "plain selector"),
    ("series", "match[]", {"match[]": "held offset 5m"}, "plain selector"),
    ("series", "match[]", {"match[]": 'held{tenant="vision"}'}, "leave tenant out"),
    ("series", "match[]", {"match[]": ["held", '{tenant=~".+"}']}, "leave tenant out"),
    ("series", "match[]", {"match[]": ["held"] * 21}, "at most 20"),
    ("series", "query", {"match[]": ["held"] * 31}, "30 at most"),
    ("series", "match", {"match": "held"}, "no field"),
    ("labels", "start", {"start": "0"}, "400 days"),
    ("label/a.b/values", "label", {}, "no name of a label"),
    ("label/%2e%2e%2fstatus/values", "label", {}, "no name of a label"),
)  # fmt: skip


async def test_what_is_not_passed_on_is_refused_with_the_reason(service: RunningService) -> None:
    """By address and by form alike."""
    for path, field, asked, said in REFUSED:
        ways: list[dict[str, Any]] = [{"params": asked}]
        if not path.startswith("label/"):
            ways.append({"content": str(httpx.QueryParams(asked)), "verb": "POST"})
        for rest in ways:
            answer = await ask(service, "ada", "nlp", path, **rest)
            assert answer.status_code == 400, answer.text
            told = answer.json()
            assert told["field"] == field and said in told["detail"], (asked, told)


async def test_a_form_that_is_none_and_one_that_is_too_large_are_refused(service: RunningService) -> None:
    for content, status in (
        (b'{"query": "held"}', 400),
        (b"\xff\xfe=1", 400),
        (b"query=held&&&", 400),
        (b"query=" + b"a" * LARGEST_BODY, 413),
    ):
        answer = await ask(service, "ada", "nlp", "query", verb="POST", content=content)
        assert answer.status_code == status, answer.text
    both = await ask(service, "ada", "nlp", "query", verb="POST", params={"query": "held"}, content=b"query=only_nlp")
    assert both.status_code == 400 and "twice" in both.text


OTHER_PATHS = (
    "targets", "rules", "alerts", "metadata", "alertmanagers", "status/config", "status/flags", "status/tsdb",
    "status/buildinfo", "parse_query", "format_query", "query_exemplars", "admin/tsdb/snapshot", "targets/metadata",
    "admin/tsdb/delete_series", "read", "write", "scrape_pools", "notifications", "../query", "../../-/reload",
)  # fmt: skip


async def test_nothing_else_of_prometheus_is_there(service: RunningService) -> None:
    for path in OTHER_PATHS:
        for verb in ("GET", "POST", "PUT"):
            answer = await ask(service, "ada", "nlp", path, verb=verb)
            assert answer.status_code == 404, (path, answer.text)


async def test_headers_of_the_sender_change_nothing(service: RunningService) -> None:
    headers = {
        "X-Tenant": "vision",
        "X-Scope-OrgID": "vision",
        "X-Prometheus-Tenant": "vision",
        "Cookie": "tenant=vision",
    }
    answer = await ask(service, "ada", "nlp", "query", params={"query": "held", "time": END}, headers=headers)
    assert len(alone(answer, "nlp")["result"]) == 2


async def test_what_prometheus_can_t_answer_is_said_in_its_words(service: RunningService) -> None:
    query = "held * on () held"
    answer = await ask(service, "ada", "nlp", "query", params={"query": query, "time": END})
    assert (answer.status_code, answer.json()["reason"]) == (422, "query-failed")
    assert "many-to-many" in answer.text or "duplicate series" in answer.text
    assert MARKS["vision"] not in answer.text


async def test_a_site_without_prometheus_says_so_to_those_of_the_team(tmp_path: Path, hub: FakeHub) -> None:
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        for path, rest in WAYS.items():
            answer = await ask(service, "ada", "nlp", path, **rest)
            assert (answer.status_code, answer.json()["reason"]) == (404, "no-prometheus")
            assert (await ask(service, "eve", "nlp", path, **rest)).json()["reason"] != "no-prometheus"
