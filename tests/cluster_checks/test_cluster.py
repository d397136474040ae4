"""What the running test cluster promises to the tests that use it."""

from __future__ import annotations

import base64
import json
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..cluster import components, vclusters
from ..cluster.access import Access, access
from ..cluster.console import ClusterError, wait_until
from ..cluster.namespaces import Namespaces
from ..cluster.pki import write_kubeconfig
from ..cluster.settings import BRIDGE_ADDRESS, RESTRICTED, RESTRICTED_POD, TENANTS, layout

pytestmark = pytest.mark.cluster
DNS = (BRIDGE_ADDRESS, 53)


@pytest.fixture(scope="module")
def cluster() -> Access:
    return access()


@pytest.fixture(scope="module")
def namespaces() -> Namespaces:
    return Namespaces(layout())


def _kubectl(kubeconfig: Path, *words: str, stdin: object = None) -> str:
    where = layout()
    argv = [components.kubectl(where)[0], "--kubeconfig", str(kubeconfig), *words]
    return Namespaces(where).output(argv, stdin=None if stdin is None else json.dumps(stdin))


def _hub_credential(cluster: Access, folder: Path, tenant: str, secret: str) -> Path:
    data = vclusters.get(Namespaces(layout()), tenant, "secret", secret)["data"]
    path = folder / f"{tenant}-{secret}"
    token = base64.b64decode(data["token"]).decode()
    write_kubeconfig(path, cluster.tenants[tenant].api, data["certificate-authority"], {"token": token})
    return path


def _rights(kubeconfig: Path, namespace: str) -> set[str]:
    """What `auth can-i --list` shows beyond what every service account may do: resource, then verbs."""
    found = set()
    for line in _kubectl(kubeconfig, "auth", "can-i", "--list", "-n", namespace).splitlines()[1:]:
        name, verbs = line.split()[0], line[line.rindex("[") :]
        if not name.startswith(("[", "self")):
            found.add(f"{name} {verbs}")
    return found


NOTEBOOK_RIGHTS = {
    "pods [get list watch create delete]",
    "persistentvolumeclaims [get list create]",
    "events [get list watch]",
}
JOB_RIGHTS = {
    "jobs.batch [get list watch create delete]",
    "pods [get list watch]",
    "pods/log [get]",
    "secrets [create get delete]",
    "events [get list watch]",
}


def name_server_says(name: str) -> tuple[int, int]:
    """The status of the host's name server for the IPv4 addresses of a name, and how many it has."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1), DNS)
        _, flags, _, answers, _, _ = struct.unpack("!6H", asking.recv(512)[:12])
    return flags & 15, answers


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("kubernetes.default.svc.cluster.local", (0, 1)),
        *((f"{tenant}.vc-{tenant}.svc.cluster.local", (0, 1)) for tenant in TENANTS),
        ("nothing.default.svc.cluster.local", (3, 0)),
        ("registry.example.org", (3, 0)),
    ],
)
def test_services_have_names_and_the_world_outside_has_none(name: str, wanted: tuple[int, int]) -> None:
    assert name_server_says(name) == wanted


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_hubs_credentials_are_good_for_one_namespace_and_no_more(
    cluster: Access, tmp_path: Path, tenant: str
) -> None:
    notebooks = _hub_credential(cluster, tmp_path, tenant, "hub-notebooks")
    jobs = _hub_credential(cluster, tmp_path, tenant, "hub-jobs")
    assert _rights(notebooks, "notebooks") == NOTEBOOK_RIGHTS
    assert _rights(jobs, "jobs") == JOB_RIGHTS
    for kubeconfig, namespace in ((notebooks, "jobs"), (jobs, "notebooks"), (jobs, "kube-system")):
        assert _rights(kubeconfig, namespace) == set()


def test_a_tenants_administrator_cannot_read_other_tenants_pods_from_the_node(cluster: Access) -> None:
    with pytest.raises(ClusterError, match="orbidden"):
        _kubectl(cluster.tenants["nlp"].admin_kubeconfig, "get", "--raw", "/api/v1/nodes/node1/proxy/pods")


@pytest.fixture
def job(cluster: Access, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A job in a vCluster that has a slice and a claimed volume; its credential and its name."""
    kubeconfig, name = _hub_credential(cluster, tmp_path, "nlp", "hub-jobs"), f"check-{uuid.uuid4().hex[:8]}"
    admin = cluster.tenants["nlp"].admin_kubeconfig
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "jobs"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}  # fmt: skip
    _kubectl(admin, "create", "-f", "-", stdin=claim)
    _kubectl(kubeconfig, "create", "-f", "-", stdin=_job(cluster, name))
    yield kubeconfig, name
    _kubectl(admin, "-n", "jobs", "delete", f"job/{name}", f"pvc/{name}")


def _job(cluster: Access, name: str) -> dict[str, Any]:
    script = "import aifactory_hub, sklearn; open('/data/x', 'w').write('kept'); print('said', open('/data/x').read())"
    container = {"name": "job", "image": cluster.notebook_image, "command": ["python3", "-c", script],
                 "resources": {"limits": {"nvidia.com/mig-1g.10gb": 1}}, "securityContext": RESTRICTED,
                 "volumeMounts": [{"name": "data", "mountPath": "/data"}]}  # fmt: skip
    pod = {"restartPolicy": "Never", "containers": [container], "securityContext": RESTRICTED_POD,
           "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}  # fmt: skip
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "jobs"},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}}}  # fmt: skip


