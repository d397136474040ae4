"""The running test cluster as the end-to-end tests use it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aifactory_hub import constants
from tests.cluster.access import Access, access
from tests.cluster.settings import NODE

from .cluster import TEAMS, Cluster
from .person import Person
from .processes import BIN, ROOT, HubUnderTest, Ports

TENANTS_FILE = ROOT / "tests/e2e/tenants.yaml"
HUB = "e2e"


@dataclass(frozen=True)
class Rig:
    """The cluster, its accounts, and how to make a hub on it."""

    cluster: Cluster
    found: Access

    def hub(self, folder: Path, tenants: Path = TENANTS_FILE, ports: Ports | None = None) -> HubUnderTest:
        return HubUnderTest(
            folder=folder,
            tenants=tenants,
            client_secret=self.found.client_secret,
            kubeconfig=self.found.hub_kubeconfig,
            address=self.found.bridge,
            ports=ports or Ports(),
        )

    @contextmanager
    def people(self, hub_url: str) -> Iterator[dict[str, Person]]:
        """Everybody who has an account, each with a browser of her own, closed at the end."""
        with ExitStack() as stack:
            people = {name: Person(name, a.email, a.password, hub_url) for name, a in self.found.accounts.items()}
            for person in people.values():
                stack.callback(person.close)
            yield people


def open_rig() -> Rig:
    """Find the running cluster and give it the queues that tenants.yaml asks for."""
    found = access()
    rig = Rig(Cluster(Path(found.kubectl), found.admin_kubeconfig, NODE), found)
    apply_registry(rig.cluster, TENANTS_FILE)
    return rig


def apply_registry(cluster: Cluster, tenants: Path) -> None:
    """What an administrator does after a change of tenants.yaml."""
    cluster.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=rendered(tenants, "host"))


def rendered(tenants: Path, part: str, tenant: str | None = None) -> str:
    """What ``aifactory-hub tenants render`` prints."""
    command = [str(BIN / "aifactory-hub"), "tenants", "render", str(tenants), "--part", part]
    if tenant is not None:
        command += ["--tenant", tenant]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def clear_tenants(cluster: Cluster, hub: str = HUB, teams: Sequence[str] = TEAMS) -> None:
    """Remove what an earlier run of this hub left in the tenants: deployments, pods, jobs, claims, then tickets."""
    ours = ["-l", f"{constants.LABEL_HUB}={hub}", "--wait=true", "--timeout=50s"]
    for team in teams:
        inside = cluster.kubeconfig.parent / f"{team}-admin.kubeconfig"
        cluster.run("delete", "pods,pvc", "-n", constants.NOTEBOOKS_NAMESPACE, *ours, kubeconfig=inside)
        made = "deployments,services,jobs,pods,secrets"
        cluster.run("delete", made, "-n", constants.JOBS_NAMESPACE, *ours, kubeconfig=inside)
        cluster.run("delete", "jobs", "-n", f"vc-{team}", *ours)


def finish(folder: Path, *, good: bool) -> int:
    """Say where the logs in ``folder`` are, unless all is ``good`` and they can go; the exit status."""
    if good:
        shutil.rmtree(folder)
    else:
        print(f"logs: {folder}", flush=True)
    return 0 if good else 1
