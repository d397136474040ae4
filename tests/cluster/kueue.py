"""Kueue from its own chart, and the queues."""

from __future__ import annotations

from pathlib import Path

from .components import check_alive, kubectl
from .console import ClusterError, NotReady, step, wait_until
from .namespaces import Namespaces
from .programs import MODULES, module_folder, program
from .settings import HELM_VALUES, VALUES, Layout

NAMESPACE = "kueue-system"
# Not among the values that a running cluster must have been made from: they are applied to it anew.
QUEUES = Path(__file__).parent / "queues.yaml"


def helm_install(
    namespaces: Namespaces, name: str, namespace: str, chart: Path, *values: Path, user: str = "admin"
) -> None:
    where = namespaces.where
    cache = str(where.run / "helm")
    argv = ["env", f"HELM_CACHE_HOME={cache}", f"HELM_CONFIG_HOME={cache}", f"HELM_DATA_HOME={cache}"]
    argv += [program(where, "helm"), "--kubeconfig", str(where.kubeconfig(user)), "upgrade", "--install", name]
    files = [word for path in values for word in ("-f", str(path))]
    namespaces.output([*argv, str(chart), "--namespace", namespace, "--create-namespace", *files])


def install(namespaces: Namespaces) -> None:
    module = next(m for m in MODULES if m.name == "kueue")
    chart = module_folder(namespaces.where, module, "sigs.k8s.io/kueue") / "charts" / "kueue"
    with step("kueue: chart installed"):
        helm_install(namespaces, "kueue", NAMESPACE, chart, HELM_VALUES / "kueue.yaml", VALUES / "kueue.yaml")


def apply(namespaces: Namespaces, manifest: str) -> None:
    argv = kubectl(namespaces.where, "apply", "--server-side", "--force-conflicts", "-f", "-")
    namespaces.output(list(argv), stdin=manifest)


def apply_queues(namespaces: Namespaces, queues: Path = QUEUES) -> None:
    """Kueue is ready when its webhook answers, a second or so after its pod says so: apply until it does."""
    last = ""

    def applied() -> bool:
        nonlocal last
        check_alive(namespaces)
        try:
            apply(namespaces, queues.read_text())
        except ClusterError as error:
            last = str(error)
            return False
        return True

    with step("kueue: queues"):
        try:
            wait_until("Kueue's webhook", applied, 120, 0.5)
        except NotReady as error:
            raise ClusterError(f"{error}\n    {last}") from None


def ready_checks(where: Layout) -> list[tuple[str, ...]]:
    services = [f"apiservice/{version}.visibility.kueue.x-k8s.io" for version in ("v1beta1", "v1beta2")]
    return [
        kubectl(where, "-n", NAMESPACE, "rollout", "status", "deployment", "--timeout=1s"),
        kubectl(where, "wait", "--for=condition=Available", *services, "--timeout=1s"),
        kubectl(where, "wait", "--for=condition=Active", "clusterqueue", "--all", "--timeout=1s"),
    ]
