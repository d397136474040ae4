"""The service with an engine of deployments in memory, a clock that a test moves, and a model that is trained."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from aifactory_hub import constants
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.registry.model import Registry

from ..service.test_gates import about
from .fake_hub import FakeHub
from .job_service import Clock, RunningService, make_registry, running_service
from .models import trained
from .rules import site_rules
from .tenants import SMALL, make_tenant

EXAMPLE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
WISH = {"model": "fraud@prod", "profile": "mig-1g.10gb", "example": EXAMPLE}
PATH = "/tenants/nlp/deployments/fraud"


@dataclass
class Site:
    """The service with a clock and an engine that a test moves."""

    service: RunningService
    serving: MemoryServing
    clock: Clock
    rules: Path

    async def go_on(self, *, seconds: float = 6.0) -> None:
        """Let time pass, and everything that waits go as far as it goes."""
        for _ in range(4):
            self.clock.pass_by(seconds)
            await self.service.context.deployments.tick()

    async def version(self, key: str, *, alias: str | None = "prod", **asked: Any) -> str:
        """The job of a new version of fraud; with its alias."""
        job = await trained(self.service, key=key, files={"model.pkl": key.encode()}, **asked)
        async with self.service.http("ada") as http:
            made = await http.post("/models/fraud/versions", json={"job": job})
            assert made.status_code == 201, made.text
            if alias is not None:
                number = str(made.json()["version"])
                answer = await http.post(f"/models/fraud/aliases/{alias}/promote", json={"version": number})
                assert answer.status_code == 200, answer.text
        return job

    async def deploy(self, **changes: Any) -> httpx.Response:
        async with self.service.http("ada") as http:
            return await http.put(PATH, json={**WISH, **changes})

    async def now(self) -> tuple[str, list[tuple[int, int, str]]]:
        """The deployment's state, and of each release its number, version and state."""
        async with self.service.http("ada") as http:
            told = (await http.get(PATH)).json()
        releases = [(each["number"], each["version"], each["state"]) for each in told["releases"]]
        return told["deployment"]["state"], releases

    async def ask(self, who: str = "ada") -> httpx.Response:
        async with self.service.http(who) as http:
            return await http.post(f"{PATH}/infer", json=EXAMPLE)

    async def held(self) -> dict[str, int]:
        usage = await self.service.admission.usage("nlp")
        return {holder.owner: 1 for holder in usage.holders if holder.kind == constants.KIND_DEPLOYMENT}


def roomy(url: str) -> Registry:
    quota = {SMALL: 3}
    return replace(
        make_registry(service=url), tenants={name: make_tenant(name, quota=quota) for name in ("nlp", "vision")}
    )


@asynccontextmanager
async def deploying_site(path: Path, hub: FakeHub) -> AsyncIterator[Site]:
    """With fraud@1, which prod leads to."""
    clock, serving, rules = Clock(), MemoryServing(), path / "rules"
    gates = site_rules(rules, about("nothing", "true"), clock=clock)
    async with running_service(
        path / "disk", hub=hub, registry=roomy, reconciling=False, clock=clock, gates=gates, serving=serving
    ) as service:
        made = Site(service, serving, clock, rules)
        await made.version("one")
        yield made
