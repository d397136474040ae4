"""Idle servers over HTTP: who may tell of which server, notices, more time, stops, and what a dry run would save."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.testing import bind_unused_port

from aifactory_hub.domain.idle import GpuSamples, Report
from aifactory_hub.domain.idle_ladder import IdleAction, IdleRules
from aifactory_hub.domain.pod_samples import PodPlace, PodSamples
from aifactory_hub.registry.model import IdleConfig
from aifactory_hub.service.api import usage_metrics
from aifactory_hub.service.api.app import make_app, make_server
from aifactory_hub.service.auth.runner_tokens import token_hash
from aifactory_hub.service.idle.activity import ServerKey
from aifactory_hub.service.idle.hub_servers import IdleStop, NotStopped
from aifactory_hub.service.idle.watch import IdleWatch
from aifactory_hub.store.deliveries import Deliveries
from aifactory_hub.telemetry.base import TelemetryUnavailable

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PAGE, PREFIX, Clock, RunningService
from ..support.usage import NOW, life, usage_service, whose

QUIET = GpuSamples(91, 91, 0.001, 0.0, 12 * 2**20, xid=0)
HOOK = "https://hooks.example.org/idle"


@dataclass
class Samples:
    """The samples that a test sets, of pods that the test knows."""

    of: dict[str, GpuSamples] = field(default_factory=dict)
    trouble: str | None = None

    async def read(self, pods: Mapping[str, PodPlace], after: float) -> Mapping[str, PodSamples]:
        if self.trouble is not None:
            raise TelemetryUnavailable(self.trouble)
        return {pod: PodSamples(self.of[pod]) for pod in pods if pod in self.of}

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Stops:
    """The hub, as far as stops go."""

    asked: list[IdleStop] = field(default_factory=list)
    trouble: str | None = None

    async def stop(self, asked: IdleStop) -> None:
        self.asked.append(asked)
        if self.trouble is not None:
            raise NotStopped(self.trouble)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Site:
    """A service at which ada has a default server with a slice of a GPU, and the time that passes there."""

    service: RunningService
    samples: Samples
    stops: Stops
    clock: Clock

    @property
    def idle(self) -> IdleWatch:
        return self.service.context.idle

    def set_rules(self, action: IdleAction, **more: int) -> None:
        config = IdleConfig(IdleRules(action, **more), (HOOK,))
        self.idle.get_config = lambda: config

    async def post(self, token: str, path: str, body: Any, status: int = 200) -> Any:
        async with self.service.http(token) as http:
            answer = await http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, token: str, path: str, status: int = 200) -> Any:
        async with self.service.http(token) as http:
            answer = await http.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    def report(self, *, busy: bool = False, used: float = NOW - 9000, server: str = "") -> dict[str, Any]:
        at = datetime.fromtimestamp(used, UTC).isoformat()
        return {"server": server, "kind": "lab", "busy": busy, "last_used": at, "what": []}

    async def speak(self, **more: Any) -> Any:
        answer = await self.post("ada-server", "/servers/activity", self.report(**more))
        await self.idle.settled()
        return answer

    async def pass_minutes(self, minutes: int) -> Any:
        """A server that says each minute that nothing uses it, and the service's look at it right after."""
        for _ in range(minutes):
            self.clock.pass_by(60)
            now = self.clock()
            said = Report("lab", busy=False, last_used=NOW - 9000, received_at=now, since=now)
            await self.idle.spoke(ServerKey("ada", ""), said)
            await self.idle.settled()
            await self.idle.tick()
        return await self.speak()

    async def acts(self) -> list[str]:
        told = await self.get("grace", "/tenants/nlp/idle")
        return [act["act"] for act in reversed(told["acts"])]


@pytest.fixture
async def site(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Site]:
    async with usage_service(tmp_path, hub) as service:
        clock = service.context.clock
        assert isinstance(clock, Clock)
        hub.add("ada-server", "ada", [*scopes_for("nlp"), "access:servers!server=ada/"])
        hub.add("bob-server", "bob", [*scopes_for("nlp"), "access:servers!server=bob/"])
        hub.add("ada-all", "ada", [*scopes_for("nlp"), "access:servers!user=ada"])
        service.context.ledger.append(life("s1", whose("nlp", "ada"), NOW - 36_000, None))
        site = Site(service, Samples({"s1": QUIET}), Stops(), clock)
        site.idle.telemetry, site.idle.stopping = site.samples, site.stops
        site.idle.places = lambda holds: {hold.pod: PodPlace("vc-nlp", f"host-{hold.pod}") for hold in holds}
        site.set_rules(IdleAction.STOP)
        yield site


