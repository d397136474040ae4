"""``tenants plan|apply|diff`` on a real cluster: applied once, then kept, drift seen, nothing deleted silently."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aifactory_hub import constants
from aifactory_hub.cli.app import main
from aifactory_hub.clusters import KubeApi
from aifactory_hub.registry import render
from aifactory_hub.registry.manifests import HUB_NAMESPACE

from ..registry.files import GOOD
from ..support.real_cluster import KUEUE, as_admin, running_cluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def prefix() -> str:
    return f"ta-{secrets.token_hex(3)}"


@pytest.fixture
async def admin(prefix: str) -> AsyncIterator[KubeApi]:
    async with as_admin() as api:
        yield api
        for path in [
            *(f"{KUEUE}/clusterqueues/{prefix}-{name}" for name in ("nlp", "vision")),
            *(f"/api/v1/namespaces/{prefix}-{name}" for name in ("nlp", "vision")),
            *(f"{KUEUE}/cohorts/{prefix}-{prefix}-{name}" for name in ("nlp", "vision")),
            f"{KUEUE}/cohorts/{prefix}",
            *(path for name in ("nlp", "vision") for path in _beside_the_namespace(f"{prefix}-{name}")),
        ]:
            await api.delete(path)


def _beside_the_namespace(tenant: str) -> list[str]:
    """What guards a tenant and is not in its namespace, so does not go with it."""
    bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    return [
        f"{KUEUE}/clusterqueues/{tenant}.jobs",
        *(f"{bindings}/{constants.PREFIX}-tenant-{kind}-{tenant}" for kind in ("pods", "services")),
        f"/api/v1/namespaces/{HUB_NAMESPACE}/configmaps/tenant-{tenant}",
    ]


@pytest.fixture
def tenants(prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs ``aifactory-hub tenants COMMAND`` on a file of two tenants with names of this test's own.

    Of what the cluster has once only the cohort: the rest is shared with every other test.
    """
    everything = render.cluster_objects

    def cohort_only(registry: Any) -> list[Any]:
        return [manifest for manifest in everything(registry) if manifest["kind"] == "Cohort"]

    monkeypatch.setattr(render, "cluster_objects", cohort_only)
    text = GOOD.replace("hub: main", f"hub: {prefix}").replace("cohort: factory", f"cohort: {prefix}")
    for name in ("nlp", "vision"):
        text = text.replace(f"  {name}:\n", f"  {prefix}-{name}:\n").replace(f"vc-{name}", f"{prefix}-{name}")
    file = tmp_path / "tenants.yaml"

    def run(command: str, *options: str, change: Callable[[str], str] = str) -> Result:
        file.write_text(change(text))
        kubeconfig = str(running_cluster().admin_kubeconfig)
        return CliRunner().invoke(main, ["tenants", command, str(file), "--kubeconfig", kubeconfig, *options])

    return run


async def test_from_nothing_to_wanted_and_back_from_a_change_by_hand(
    admin: KubeApi, tenants: Callable[..., Result], prefix: str
) -> None:
    async def run(command: str, *options: str, **more: Any) -> Result:
        return await asyncio.to_thread(tenants, command, *options, **more)

    queue = f"{KUEUE}/clusterqueues/{prefix}-vision"
    planned = await run("plan")
    assert f"create ClusterQueue {prefix}-nlp" in planned.output and "0 objects as wanted" in planned.output
    applied = await run("apply")
    assert applied.exit_code == 0, applied.output
    versions = (await admin.get(queue))["metadata"]["generation"]

    again = await run("apply")
    assert again.output.splitlines()[-1] == "applied 0 objects", again.output
    assert (await run("diff")).exit_code == 0
    assert (await admin.get(queue))["metadata"]["generation"] == versions

    spec = (await admin.get(queue))["spec"]
    spec["resourceGroups"][0]["flavors"][0]["resources"][0]["nominalQuota"] = "1"
    await admin.merge_patch(queue, {"spec": {"resourceGroups": spec["resourceGroups"]}})
    drift = await run("diff")
    assert drift.exit_code == 1
    assert f"change ClusterQueue {prefix}-vision (changed by hand: " in drift.output
    assert 'nominalQuota: "1" -> "3"' in drift.output
    assert (await run("apply")).exit_code == 0
    assert (await run("diff")).exit_code == 0

    def without_vision(text: str) -> str:
        return text[: text.index(f"  {prefix}-vision:")].replace("borrowing: {mig-1g.10gb: 2}", "borrowing: {}")

    left = await run("apply", change=without_vision)
    assert f"delete ClusterQueue {prefix}-vision (not in the file any more" in left.output
    assert (await admin.get(queue))["metadata"]["name"] == f"{prefix}-vision", "shown, not done"
    await run("apply", "--prune", change=without_vision)
    after = await run("plan", change=without_vision)
    assert f"delete Namespace {prefix}-vision" in after.output and "ClusterQueue" not in after.output
