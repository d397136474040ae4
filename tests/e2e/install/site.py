"""A release of the chart on the test cluster, and what an administrator sees of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.chart.chart import CHART, NAMESPACE, TENANTS, helm
from tests.cluster.access import access
from tests.cluster.images import HUB, PROVISIONER, Store, hub_image, provisioner_image
from tests.cluster.settings import BRIDGE_ADDRESS, NODE, VALUES, layout

from ..cluster import Cluster
from ..rig import apply_registry

RELEASE = "aifactory-hub"
PLACE = ("--namespace", NAMESPACE)
# Seconds that helm waits for each step at most. It ends as soon as all is ready.
_WAITS = ("--wait", "--timeout", "240s")
_SECRET = {"service-token": "a", "metrics-token": "b", "client-secret": "c", "crypt-key": "d", "backup-key": "e"}
_MADE = ("job/now", "job/aifactory-apply", "pod/aifactory-doctor", "pod/look")
TEAM = "installed"


@dataclass
class InstalledSite:
    """``folder`` has its values and files of tenants."""

    cluster: Cluster
    folder: Path

    def values(self) -> Path:
        """Of the test cluster: its name server and API server are beside its pods."""
        where = [{"cidr": f"{BRIDGE_ADDRESS}/32"}]
        name, _, tag = HUB.rpartition(":")
        provisioner, _, version = PROVISIONER.rpartition(":")
        content: dict[str, Any] = {
            "image": {"repository": name, "tag": tag, "pullPolicy": "Never"},
            "hubName": "e2e",
            "jobService": {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}}},
            "networkPolicy": {"nameServers": where, "apiServers": where},
            "backup": {"enabled": True, "keysKey": "backup-key", "storage": {"size": "1Gi"}},
            "provisioner": {"image": {"repository": provisioner, "tag": version}, "replicas": 1},
        }
        content["provisioner"]["vclusterValues"] = YAML(typ="safe", pure=True).load(
            (VALUES / "vcluster.yaml").read_text()
        )
        file = self.folder / "site.yaml"
        file.write_text(json.dumps(content), encoding="utf-8")
        return file

    def helm(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run it, whatever it says."""
        return helm("--kubeconfig", self.cluster.kubeconfig, *arguments, seconds=300)

    def good(self, *arguments: object) -> str:
        """Run it; with all that the namespace says where it fails."""
        done = self.helm(*arguments)
        if done.returncode:
            raise AssertionError(f"{done.stderr}\n{self.told()}")
        return done.stdout

    def install(self, tenants: Path = TENANTS, *more: object) -> str:
        """The release, or its upgrade."""
        given = ("-f", self.values(), "--set-file", f"tenants.inline={tenants}", *more)
        return self.good("upgrade", "--install", RELEASE, CHART, *PLACE, *given, *_WAITS)

    def refused(self, tenants: Path) -> bool:
        """Whether an upgrade with this file ends without a change."""
        given = ("-f", self.values(), "--set-file", f"tenants.inline={tenants}", *_WAITS)
        return self.helm("upgrade", RELEASE, CHART, *PLACE, *given).returncode != 0

    def rollback(self, revision: int) -> str:
        return self.good("rollback", RELEASE, revision, *PLACE, *_WAITS)

    def told(self) -> str:
        """What pods and events of the namespace say, for somebody who looks at a failure."""
        found = [self.run("get", "pods,pvc"), self.run("events")[-3000:]]
        for what in ("job/aifactory-apply", "deployment/aifactory-jobs", "deployment/aifactory-provisioner"):
            try:
                found.append(self.run("logs", what, "--tail=30"))
            except RuntimeError as error:
                found.append(str(error))
        return "\n".join(found)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in the release's namespace."""
        return self.cluster.run(*arguments, "-n", NAMESPACE, stdin=stdin)

    def quota(self) -> str:
        """What nlp owns of the small slice, as its queue says."""
        groups = self.cluster.get("clusterqueue", "nlp")["spec"]["resourceGroups"]
        flavors = [flavor for group in groups for flavor in group["flavors"]]
        resources = [each for flavor in flavors for each in flavor["resources"]]
        (found,) = [each["nominalQuota"] for each in resources if each["name"] == "nvidia.com/mig-1g.10gb"]
        return str(found)

    def file_in_use(self) -> str:
        return str(self.cluster.get("configmap", "aifactory-tenants", *("-n", NAMESPACE))["data"]["tenants.yaml"])

    def service_pods(self) -> list[str]:
        """Uids of the job service's pods."""
        found = self.cluster.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=aifactory-jobs")
        return [each["metadata"]["uid"] for each in found["items"]]

    def in_a_pod(self, command: str, volumes: Mapping[str, Mapping[str, Any]]) -> str:
        """What a command says in a pod of the hub's image that has these volumes, each below its name."""
        container = {
            "name": "look",
            "image": HUB,
            "imagePullPolicy": "Never",
            "command": ["sh", "-c", command],
            "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in volumes],
        }
        spec = {"restartPolicy": "Never", "containers": [container]}
        spec["volumes"] = [{"name": name, **volume} for name, volume in volumes.items()]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "look"}, "spec": spec}
        self.run("create", "-f", "-", stdin=json.dumps(pod))
        try:
            self.run("wait", "pod/look", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=55s")
        except RuntimeError as error:
            raise AssertionError(f"{error}: {self.run('logs', 'look')}") from error
        return self.run("logs", "look")


@contextmanager
def installed_site(folder: Path) -> Iterator[InstalledSite]:
    """Images and the Secret; afterwards nothing of the release is left."""
    found = access()
    Store(layout(), []).add([hub_image(layout()), provisioner_image(layout())])
    site = InstalledSite(Cluster(Path(found.kubectl), found.admin_kubeconfig, NODE), folder)
    literals = [f"--from-literal={key}={value * 64}" for key, value in _SECRET.items()]
    site.run("create", "secret", "generic", "aifactory-hub", *literals)
    try:
        yield site
    finally:
        site.helm("uninstall", RELEASE, *PLACE, "--ignore-not-found", "--wait")
        claims = ("pvc/aifactory-jobs", "pvc/aifactory-backups")
        site.run("delete", *_MADE, "secret/aifactory-hub", *claims, "--ignore-not-found")
        remove_team(site.cluster)
        apply_registry(site.cluster, TENANTS)


def remove_team(cluster: Cluster) -> None:
    """The team that the provisioner has made, with all that it has on the host."""
    kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies,clusterqueues,cohorts"
    # What a cluster has once carries the mark of whoever applied last, so names count as well.
    marked = cluster.run("get", kinds, "-l", f"aifactory-hub.io/registry={TEAM}", "-o", "name").split()
    if own := [name for name in marked if TEAM in name]:
        cluster.run("delete", *own, "--ignore-not-found")
    cluster.run("delete", "namespace", f"vc-{TEAM}", "--ignore-not-found", "--wait=false")