async def test_a_server_tells_of_itself_with_its_own_token_alone(site: Site) -> None:
    assert (await site.speak())["verdict"] == "unknown"
    for token in ("ada", "ada-all", "grace"):
        refused = await site.post(token, "/servers/activity", site.report(), 403)
        assert "its own token" in refused["detail"]
    await site.post("bob-server", "/servers/activity", site.report(busy=True))
    assert (await site.speak())["verdict"] == "unknown", "what bob's says is not about ada's"
    other = await site.post("ada-server", "/servers/activity", site.report(server="second"), 403)
    assert "'second'" in other["detail"]
    async with site.service.http() as http:
        assert (await http.post("/servers/activity", json=site.report())).status_code == 401


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("kind", "rstudio"),
        ("busy", "no"),
        ("last_used", "2026-11-30T09:12:00"),
        ("last_used", "yesterday"),
        ("what", ["x"] * 21),
        ("what", ["x" * 201]),
        ("server", 3),
    ],
)
async def test_a_bad_report_is_refused_with_its_field(site: Site, field_name: str, value: Any) -> None:
    refused = await site.post("ada-server", "/servers/activity", {**site.report(), field_name: value}, 400)
    assert refused["field"].startswith(field_name)


async def test_an_idle_server_is_noticed_and_stopped_with_its_evidence(site: Site) -> None:
    assert (await site.pass_minutes(44))["notice"] is None
    answer = await site.pass_minutes(4)
    assert answer["verdict"] == "idle" and answer["notice"]["stops"]
    assert not site.stops.asked
    await site.pass_minutes(11)
    (asked,) = site.stops.asked
    assert (asked.user, asked.server, asked.tenant) == ("ada", "", "nlp")
    assert asked.idle_since <= site.clock() - 2700 and "45 min" in asked.why
    told = await site.get("grace", "/tenants/nlp/idle")
    assert [act["act"] for act in told["acts"]] == ["stopped", "noticed"]
    assert "91 of 91 samples" in " ".join(told["acts"][0]["evidence"])
    assert told["acts"][0]["pod"] == "s1" and told["acts"][0]["since"] == int(asked.idle_since)
    messages = Deliveries(site.service.context.jobs.db).due(now=site.clock(), limit=10)
    assert [(each.event, each.url) for each in messages] == [("server.noticed", HOOK), ("server.stopped", HOOK)]


async def test_a_stop_waits_until_the_server_has_just_spoken(site: Site) -> None:
    await site.pass_minutes(55)
    assert await site.acts() == ["noticed"]
    site.clock.pass_by(120)
    await site.idle.tick()
    assert not site.stops.asked, "it may work since it spoke two minutes ago"
    await site.speak()
    assert len(site.stops.asked) == 1


async def test_a_server_that_works_in_the_last_moment_is_not_stopped(site: Site) -> None:
    await site.pass_minutes(55)
    site.clock.pass_by(90)
    await site.speak(busy=True)
    site.clock.pass_by(60)
    await site.speak(used=site.clock() - 30)
    await site.idle.tick()
    assert not site.stops.asked
    assert await site.acts() == ["noticed", "used"]


async def test_its_owner_keeps_it_so_many_times(site: Site) -> None:
    site.set_rules(IdleAction.STOP, keep=1800, keeps=2)
    refused = await site.post("ada-server", "/servers/keep", {"server": ""}, 409)
    assert "Nothing is about to stop" in refused["detail"]
    await site.pass_minutes(48)
    for token, path_body in (("bob-server", {"server": ""}), ("ada-server", {"server": "second"})):
        await site.post(token, "/servers/keep", path_body, 409 if token == "bob-server" else 403)
    answer = await site.post("ada-server", "/servers/keep", {"server": ""})
    assert answer["notice"] is None
    await site.pass_minutes(28)
    assert await site.acts() == ["noticed", "kept"]
    assert (await site.pass_minutes(4))["notice"]["keeps_left"] == 1
    await site.post("ada", "/servers/keep", {"server": ""})
    await site.pass_minutes(32)
    refused = await site.post("ada-server", "/servers/keep", {"server": ""}, 409)
    assert "2 times in a row" in refused["detail"]
    await site.pass_minutes(11)
    assert len(site.stops.asked) == 1
    assert await site.acts() == ["noticed", "kept", "noticed", "kept", "noticed", "stopped"]


