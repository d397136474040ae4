"""An engine on the test cluster, with the job service's own rights there and no others, and runs that it removes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.clusters import HostWatch, TenantClients
from aifactory_hub.domain.jobs import JobRun
from aifactory_hub.engines.base import Engine, RunSpec, Site
from aifactory_hub.engines.installed import engine_needs
from aifactory_hub.registry import load_registry
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render_vcluster import seeded_objects, vcluster_values
from aifactory_profiles import Resources

from ..cluster import engines
from ..cluster.settings import layout
from .real_cluster import as_hub, running_cluster
from .tenants import make_tenant

HUB = "engines-test"
TENANT = "nlp"
_TENANTS_FILE = Path(__file__).resolve().parents[1] / "e2e" / "tenants.yaml"
_installed: set[str] = set()


def install_engines(*names: str) -> None:
    """Their controllers in the tenant's vCluster and the job service's rights for them, once for all tests of a run."""
    running_cluster()
    missing = tuple(name for name in names if name not in _installed)
    if missing:
        wanted = sorted({*_installed, *missing})
        if "argo-workflow" in missing:  # the others need rights alone, and no restart
            engines.renew_vcluster(layout(), TENANT, yaml_documents([_values(wanted)]))
        engines.install(layout(), TENANT, missing)
        engines.allow_service(
            layout(), TENANT, yaml_documents(seeded_objects(make_tenant(TENANT), engine_needs(wanted)))
        )
        _installed.update(missing)


def _values(wanted: Sequence[str]) -> dict[str, Any]:
    """What is rendered for the tenant's vCluster where these engines are."""
    registry = load_registry(_TENANTS_FILE)
    return vcluster_values(registry.tenants[TENANT], registry.addresses, engine_needs(wanted))


def spec(script: str, **changes: Any) -> RunSpec:
    values: dict[str, Any] = {
        "tenant": TENANT,
        "run_id": f"e{secrets.token_hex(5)}",
        "image": running_cluster().notebook_image,
        "argv": ("sh", "-c", script),
        "environment": {},
        "secret_files": {"token": "very-secret"},
        "requests": Resources(50, 64 * 2**20),
        "limits": Resources(500, 128 * 2**20),
        "deadline_seconds": 300,
    }
    return RunSpec(**{**values, **changes})


@asynccontextmanager
async def pipeline_of(kind: Any) -> AsyncIterator[Engine]:
    tenants = {name: make_tenant(name) for name in running_cluster().tenants}
    async with as_hub() as host:
        watch, clients = HostWatch(host), TenantClients(host, tenants, constants.JOBS_SECRET)
        watch.start()
        assert await watch.synced(10)
        try:
            yield kind(Site(HUB, tenants, clients, watch))
        finally:
            await clients.close()
            await watch.stop()


@asynccontextmanager
async def run_of(engine: Engine, wanted: RunSpec) -> AsyncIterator[RunSpec]:
    """The run, removed at the end with all its pods."""
    await engine.create(wanted)
    try:
        yield wanted
    finally:
        await engine.delete(TENANT, wanted.run_id)
        async with asyncio.timeout(120):
            while not await engine.pods_gone(TENANT, wanted.run_id):
                await asyncio.sleep(0.2)


async def until(engine: Engine, wanted: RunSpec, holds: Any, *, seconds: float = 180) -> JobRun:
    run = await engine.get(TENANT, wanted.run_id)
    try:
        async with asyncio.timeout(seconds):
            while not holds(run):
                await asyncio.sleep(0.3)
                run = await engine.get(TENANT, wanted.run_id)
    except TimeoutError:
        pytest.fail(f"not so after {seconds:g} s: {run}")
    return run
