"""Dynamic resource allocation in place of a device plugin: a driver of simulated slices, for tests that ask for it.

The cluster has to run with ``AIFACTORY_TEST_CLUSTER_GATES=DRAExtendedResource=true``.
"""

from __future__ import annotations

import json

from . import cluster, kueue
from .components import Component, kubectl, start, wait_for
from .namespaces import Namespaces
from .programs import DRA, build_all, program
from .settings import NODE, Layout, layout

DRIVER = "simulated.test.aifactory-hub.io"
NAME = "dra-driver"


def build(where: Layout) -> None:
    """The driver, if the cache lacks it: outside the cluster's network, which modules can't be had from."""
    build_all(where, (DRA,))


def install(where: Layout, slice_name: str, resource: str, count: int) -> None:
    """Let the node have ``count`` devices that are asked for as ``resource``."""
    with cluster.locked(where):
        build(where)
        namespaces = Namespaces(where)
        kueue.apply(namespaces, json.dumps(device_class(slice_name, resource)))
        start(namespaces, _driver(where, slice_name, count))
        query = kubectl(where, "wait", "--for=create", "resourceslices", "--timeout=1s", "--all")
        wait_for(namespaces, "the driver's ResourceSlice", query, 30)


def remove(where: Layout, slice_name: str) -> None:
    """End the driver and forget its devices."""
    namespaces = Namespaces(where)
    namespaces.end(NAME)
    name = device_class(slice_name, "")["metadata"]["name"]
    namespaces.output(list(kubectl(where, "delete", "--ignore-not-found", f"deviceclass/{name}")))
    namespaces.output(list(kubectl(where, "delete", "resourceslices", "--all")))


def device_class(slice_name: str, resource: str) -> dict[str, dict[str, object]]:
    """What makes a pod that asks for ``resource`` one that DRA serves."""
    attributes = f'device.attributes["{DRIVER}"]'
    wanted = f'device.driver == "{DRIVER}" && {attributes}.type == "mig" && {attributes}.profile == "{slice_name}"'
    spec = {"selectors": [{"cel": {"expression": wanted}}], "extendedResourceName": resource}
    name = f"mig-{slice_name}.test.aifactory-hub.io"
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}  # type: ignore[dict-item]


def _driver(where: Layout, slice_name: str, count: int) -> Component:
    data = "/var/lib/kubelet/plugins/" + DRIVER
    argv = (program(where, "simulated-driver"), f"--kubeconfig={where.kubeconfig()}", f"--node={NODE}",
            f"--driver={DRIVER}", f"--data={data}", f"--slice={slice_name}", f"--count={count}")  # fmt: skip
    return Component(NAME, argv, kubectl(where, "get", "resourceslices"))


if __name__ == "__main__":
    build(layout())
