"""Usage and bills over HTTP: sums that add up, and who sees what."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.testing import bind_unused_port

from aifactory_hub.domain.names import slug
from aifactory_hub.service.api.app import make_app, make_server
from aifactory_hub.service.auth.runner_tokens import token_hash

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PAGE, PREFIX, RunningService
from ..support.usage import HOUR, NOVEMBER, NOW, OCTOBER, life, usage_service, whose


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    async with usage_service(tmp_path, hub) as service:
        yield service


async def get(service: RunningService, token: str, path: str, status: int = 200) -> Any:
    async with service.http(token) as http:
        answer = await http.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_ones_own_month_is_told_by_team_profile_and_kind(service: RunningService) -> None:
    mine = await get(service, "ada", "/usage/me")
    assert (mine["month"], mine["start"], mine["end"], mine["as_of"]) == ("2026-11", NOVEMBER.start, NOVEMBER.end, NOW)
    assert (mine["seconds"], mine["pods"], mine["amount"], mine["currency"]) == (3 * HOUR, 2, "3.00", "EUR")
    assert mine["gpu_seconds"] == round(3 * HOUR / 7, 3)
    by_profile = {line["profile"]: line for line in mine["lines"]}
    assert (by_profile["small"]["per_hour"], by_profile["small"]["amount"]) == ("1.50", "3.00")
    assert (by_profile["free-of-price"]["per_hour"], by_profile["free-of-price"]["amount"]) == (None, None)
    assert by_profile["free-of-price"]["seconds"] == HOUR


async def test_of_the_month_before_only_its_own_seconds_count(service: RunningService) -> None:
    assert (await get(service, "bob", "/usage/me?month=2026-10"))["seconds"] == HOUR
    assert (await get(service, "bob", "/usage/me"))["seconds"] == HOUR
    assert (await get(service, "bob", "/usage/me?month=2026-12"))["amount"] is None


@pytest.mark.parametrize("by", ["user", "profile", "kind", "day", "hour"])
async def test_rows_of_a_team_sum_to_its_total_whatever_they_are_added_up_by(service: RunningService, by: str) -> None:
    told = await get(service, "grace", f"/tenants/nlp/usage?by={by}")
    assert told["scope"] == "team"
    assert sum(row["seconds"] for row in told["rows"]) == told["total"]["seconds"] == 4 * HOUR + 100
    assert told["total"]["amount"] == "4.54"
    assert sum(Decimal(row["amount"] or 0) for row in told["rows"]) == Decimal("4.54")
    assert told["total"]["unpriced_seconds"] == HOUR
    assert told["total"]["pods"] == 4


OWN, TEAM, NO = "own", "team", "no"
TEAM_READS = ("usage", "usage/heatmap", "usage/holds")
PLATFORM_READS = ("/platform/usage", "/platform/heatmap", "/platform/bills/2026-11")


@pytest.mark.parametrize(
    ("token", "in_nlp", "in_vision", "platform"),
    [
        ("ada", OWN, NO, False),
        ("viewer", OWN, NO, False),
        ("grace", TEAM, NO, False),
        ("eve", NO, OWN, False),
        ("both", OWN, OWN, False),
        ("platform", TEAM, TEAM, True),
        ("rene-notebook", OWN, NO, False),
        ("pretender", OWN, NO, False),
        ("stranger", NO, NO, False),
    ],
)
async def test_who_sees_what(service: RunningService, token: str, in_nlp: str, in_vision: str, platform: bool) -> None:
    async with service.http(token) as http:
        for tenant, seen in (("nlp", in_nlp), ("vision", in_vision)):
            for read in TEAM_READS:
                answer = await http.get(f"/tenants/{tenant}/{read}")
                assert answer.status_code == (403 if seen is NO else 200), (tenant, read, answer.text)
                if seen is not NO:
                    assert answer.json()["scope"] == seen, (tenant, read)
            for form in ("json", "csv"):
                bill = await http.get(f"/tenants/{tenant}/bills/2026-11?format={form}")
                assert bill.status_code == (200 if seen is TEAM else 403), (tenant, form)
        for read in PLATFORM_READS:
            assert (await http.get(read)).status_code == (200 if platform else 403), read
        for write in ("/platform/bills/2026-10/close", "/platform/usage/verify"):
            assert (await http.post(write)).status_code == (200 if platform else 403), write
        asked = {"end": NOVEMBER.start + 2 * HOUR, "reason": "it hung"}
        corrected = await http.post("/tenants/nlp/usage/holds/a1/corrections", json=asked)
        assert corrected.status_code == (201 if platform else 403)
        assert (await http.get("/site/usage?user=ada")).status_code == 403


@pytest.mark.parametrize("token", ["ada", "viewer", "both", "rene-notebook", "pretender"])
async def test_names_of_others_are_in_no_answer_of_a_member(service: RunningService, token: str) -> None:
    correct = {"end": NOVEMBER.start + 2 * HOUR, "reason": "it hung"}
    async with service.http("platform") as http:
        assert (await http.post("/tenants/nlp/usage/holds/a1/corrections", json=correct)).status_code == 201
    owner = {"rene-notebook": "rene", "pretender": "pia", "viewer": "vera"}.get(token, token)
    own_pods = {"a1", "a2"} if token == "ada" else set()
    async with service.http(token) as http:
        paths = ["/usage/me", *(f"/tenants/nlp/usage?by={by}" for by in ("user", "profile", "kind", "day", "hour"))]
        paths += ["/tenants/nlp/usage/heatmap", "/tenants/nlp/usage/holds", "/tenants/nlp/usage/holds?profile=small"]
        texts = [(await http.get(path)).text for path in paths]
        for pod in ("a1", "a2", "b1", "x1", "e1", "nothing"):
            answer = await http.get(f"/tenants/nlp/usage/holds/{pod}")
            assert answer.status_code == (200 if pod in own_pods else 404), pod
            texts.append(answer.text)
        refused = [await http.get(f"/tenants/nlp/usage/holds?user={name}") for name in ("bob", "nobody")]
        assert {(each.status_code, each.text) for each in refused} == {(403, refused[0].text)}
    told = " ".join(texts)
    assert not [name for name in ("ada", "bob", "eve", "rene") if name != owner and f'"{name}"' in told]
    assert "rene" not in told or owner == "rene"


async def test_the_site_asks_for_somebody_as_they_would_themselves(tmp_path: Path, service: RunningService) -> None:
    context = replace(service.context, site_token_hash=token_hash("site-token"))
    server = make_server(make_app(context, PREFIX, PAGE))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}api/v1", trust_env=False) as http:
            head = {"Authorization": "Bearer site-token"}
            told = await http.get("/site/usage?user=ada", headers=head)
            assert told.json() == await get(service, "ada", "/usage/me")
            assert (await http.get("/site/usage?user=ada")).status_code == 401
            assert (await http.get("/site/usage?user=ada", headers={"Authorization": "Bearer ada"})).status_code == 403
            assert (await http.get("/site/usage", headers=head)).json()["field"] == "user"
    finally:
        server.stop()
        await server.close_all_connections()


async def test_a_user_of_a_long_name_finds_what_the_ledger_has_under_a_labels_name(service: RunningService) -> None:
    service.hub.add("mail", "ada@example.org", scopes_for("nlp"))
    labelled = whose("nlp", slug("ada@example.org"))
    service.context.ledger.append(life("m1", labelled, NOVEMBER.start, NOVEMBER.start + HOUR))
    assert (await get(service, "mail", "/usage/me"))["seconds"] == HOUR
    assert (await get(service, "grace", "/tenants/nlp/usage/holds?user=ada@example.org"))["holds"][0]["pod"] == "m1"


async def test_holds_come_in_pages_each_with_its_cost(service: RunningService) -> None:
    first = await get(service, "grace", "/tenants/nlp/usage/holds?limit=2")
    assert [hold["pod"] for hold in first["holds"]] == ["b1", "x1"]
    assert [hold["user"] for hold in first["holds"]] == ["bob", ""]
    # b1 began an hour before the month: the month has an hour of it.
    assert (first["holds"][0]["seconds"], first["holds"][0]["amount"]) == (HOUR, "1.50")
    rest = await get(service, "grace", f"/tenants/nlp/usage/holds?limit=2&after={first['next']}")
    assert [hold["pod"] for hold in rest["holds"]] == ["a1", "a2"]
    assert rest["next"] is None
    assert (rest["holds"][1]["end"], rest["holds"][1]["amount"]) == (None, None)
    unknown = await get(service, "grace", "/tenants/nlp/usage/holds?user=")
    assert [hold["pod"] for hold in unknown["holds"]] == ["x1"]


async def test_a_hold_is_told_with_all_that_was_seen_of_it(service: RunningService) -> None:
    hold = await get(service, "ada", "/tenants/nlp/usage/holds/a1")
    assert (hold["seconds"], hold["amount"], hold["ended_by"], hold["source"]) == (2 * HOUR, "3.00", "ended", "watch")
    assert [(fact["kind"], fact["at"]) for fact in hold["facts"]] == [
        ("bound", NOVEMBER.start + HOUR),
        ("ended", NOVEMBER.start + 3 * HOUR),
    ]


async def test_the_heatmap_has_the_mean_of_each_hour_of_the_week(service: RunningService) -> None:
    told = await get(service, "grace", "/tenants/nlp/usage/heatmap")
    # November begins on a Sunday; of its four days so far one was a Sunday, on which bob and then ada held a pod.
    assert told["cells"][6][:4] == [round(1 + 100 / HOUR, 4), 1.0, 1.0, 0.0]
    assert told["gpus"][6][1] == round(1 / 7, 4)
    assert told["zone"] == "Europe/Amsterdam"
    # Wednesday's last hour: ada's job goes on.
    assert told["cells"][2][23] == 1.0
    assert sum(map(sum, told["cells"])) == round(4 + 100 / HOUR, 4)


@pytest.mark.parametrize(
    ("path", "field", "said"),
    [
        ("/usage/me?month=2026-13", "month", "'2026-13' is not a month"),
        ("/usage/me?month=last", "month", "write it as 2026-10"),
        ("/usage/me?from=2026-11-01", "from", "Fields: month"),
        ("/tenants/nlp/usage?month=2026-11&from=2026-11-01", "month", "say the month, or from and to"),
        ("/tenants/nlp/usage?to=2026-11-01", "from", "say both"),
        ("/tenants/nlp/usage?from=2026-02-30", "from", "write a day as 2026-10-25"),
        ("/tenants/nlp/usage?from=2026-11-02&to=2026-11-01", "to", "say a later one"),
        ("/tenants/nlp/usage?from=0", "to", "more than 400 days"),
        ("/tenants/nlp/usage?by=hour&from=2026-06-01", "by", "more than 62 days"),
        ("/tenants/nlp/usage?by=colour", "by", "colour"),
        ("/tenants/nlp/usage/holds?after=x", "after", "`next` of the page before"),
        ("/tenants/nlp/usage/holds?limit=201", "limit", "200"),
        ("/tenants/nlp/bills/2026", "month", "write it as 2026-10"),
    ],
)
async def test_bad_input_is_refused_by_field_and_value(
    service: RunningService, path: str, field: str, said: str
) -> None:
    refused = await get(service, "grace", path, 400)
    assert refused["field"] == field
    assert said in refused["detail"]


async def test_days_and_seconds_name_the_same_time(service: RunningService) -> None:
    by_day = await get(service, "grace", "/tenants/nlp/usage?from=2026-11-01&to=2026-11-02&by=day")
    seconds = f"from={NOVEMBER.start}&to={NOVEMBER.start + 24 * HOUR}"
    assert by_day == await get(service, "grace", f"/tenants/nlp/usage?{seconds}&by=day")
    assert [row["key"] for row in by_day["rows"]] == ["2026-11-01"]


async def test_an_open_month_is_billed_as_the_ledger_has_it_and_a_closed_one_as_it_was_stored(
    service: RunningService,
) -> None:
    before = await get(service, "grace", "/tenants/nlp/bills/2026-10")
    assert (before["state"], before["digest"], before["amount"], before["total"]) == ("closing", None, "1.50", "1.50")
    async with service.http("platform") as http:
        closed = (await http.post("/platform/bills/2026-10/close")).json()
    assert closed["closed_by"] == "rene"
    # A fact that comes late: an hour that nobody had heard of. The closed bill stays; the open one has the correction.
    late = whose("nlp", "bob")
    service.context.ledger.append(life("late", late, OCTOBER.start, OCTOBER.start + HOUR))
    service.context.billing.correct(NOW)
    after = await get(service, "grace", "/tenants/nlp/bills/2026-10")
    assert (after["state"], after["digest"], after["closed_at"]) == ("closed", closed["digest"], NOW)
    assert (after["lines"], after["amount"]) == (before["lines"], "1.50")
    assert [each["record"] for each in after["corrected_later"]] == ["retraction", "restatement"]
    now = await get(service, "grace", "/tenants/nlp/bills/2026-11")
    assert (now["state"], now["closed_at"], now["corrections_amount"]) == ("open", None, "1.50")
    assert Decimal(now["total"]) == Decimal(now["amount"]) + Decimal("1.50")
    assert [(each["month"], each["booked_in"]) for each in now["corrections"]] == [("2026-10", "2026-11")] * 2
    assert (await get(service, "bob", "/usage/me?month=2026-10"))["amount"] == "1.50"


async def test_bills_of_all_teams_sum_up(service: RunningService) -> None:
    told = await get(service, "platform", "/platform/bills/2026-11")
    assert [bill["tenant"] for bill in told["bills"]] == ["nlp", "vision"]
    assert told["amount"] == "6.04"
    assert [bill["simulated"] for bill in told["bills"]] == [False, True]
    for by in ("tenant", "profile", "day"):
        usage = await get(service, "platform", f"/platform/usage?by={by}")
        assert usage["total"]["amount"] == "6.04"
        assert sum(Decimal(row["amount"] or 0) for row in usage["rows"]) == Decimal("6.04")


async def test_a_spreadsheet_takes_no_cell_of_a_bill_for_a_formula(service: RunningService) -> None:
    evil = whose("nlp", '=HYPERLINK("http://x","y")', "+profile")
    service.context.ledger.append(life("h1", evil, NOVEMBER.start, NOVEMBER.start + 10))
    async with service.http("grace") as http:
        answer = await http.get("/tenants/nlp/bills/2026-11?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="bill-2026-11.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 5
    row = next(row for row in rows if "HYPERLINK" in row["user"])
    assert (row["user"], row["profile"], row["amount"]) == ('\'=HYPERLINK("http://x","y")', "'+profile", "")
    assert sum(Decimal(row["amount"] or 0) for row in rows) == Decimal("4.54")


async def test_a_month_that_is_not_over_or_closed_is_not_closed(service: RunningService) -> None:
    async with service.http("platform") as http:
        early = await http.post("/platform/bills/2026-11/close")
        assert (early.status_code, early.json()["field"]) == (409, "month")
        assert "2026-11 is not over" in early.json()["detail"]
        assert (await http.post("/platform/bills/2026-10/close")).status_code == 200
        again = await http.post("/platform/bills/2026-10/close")
        assert (again.status_code, "closed already, by rene" in again.json()["detail"]) == (409, True)
        assert (await http.post("/platform/bills/october/close")).json()["field"] == "month"


async def test_a_correction_gives_a_hold_another_end_and_keeps_the_evidence(service: RunningService) -> None:
    path = "/tenants/nlp/usage/holds/a1/corrections"
    async with service.http("platform") as http:
        end = {"end": NOVEMBER.start + 2 * HOUR, "reason": "its node was down"}
        told = (await http.post(path, json=end)).json()
        assert (told["end"], told["amount"], told["ended_by"]) == (NOVEMBER.start + 2 * HOUR, "1.50", "corrected")
        assert told["note"] == "its node was down (corrected by rene)"
        assert len(told["facts"]) == 3
        mine = await get(service, "ada", "/tenants/nlp/usage/holds/a1")
        assert {mine["note"], mine["facts"][2]["note"]} == {"its node was down"}
        void = (await http.post(path, json={"void": True, "reason": "a test"})).json()
        assert (void["void"], void["seconds"], void["amount"]) == (True, 0, None)
        assert (await http.post("/platform/usage/verify")).json() == {"events": 11, "holds": 5, "problem": None}
    assert (await get(service, "ada", "/usage/me"))["seconds"] == HOUR


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"end": NOVEMBER.start + 2 * HOUR}, "reason"),
        ({"end": NOVEMBER.start + 2 * HOUR, "reason": "  "}, "reason"),
        ({"reason": "why"}, "end"),
        ({"reason": "why", "end": NOVEMBER.start + 2 * HOUR, "void": True}, "end"),
        ({"reason": "why", "end": NOVEMBER.start}, "end"),
        ({"reason": "why", "end": NOW + 1}, "end"),
        ({"reason": "why", "end": "2026-11-01"}, "end"),
    ],
)
async def test_a_correction_that_can_not_be_is_refused(
    service: RunningService, asked: dict[str, Any], field: str
) -> None:
    async with service.http("platform") as http:
        answer = await http.post("/tenants/nlp/usage/holds/a1/corrections", json=asked)
        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
        assert (await http.post("/tenants/vision/usage/holds/a1/corrections", json=asked)).status_code in (400, 404)
    assert len(service.context.ledger.facts("a1")) == 2


async def test_an_administrator_sees_what_a_removed_team_used_and_no_team_that_never_was(
    service: RunningService,
) -> None:
    service.context.ledger.append(life("g1", whose("gone", "zoe"), NOVEMBER.start, NOVEMBER.start + HOUR))
    assert (await get(service, "platform", "/tenants/gone/usage"))["total"]["seconds"] == HOUR
    assert (await get(service, "platform", "/tenants/never/usage", 404))["field"] == "tenant"


async def test_a_job_costs_what_the_ledger_has_of_its_runs(service: RunningService) -> None:
    async with service.http("ada") as http:
        asked = {"command": "true", "profile": "mig-1g.10gb", "key": "k"}
        job = (await http.post("/jobs", json=asked)).json()["id"]
        await service.reconciler.settle()
        before = (await http.get(f"/jobs/{job}")).json()["cost"]
        held = replace(whose("nlp", "ada", kind="job"), owner=job)
        forged = replace(whose("vision", "eve", kind="job"), owner=job)
        service.context.ledger.append(
            [*life("j1", held, NOW - 2 * HOUR, None), *life("j2", forged, NOW - 9 * HOUR, None)]
        )
        one, page = (await http.get(f"/jobs/{job}")).json(), (await http.get("/jobs")).json()["jobs"]
    assert before["so_far"] == "0.00"
    assert one["cost"]["so_far"] == page[0]["cost"]["so_far"] == "3.00"
    assert Decimal(one["cost"]["at_most"]) >= Decimal("3.00")
    assert one["cost"]["per_hour"] == before["per_hour"]
