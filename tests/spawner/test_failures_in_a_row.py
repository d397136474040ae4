"""The hub's own count of failures in a row: a refusal neither adds to it nor takes from it, a defect does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.handlers.base import BaseHandler
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from aifactory_hub.demo.spawner import DemoSpawner
from aifactory_hub.domain.tenants import Role
from aifactory_spawner import TenantKubeSpawner

from ..support.tenants import LARGE
from .hub_in_memory import HubInMemory, NoStatistics, Person

FITS = {"tenant": "nlp", "profile": "mig-1g.10gb"}
FULL = {"tenant": "nlp", "profile": "mig-3g.40gb"}
LIMIT = 3
_POST = RequestStartLine("POST", "/hub/spawn", "HTTP/1.1")


class Silent(HTTPConnection):
    def set_close_callback(self, callback: Any) -> None:
        pass


class Frontend:
    """The hub's code between a request and a spawner, without the network."""

    def __init__(self, hub: HubInMemory, person: Person, spawner_class: type = TenantKubeSpawner) -> None:
        self.person = person
        person.settings["spawner_class"] = spawner_class
        person.settings["config"][spawner_class.__name__].get_registry = lambda: hub.registry
        person.settings["config"][spawner_class.__name__].consecutive_failure_limit = LIMIT
        counts = {"spawn_pending": 0, "proxy_pending": 0, "active": 0}
        self.app = Application(
            hub=person.settings["hub"],
            users=SimpleNamespace(count_active_users=lambda: counts),
            authenticator=SimpleNamespace(refresh_pre_spawn=False),
            statsd=NoStatistics(),
            log_function=lambda _: None,
        )

    async def start(self, options: dict[str, Any]) -> str:
        """What the person reads. Waits until the hub has counted."""
        request = HTTPServerRequest(start_line=_POST, headers=HTTPHeaders(Host="hub"), connection=Silent())
        handler = BaseHandler(self.app, request)
        self.person.get_spawner("", replace_failed=True)
        try:
            await handler.spawn_single_user(self.person, "", options=options)
        except Exception as error:
            await asyncio.sleep(0.01)
            return str(error)
        raise AssertionError("it started")

    @property
    def failures(self) -> int:
        return int(self.app.settings["failure_count"])


@pytest.fixture
def broken(hub: HubInMemory) -> HubInMemory:
    """A hub with a defect that shows when the quota is looked at."""

    async def defect(_: str) -> Any:
        raise LookupError("a defect")

    hub.admission.usage = defect  # type: ignore[method-assign, assignment]
    return hub


async def test_refusals_however_many_do_not_count(hub: HubInMemory, caplog: pytest.LogCaptureFixture) -> None:
    front = Frontend(hub, hub.person("ada", nlp=Role.MEMBER))
    await hub.person("bob", nlp=Role.MEMBER).spawn("", options=FULL)
    for _ in range(LIMIT):
        assert "Choose a profile" in await front.start({})
        assert f"Asked 1, used 1, limit 1 of {LARGE}" in await front.start(FULL)
    hub.cluster.fate = "exits"
    for _ in range(LIMIT):
        assert "exit code 7: boom" in await front.start(FITS)
    assert front.failures == 0
    assert "Aborting" not in caplog.text


async def test_refusals_of_the_demo_do_not_count_either(hub: HubInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DemoSpawner, "cluster", hub.host_cluster, raising=False)
    front = Frontend(hub, hub.person("ada", nlp=Role.MEMBER), DemoSpawner)
    for _ in range(LIMIT):
        assert "Choose a profile" in await front.start({})
    assert front.failures == 0


async def test_defects_count_and_a_refusal_between_them_changes_nothing(
    broken: HubInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    front = Frontend(broken, broken.person("ada", nlp=Role.MEMBER))
    counted = []
    for options in (FITS, {}, FITS, {}):
        await front.start(options)
        counted.append(front.failures)
    assert counted == [1, 1, 2, 2]
    assert "Aborting" not in caplog.text
    assert front.person.spawners[""].consecutive_failure_limit == LIMIT
