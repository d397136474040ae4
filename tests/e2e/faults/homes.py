"""A vCluster is uninstalled, reinstalled, or comes back empty: people's homes stay, with what is in them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from aifactory_hub import constants
from aifactory_hub.registry.homes import ANNOTATION_DELETE_HOME
from tests.cluster.namespaces import Namespaces
from tests.cluster.programs import program
from tests.cluster.settings import RESTRICTED, RESTRICTED_POD, layout

from ..cluster import Cluster
from . import spare
from .site import Site, wait_until
from .table import Fault, Row

UNINSTALLED, EMPTIED = f"{constants.HOME_PREFIX}uninstalled", f"{constants.HOME_PREFIX}emptied"
SCRATCH = "scratch"
# Seconds in which the garbage collector, or the syncer of an empty vCluster, deletes what it takes for nobody's.
COLLECTED = 25.0


@dataclass(frozen=True)
class Homes:
    site: Site

    def rows(self) -> list[Row]:
        return [
            Row("vCluster uninstalled and installed again: homes", "a home in spare", self._uninstalled),
            Row("vCluster comes back empty: homes", "a home in spare", self._emptied),
        ]

    def _uninstalled(self, fault: Fault) -> None:
        uninstalled(fault, self.site.cluster)

    def _emptied(self, fault: Fault) -> None:
        emptied(fault, self.site.cluster)


def uninstalled(fault: Fault, cluster: Cluster) -> None:
    make(cluster, UNINSTALLED)
    before = uid(cluster, on_the_host(UNINSTALLED))
    fault.check(before, "a home with a file, and a claim of another kind")
    uninstall()
    gone = wait_until(lambda: not uid(cluster, f"{SCRATCH}-x-notebooks-x-{spare.NAME}"), 60)
    fault.check(gone, "after helm uninstall the other claim is gone")
    time.sleep(COLLECTED)
    fault.check(
        uid(cluster, on_the_host(UNINSTALLED)) == before,
        f"and {COLLECTED:.0f} s later the home's claim is the same one",
    )
    spare.install()
    fault.check(read(cluster, UNINSTALLED) == "kept\n", "installed again, a pod on the same claim reads the file")
    forget(fault, cluster, UNINSTALLED)


def emptied(fault: Fault, cluster: Cluster) -> None:
    make(cluster, EMPTIED)
    before = uid(cluster, on_the_host(EMPTIED))
    spare.lose_storage()
    cluster.run("delete", "pod", f"{spare.NAME}-0", "-n", spare.NAMESPACE, "--wait=false")
    spare.install()
    time.sleep(COLLECTED)
    fault.check(uid(cluster, on_the_host(EMPTIED)) == before, "an empty vCluster's syncer did not delete the home")
    cluster.inside(spare.NAME, "apply", "-f", "-", stdin=claim(EMPTIED))
    fault.check(read(cluster, EMPTIED) == "kept\n", "a claim of the home's name, as the hub makes it, finds the file")
    forget(fault, cluster, EMPTIED)


def on_the_host(name: str) -> str:
    return f"{name}-x-notebooks-x-{spare.NAME}"


def make(cluster: Cluster, home: str) -> None:
    for name in (home, SCRATCH):
        cluster.inside(spare.NAME, "apply", "-f", "-", stdin=claim(name))
    run(cluster, home, "echo kept >/home/file")
    if not wait_until(lambda: uid(cluster, on_the_host(home)), 30):
        raise RuntimeError("the host has no claim of the home")


def read(cluster: Cluster, home: str) -> str:
    return run(cluster, home, "cat /home/file")


def run(cluster: Cluster, home: str, script: str) -> str:
    """What a pod on the home's volume prints."""
    cluster.inside(spare.NAME, "delete", "pod", "on-the-home", "-n", "notebooks", "--ignore-not-found", "--wait=true")
    cluster.inside(spare.NAME, "apply", "-f", "-", stdin=pod(home, script))
    phase = ("get", "pod", "on-the-home", "-n", "notebooks", "-o", "jsonpath={.status.phase}")
    if not wait_until(lambda: cluster.inside(spare.NAME, *phase) in ("Succeeded", "Failed"), 90):
        raise RuntimeError(cluster.inside(spare.NAME, "describe", "pod", "on-the-home", "-n", "notebooks")[-1500:])
    printed = cluster.inside(spare.NAME, "logs", "on-the-home", "-n", "notebooks")
    cluster.inside(spare.NAME, "delete", "pod", "on-the-home", "-n", "notebooks", "--wait=true")
    return printed


def forget(fault: Fault, cluster: Cluster, name: str) -> None:
    """The only way that a home goes while its namespace stays: a person marks it on the host."""
    host = ("-n", spare.NAMESPACE)
    mark = f"{ANNOTATION_DELETE_HOME}={uid(cluster, on_the_host(name))}"
    cluster.run("annotate", "pvc", on_the_host(name), *host, mark, "--overwrite")
    cluster.run("delete", "pvc", on_the_host(name), *host, "--wait=false")
    gone = wait_until(lambda: not uid(cluster, on_the_host(name)), 60)
    fault.check(gone, "a home that a person has marked is deleted")
    cluster.inside(spare.NAME, "delete", "pvc", name, SCRATCH, "-n", "notebooks", "--ignore-not-found", "--wait=false")


def uid(cluster: Cluster, name: str) -> str:
    found = cluster.get("pvc", "-n", spare.NAMESPACE, f"--field-selector=metadata.name={name}")
    items = [item for item in found.get("items") or [] if "deletionTimestamp" not in item["metadata"]]
    return str(items[0]["metadata"]["uid"]) if items else ""


def uninstall() -> None:
    where = layout()
    helm = [program(where, "helm"), "--kubeconfig", str(where.kubeconfig()), "uninstall", spare.NAME]
    Namespaces(where).works([*helm, "-n", spare.NAMESPACE, "--wait"], timeout=60)


def claim(name: str) -> str:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}}
    metadata = {"name": name, "namespace": "notebooks"}
    return json.dumps({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})


def pod(home: str, script: str) -> str:
    container = {
        "name": "notebook",
        "image": "docker.io/aifactory-hub/notebook:test",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "home", "mountPath": "/home"}],
    }
    spec = {
        "restartPolicy": "Never",
        "securityContext": RESTRICTED_POD,
        "containers": [container],
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": home}}],
    }
    metadata = {"name": "on-the-home", "namespace": "notebooks"}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
