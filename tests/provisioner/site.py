"""A provisioner on a small API server that behaves as a cluster would: quotas are counted, vClusters start."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.team_records import TeamRecord
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.provisioner.chart import Chart
from aifactory_hub.provisioner.loop import Provisioner
from aifactory_hub.registry import RegistryProvider, read_registry

from ..support.kube_server import KubeServer, kube_server

Json = dict[str, Any]

TEXT = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
NAMESPACE = "vc-nlp"
# What helm prints of vCluster's chart, in short: an object of each kind that it has.
HELM = """\
#!{python}
import sys
name, namespace = sys.argv[2], sys.argv[sys.argv.index("--namespace") + 1]
print(f'''---
apiVersion: v1
kind: ServiceAccount
metadata: {{{{name: vc-{{name}}, namespace: {{namespace}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{{{name: vc-config-{{name}}, namespace: {{namespace}}}}}}
data: {{{{config.yaml: aGVsbG8=}}}}
---
apiVersion: v1
kind: Service
metadata: {{{{name: {{name}}, namespace: {{namespace}}}}}}
spec: {{{{ports: [{{{{port: 443}}}}]}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{{{name: {{name}}, namespace: {{namespace}}}}}}
spec: {{{{replicas: 1, serviceName: {{name}}-headless}}}}
''')
"""


@dataclass
class Site:
    """``now`` is the clock. Times in seconds."""

    server: KubeServer
    provisioner: Provisioner
    now: float = 1_000_000.0
    starts: bool = True

    @property
    def tenant(self) -> Tenant:
        return self.provisioner.provider.registry.tenants["nlp"]

    def change(self, **fields: Any) -> None:
        """Another value in the team's section."""
        provider = self.provisioner.provider
        tenants = {**provider.registry.tenants, "nlp": replace(self.tenant, **fields)}
        provider.take(replace(provider.registry, tenants=tenants))

    async def look(self, times: int = 1) -> TeamRecord:
        """So many looks, between which the cluster does its part."""
        record = None
        for _ in range(times):
            record = await self.provisioner.look(self.tenant)
            self.settle()
            self.now += 1
        assert record is not None
        return record

    async def ready(self) -> TeamRecord:
        """Look until nothing is left to do."""
        return await self.look(12)

    def settle(self) -> None:
        """What Kubernetes and vCluster do by themselves."""
        where = f"/api/v1/namespaces/{NAMESPACE}"
        for quota in self.server.objects(f"{where}/resourcequotas"):
            self.server.patch(f"{where}/resourcequotas/{name(quota)}", {"status": {"hard": quota["spec"]["hard"]}})
        for control in self.server.objects(self.sets):
            ready = control["spec"]["replicas"] if self.starts else 0
            self.server.patch(f"{self.sets}/{name(control)}", {"status": {"readyReplicas": ready}})
            if ready:
                for secret in ("hub-notebooks", "hub-jobs"):
                    self.server.put(f"{where}/secrets", {"metadata": {"name": secret}})

    @property
    def sets(self) -> str:
        return f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"

    @property
    def queues(self) -> dict[str, Json]:
        return {name(each): each for each in self.server.objects("/apis/kueue.x-k8s.io/v1beta2/clusterqueues")}

    def control_plane(self) -> Json:
        return self.server.objects(self.sets)[0]

    def ticket(self) -> None:
        """Somebody starts something."""
        labels = {"aifactory-hub.io/owner-kind": "server", "aifactory-hub.io/hub": "e2e"}
        self.server.put(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", {"metadata": {"name": "t", "labels": labels}})

    def ticket_ends(self) -> None:
        self.server.remove(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/t")

    def writes(self) -> list[str]:
        """What was written since the last call: the paths, in order, of objects and not of records."""
        found = [
            path
            for method, path, query in self.server.requests
            if method in ("PATCH", "POST", "DELETE") and "dryRun" not in query and "/configmaps/" not in path
        ]
        self.server.requests.clear()
        return found


def name(manifest: Json) -> str:
    return str(manifest["metadata"]["name"])


@asynccontextmanager
async def site(folder: Path, text: str = TEXT) -> AsyncIterator[Site]:
    """A provisioner whose helm is a small program, and the server that it works on."""
    helm = folder / "helm"
    helm.write_text(HELM.format(python=sys.executable))
    helm.chmod(0o755)
    registry = read_registry(text.replace("tenants:", "tenants:", 1), str(folder / "tenants.yaml"))
    async with kube_server() as server:
        api = KubeApi(Credential(server=server.url, token="t"))
        made = Provisioner(api, RegistryProvider(registry), Chart(str(helm), folder), clock=lambda: found.now)
        made.host = made.keeper._host
        found = Site(server, made)
        try:
            yield found
        finally:
            await api.close()