def test_a_job_in_a_vcluster_runs_with_a_volume_and_its_log_is_read_through_the_vcluster(
    job: tuple[Path, str],
) -> None:
    kubeconfig, name = job
    _kubectl(kubeconfig, "-n", "jobs", "wait", "--for=condition=Complete", f"job/{name}", "--timeout=60s")
    assert _kubectl(kubeconfig, "-n", "jobs", "logs", f"job/{name}").strip() == "said kept"


def _ticket(name: str, slices: str) -> dict[str, Any]:
    limits = {"nvidia.com/mig-1g.10gb": slices, "cpu": "64", "memory": "999Gi"}
    container = {"name": "ticket", "image": "ticket.invalid/none:1", "resources": {"limits": limits}}
    labels = {"kueue.x-k8s.io/queue-name": "gpu", "kueue.x-k8s.io/priority-class": "notebook"}
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": "vc-vision", "labels": labels},
            "spec": {"suspend": True, "managedBy": "aifactory-hub.io/ticket", "template": {"spec": pod}}}  # fmt: skip


def test_a_ticket_is_admitted_by_its_slices_alone_and_one_too_many_waits_in_line(cluster: Access) -> None:
    """Cpu and memory of a ticket don't count; the position of a waiting one is read through the API server."""
    hub, names = cluster.hub_kubeconfig, [f"ticket-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    position = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/vc-vision/localqueues/gpu/pendingworkloads"
    try:
        _kubectl(hub, "create", "-f", "-", stdin=_ticket(names[0], "1"))
        wait_until("admission", lambda: _running(hub, names[0]), 20)
        _kubectl(hub, "create", "-f", "-", stdin=_ticket(names[1], "99"))
        wait_until("position", lambda: names[1] in _kubectl(hub, "get", "--raw", position), 20)
        assert not _running(hub, names[1])
    finally:
        _kubectl(hub, "-n", "vc-vision", "delete", "job", *names)


def _running(kubeconfig: Path, ticket: str) -> bool:
    query = ("-n", "vc-vision", "get", "job", ticket, "-o", "jsonpath={.spec.suspend}")
    return _kubectl(kubeconfig, *query) == "false"


def test_a_host_namespace_can_be_deleted_while_kueue_serves_its_api(cluster: Access) -> None:
    name = f"check-{uuid.uuid4().hex[:8]}"
    _kubectl(cluster.admin_kubeconfig, "create", "namespace", name)
    _kubectl(cluster.admin_kubeconfig, "delete", "namespace", name, "--timeout=30s")


def test_the_hubs_host_credential_reads_pods_but_no_other_secrets(cluster: Access) -> None:
    assert "vision-0" in _kubectl(cluster.hub_kubeconfig, "get", "pods", "-A")
    for denied in (["secrets"], ["secret", "vc-nlp"], ["secret", "nlp-certs"], ["pods/log", "nlp-0"]):
        with pytest.raises(ClusterError):
            _kubectl(cluster.hub_kubeconfig, "-n", "vc-nlp", "get", *denied)


def test_the_node_says_its_slices_and_each_account_signs_in(cluster: Access, namespaces: Namespaces) -> None:
    node = json.loads(_kubectl(cluster.admin_kubeconfig, "get", "node", "node1", "-o", "json"))
    assert node["status"]["allocatable"].items() >= cluster.simulated_slices.items()
    for account in cluster.accounts.values():
        claims = _sign_in(cluster, namespaces, account.email, account.password)
        assert claims["preferred_username"] == account.name
        assert tuple(claims.get("groups", ())) == account.groups


def _sign_in(cluster: Access, namespaces: Namespaces, email: str, password: str) -> dict[str, Any]:
    script = (
        "import sys, json, urllib.parse, urllib.request as u; url, body = json.load(sys.stdin);"
        "print(u.urlopen(url, urllib.parse.urlencode(body).encode()).read().decode())"
    )
    body = {"grant_type": "password", "username": email, "password": password, "scope": "openid profile email groups",
            "client_id": cluster.client_id, "client_secret": cluster.client_secret}  # fmt: skip
    answer = namespaces.output(["python3", "-c", script], stdin=json.dumps([f"{cluster.issuer}/token", body]))
    payload = json.loads(answer)["id_token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def test_a_second_up_changes_nothing_and_takes_seconds() -> None:
    where = layout()
    before = {path.name: path.read_text() for path in where.pids.glob("*.json")}
    subprocess.run(["python3", "-m", "tests.cluster", "up"], check=True, cwd=Path(__file__).parents[2])
    began = time.monotonic()
    done = subprocess.run(["python3", "-m", "tests.cluster", "up"], cwd=Path(__file__).parents[2],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert time.monotonic() - began < 20
    assert "already running" in done.stderr and "SIMULATED" in done.stderr
    assert {path.name: path.read_text() for path in where.pids.glob("*.json")} == before
