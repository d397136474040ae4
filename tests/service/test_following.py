"""The whole service, with its own file, on an API server: what ``aifactory-hub service`` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from aifactory_hub.engines.base import EngineUnavailable
from aifactory_hub.registry import provider as provider_module
from aifactory_hub.service.real_site import real_context
from aifactory_hub.settings import Bind, Secret, ServiceSettings

from ..support.certificates import server_tls
from ..support.kube_objects import kubeconfig
from ..support.kube_server import kube_server

GOOD = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
ROBOTS = """
  robots:
    vcluster: {namespace: vc-robots, name: robots}
    groups: [{group: teams/robots, role: member}]
    profiles: [cpu-small]
"""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_team_comes_and_goes_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INTERVAL", "SETTLE"):
        monkeypatch.setattr(provider_module, name, 0.02)
    tls, tenants, config = server_tls(), tmp_path / "tenants.yaml", tmp_path / "kubeconfig"
    tenants.write_text(GOOD)
    async with kube_server(tls.context) as host:
        config.write_text(kubeconfig(tls.ca, "host", host.url))
        settings = ServiceSettings(
            tenants=tenants,
            service_token=Secret("s" * 32),
            hub_api_url="http://127.0.0.1:9/hub/api",
            prefix="/services/aifactory/",
            bind=Bind("127.0.0.1", 0),
            database=f"sqlite:///{tmp_path}/jobs.sqlite",
            files=tmp_path / "files",
            kubeconfig=str(config),
        )
        async with real_context(settings) as context:
            assert context.reach()["tenants"] == 2
            tenants.write_text(GOOD.rstrip("\n") + ROBOTS)
            await until(lambda: context.reach()["tenants"] == 3)
            assert context.unavailable("robots") is None, "not looked at yet is not known to be away"
            assert await context.admission.tickets("robots") == []
            (engine,) = context.engines
            with pytest.raises(EngineUnavailable, match="not installed, or not ready yet"):
                await engine.pods_gone("robots", "j0123456789ab1")
            tenants.write_text(GOOD)
            await until(lambda: context.reach()["tenants"] == 2)
            await context.periodic_tasks.calls["removed teams"][1]()
            with pytest.raises(Exception, match="not in the tenant registry"):
                await context.admission.tickets("robots")
            assert context.unavailable("robots") == "it is not in the tenant registry"
            tenants.write_text("[")
            await until(lambda: context.provider.status.trouble)
            assert set(context.registry.tenants) == {"nlp", "vision"}