async def test_a_dry_run_stops_nothing_and_tells_what_it_would_have_saved(site: Site) -> None:
    site.set_rules(IdleAction.DRY_RUN)
    await site.pass_minutes(58)
    assert await site.acts() == ["noticed", "would-stop"]
    await site.pass_minutes(60)
    assert not site.stops.asked
    told = await site.get("ada", "/tenants/nlp/idle")
    assert told["action"] == "dry-run" and 3600 <= told["saved_seconds"] <= 3600 + 180
    await site.speak(used=site.clock())
    await site.idle.tick()
    site.clock.pass_by(3600)
    later = await site.get("ada", "/tenants/nlp/idle")
    assert later["saved_seconds"] <= told["saved_seconds"] + 60
    assert (await site.acts())[-1] == "used"
    events = [each.event for each in Deliveries(site.service.context.jobs.db).due(now=site.clock(), limit=10)]
    assert events == ["server.would-stop"]


async def test_without_samples_nothing_is_idle_and_a_notice_is_taken_back(site: Site) -> None:
    assert (await site.pass_minutes(48))["notice"] is not None
    site.samples.trouble = "Prometheus does not answer"
    answer = await site.pass_minutes(30)
    assert (answer["verdict"], answer["notice"]) == ("unknown", None)
    assert (await site.get("ada", "/tenants/nlp/idle"))["trouble"] == "Prometheus does not answer"
    assert not site.stops.asked and await site.acts() == ["noticed", "cleared"]
    site.samples.trouble = None
    # With the whole time of a notice again.
    await site.pass_minutes(5)
    assert not site.stops.asked
    await site.pass_minutes(8)
    assert len(site.stops.asked) == 1


async def test_what_the_hub_refuses_is_recorded_and_told_anew(site: Site) -> None:
    site.stops.trouble = "the hub answered 409: it is another one"
    await site.pass_minutes(56)
    told = await site.get("grace", "/tenants/nlp/idle")
    assert [act["act"] for act in told["acts"]][1:3] == ["not-stopped", "stopped"]
    assert told["acts"][0]["act"] == "noticed" and "409" in told["acts"][1]["note"]


async def test_a_new_process_goes_on_where_the_last_one_was(site: Site) -> None:
    await site.pass_minutes(50)
    assert await site.acts() == ["noticed"]
    old = site.idle
    again = IdleWatch(
        old.get_config, old.ledger, old.places, site.samples, old.acts, site.stops, site.clock, old.activity
    )
    site.service.context.__dict__["idle"] = again
    await site.pass_minutes(8)
    assert await site.acts() == ["noticed", "stopped"]


async def test_jobs_and_servers_without_a_gpu_are_never_looked_at(site: Site) -> None:
    ledger = site.service.context.ledger
    ledger.append(life("s2", replace(whose("nlp", "bob"), devices={}), NOW - 36_000, None))
    await site.pass_minutes(1)
    # a2 is a job of ada's that goes on.
    assert {each["pod"] for each in (await site.get("grace", "/tenants/nlp/idle"))["servers"]} == {"s1"}


async def test_members_see_their_own_admins_their_team_and_others_nothing(site: Site) -> None:
    await site.pass_minutes(58)
    for token, servers, acts in (("ada", 1, 2), ("bob", 0, 0), ("grace", 1, 2), ("platform", 1, 2)):
        told = await site.get(token, "/tenants/nlp/idle")
        assert (len(told["servers"]), len(told["acts"])) == (servers, acts), token
    await site.get("eve", "/tenants/nlp/idle", 403)
    await site.get("ada", "/platform/idle", 403)
    assert len((await site.get("platform", "/platform/idle"))["servers"]) == 1


async def test_prometheus_is_told_how_many_are_idle_and_nobody_s_name(site: Site) -> None:
    await site.pass_minutes(48)
    text = usage_metrics._text(site.service.context).decode()
    assert 'aifactory_idle_servers{tenant="nlp",verdict="idle"} 1.0' in text
    assert "ada" not in text


async def test_home_asks_with_the_shared_token(site: Site) -> None:
    await site.pass_minutes(48)
    context = replace(site.service.context, site_token_hash=token_hash("shared"))
    server = make_server(make_app(context, PREFIX, PAGE))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{PREFIX}api/v1", trust_env=False) as http:
            told = await http.get("/site/idle?user=ada", headers={"Authorization": "Bearer shared"})
            (mine,) = told.json()["servers"]
            assert (mine["user"], mine["server"], mine["verdict"]) == ("ada", "", "idle")
            assert mine["notice"]["stops"]
            assert (await http.get("/site/idle?user=ada", headers={"Authorization": "Bearer ada"})).status_code == 403
    finally:
        server.stop()
        await server.close_all_connections()
