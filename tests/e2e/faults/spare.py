"""A third vCluster, made for the table and taken away after it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import vclusters
from tests.cluster.namespaces import Namespaces
from tests.cluster.programs import program
from tests.cluster.settings import layout

from ..cluster import Cluster
from ..processes import ROOT
from ..rig import rendered

NAME = "spare"
NAMESPACE = f"vc-{NAME}"
TENANTS = ROOT / "tests/e2e/faults/tenants.yaml"


def install(tenants: Path = TENANTS) -> None:
    """Make it, as ``tenants`` says, and wait until it is ready."""
    namespaces = Namespaces(layout())
    values = layout().run / f"vcluster-{NAME}.yaml"
    values.write_text(rendered(tenants, "vcluster", NAME))
    vclusters.install(namespaces, NAME, values)
    vclusters.wait_ready(namespaces, NAME)


def remove(cluster: Cluster, tenants: Path = TENANTS) -> None:
    """Uninstall it and wait until its namespace is gone, with all that the host has because of it."""
    where = layout()
    helm = [program(where, "helm"), "--kubeconfig", str(where.kubeconfig()), "uninstall", NAME, "-n", NAMESPACE]
    Namespaces(where).works([*helm, "--ignore-not-found", "--wait"], timeout=60)
    cluster.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=55s")
    objects = rendered(tenants, "host", NAME)
    cluster.run("delete", "-f", "-", "--ignore-not-found", "--wait=true", "--timeout=55s", stdin=objects)


def lose_storage() -> None:
    """Empty the volume that its control plane keeps everything on, as a broken disk does."""
    for volume in layout().volumes.glob(f"{NAMESPACE}-data-*"):
        for item in Path(volume).iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()


@contextmanager
def spare(cluster: Cluster) -> Iterator[None]:
    """It exists meanwhile."""
    install()
    try:
        yield
    finally:
        remove(cluster)


@contextmanager
def removed_after(cluster: Cluster) -> Iterator[None]:
    """It is not installed; what the host has because of it is taken away at the end."""
    try:
        yield
    finally:
        remove(cluster)
