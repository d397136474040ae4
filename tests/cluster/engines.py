"""Controllers of the engines of jobs in a tenant's vCluster: built, brought in and started when a test asks for them.

No part of `up`: most tests need none, and a cluster that runs is not started anew for them.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import cluster, images, kueue, vclusters
from .components import check_alive, kubectl
from .console import ClusterError, step, wait_until
from .namespaces import Namespaces
from .programs import ARGO, ENGINES, build_all, module_folder
from .settings import HELM_VALUES, HERE, Layout, layout

FILES = HERE / "engines"
JOBS = "jobs"
_ARGO, _JOBSET, _TRAINER = (
    "github.com/argoproj/argo-workflows/v4",
    "sigs.k8s.io/jobset",
    "github.com/kubeflow/trainer/v2",
)

# JobSet has a release of its own; the data cache, for which the other one is, is off.
_TRAINERS_CHARTS = ("jobset", "lws")


def build(where: Layout, names: tuple[str, ...]) -> list[images.Image]:
    """Programs and images of these engines, as far as the cache lacks them."""
    module, made = (ARGO, images.argo_images) if names == ("argo-workflow",) else (ENGINES, images.jobset_images)
    build_all(where, (module,))
    return made(where)


def install(where: Layout, tenant: str, names: tuple[str, ...]) -> None:
    """Let these engines work in the tenant's vCluster; changes nothing where they do."""
    with cluster.locked(where):
        namespaces = Namespaces(where)
        for name in names:
            wanted = build(where, (name,))
            images.Store(where, []).add(wanted)
            _allow(namespaces, tenant, [image.name.removeprefix("docker.io/") for image in wanted])
            with step(f"{name} in vcluster {tenant}"):
                _INSTALL[name](namespaces, tenant)


def _allow(namespaces: Namespaces, tenant: str, names: list[str]) -> None:
    """The tenant's policy lets in no image that it does not name; a site names these in isolation.images."""
    query = kubectl(namespaces.where, "-n", "aifactory-system", "get", "configmap", f"tenant-{tenant}", "-o", "json")
    policy = json.loads(namespaces.output(list(query)))
    known = policy["data"]["images"].split("\n")
    more = [name for name in (*names, *(f"docker.io/{n}" for n in names)) if name not in known]
    if more:
        data = {"data": {"images": "\n".join([*known, *more])}}
        patch = ("-n", "aifactory-system", "patch", "configmap", f"tenant-{tenant}", "-p", json.dumps(data))
        namespaces.output(list(kubectl(namespaces.where, *patch)))


def _kubectl(namespaces: Namespaces, tenant: str, *argv: str, stdin: str = "") -> str:
    return namespaces.output(list(kubectl(namespaces.where, *argv, user=f"{tenant}-admin")), stdin=stdin)


def _apply(namespaces: Namespaces, tenant: str, *files: Path) -> None:
    words = [word for path in files for word in ("-f", str(path))]
    _kubectl(namespaces, tenant, "apply", "--server-side", "--force-conflicts", "-n", JOBS, *words)


def _ready(namespaces: Namespaces, tenant: str, namespace: str, deployment: str) -> None:
    query = kubectl(
        namespaces.where, "-n", namespace, "rollout", "status", f"deployment/{deployment}", "--timeout=1s",
        user=f"{tenant}-admin",
    )  # fmt: skip

    def ready() -> bool:
        check_alive(namespaces)
        return namespaces.works(list(query))

    wait_until(f"{deployment} in vcluster {tenant}", ready, 180, 0.5)


def _argo(namespaces: Namespaces, tenant: str) -> None:
    manifests = module_folder(namespaces.where, ARGO, _ARGO) / "manifests"
    crds = [path for path in sorted((manifests / "base/crds/minimal").glob("*.yaml")) if "argoproj.io_" in path.name]
    rights = sorted((manifests / "namespace-install/workflow-controller-rbac").glob("workflow-*.yaml"))
    _apply(namespaces, tenant, *crds)
    base = manifests / "base/workflow-controller"
    _apply(namespaces, tenant, base / "workflow-controller-sa.yaml", *rights, FILES / "argo.yaml")
    _ready(namespaces, tenant, JOBS, "workflow-controller")


def _jobset(namespaces: Namespaces, tenant: str) -> None:
    where = namespaces.where
    chart = module_folder(where, ENGINES, _JOBSET) / "charts" / "jobset"
    values = (HELM_VALUES / "jobset.yaml", FILES / "jobset.yaml")
    kueue.helm_install(namespaces, "jobset", "jobset-system", chart, *values, user=f"{tenant}-admin")
    _ready(namespaces, tenant, "jobset-system", "jobset-controller")
    _until_webhook(namespaces, tenant, FILES / "probe-jobset.yaml")


def _trainer(namespaces: Namespaces, tenant: str) -> None:
    """Its own chart, with JobSet installed before it."""
    source = module_folder(namespaces.where, ENGINES, _TRAINER) / "charts" / "kubeflow-trainer"
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder, source.name)
        shutil.copytree(source, chart)
        for name in _TRAINERS_CHARTS:
            # Helm wants the charts that it depends on to be there, also those that its values leave out.
            part = chart / "charts" / name
            part.mkdir(parents=True)
            (part / "Chart.yaml").write_text(f"{{apiVersion: v2, name: {name}, version: 0.0.0}}\n")
        values = (HELM_VALUES / "trainer.yaml", FILES / "trainer.yaml")
        kueue.helm_install(namespaces, source.name, "kubeflow-system", chart, *values, user=f"{tenant}-admin")
    _ready(namespaces, tenant, "kubeflow-system", "kubeflow-trainer-controller-manager")
    _until_webhook(namespaces, tenant, FILES / "runtime.yaml")


def _until_webhook(namespaces: Namespaces, tenant: str, probe: Path) -> None:
    """A webhook answers a moment after its pod says that it is ready."""
    last = ""

    def answers() -> bool:
        nonlocal last
        try:
            _apply(namespaces, tenant, probe)
        except ClusterError as error:
            last = str(error)
            return False
        return True

    try:
        wait_until(f"the webhook behind {probe.name}", answers, 120, 0.5)
    except ClusterError as error:
        raise ClusterError(f"{error}\n    {last}") from None


_INSTALL: dict[str, Callable[[Namespaces, str], None]] = {
    "argo-workflow": _argo,
    "jobset": _jobset,
    "trainjob": _trainer,
}


def renew_vcluster(where: Layout, tenant: str, values: str) -> None:
    """What a site does after a change of its engines: the tenant's vCluster with what is rendered for it now."""
    with cluster.locked(where), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        namespaces = Namespaces(where)
        vclusters.install(namespaces, tenant, Path(file.name))
        vclusters.wait_ready(namespaces, tenant)


def allow_service(where: Layout, tenant: str, rights: str) -> None:
    """Apply the rights of the job service's account that a site has from `tenants render vcluster`."""
    namespaces = Namespaces(where)
    _kubectl(namespaces, tenant, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=rights)


def patch(where: Layout, tenant: str, what: str, change: str) -> None:
    """Change something in the namespace of jobs by hand, as the vCluster's administrator."""
    _kubectl(Namespaces(where), tenant, "patch", "-n", JOBS, what, "-p", change)


if __name__ == "__main__":
    for engine in sys.argv[1:]:
        build(layout(), (engine,))
