"""The one node: containerd's and kubelet's settings, its control groups and its simulated GPU."""

from __future__ import annotations

import contextlib
import errno
import json
from pathlib import Path

from .components import kubectl, wait_for
from .console import wait_until
from .images import PAUSE
from .namespaces import Namespaces
from .settings import BRIDGE, DNS_ADDRESS, NODE, POD_NETWORK, SIMULATED_LABELS, SIMULATED_SLICES, Layout, feature_gates

_CONTAINERD = """\
version = 2
root = "{store}"
state = "{run}/containerd"
{disabled}
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{run}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni-config"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
"""
# Two blocks: in one, CoreDNS would run `template` before `kubernetes`, and no Service would have a name.
_COREFILE = """\
cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    bind 10.88.0.1
    errors
    kubernetes {
        kubeconfig %s
        pods insecure
    }
}
.:53 {
    bind 10.88.0.1
    errors
    # The cluster has no way out: say so at once instead of letting names time out.
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
"""


def cgroup_folders(where: Layout) -> list[Path]:
    """The test cluster's own folder in each hierarchy of the machine."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / where.cgroup]
    return [folder / where.cgroup for folder in root.iterdir() if folder.is_dir() and not folder.is_symlink()]


def make_cgroups(where: Layout) -> None:
    for folder in cgroup_folders(where):
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            inherited = folder.parent / name
            if inherited.exists() and not (folder / name).read_text().strip():
                (folder / name).write_text(inherited.read_text())


def remove_cgroups(where: Layout) -> None:
    for folder in cgroup_folders(where):
        for inner in sorted(folder.rglob("*/"), key=lambda path: -len(path.parts)):
            _rmdir(inner)
        _rmdir(folder)


def _rmdir(folder: Path) -> None:
    def gone() -> bool:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            try:
                folder.rmdir()
            except OSError as error:
                return error.errno != errno.EBUSY  #: its last processes are being reaped
        return True

    wait_until(f"control group {folder}", gone, 10, 0.1)


def write_config(where: Layout) -> None:
    run = where.run
    without_cri = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
    for disabled, name in (("", "containerd.toml"), (without_cri, "import.toml")):
        text = _CONTAINERD.format(store=where.store, run=run, pause=PAUSE, disabled=disabled)
        (run / name).write_text(text)
    (run / "cni-config").mkdir(exist_ok=True)
    (run / "cni-config" / "10-bridge.conflist").write_text(json.dumps(_network(where)))
    (run / "resolv.conf").write_text(f"nameserver {DNS_ADDRESS}\n")
    (run / "kubelet.json").write_text(json.dumps(_kubelet(where), indent=1))
    (run / "Corefile").write_text(_COREFILE % where.kubeconfig())


def _network(where: Layout) -> dict[str, object]:
    ipam = {"type": "host-local", "dataDir": "/var/lib/cni/networks", "ranges": [[{"subnet": POD_NETWORK}]]}
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "isDefaultGateway": True,
              "ipMasq": True, "hairpinMode": True, "ipam": ipam}  # fmt: skip
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "test-cluster", "plugins": [bridge, portmap]}


def _kubelet(where: Layout) -> dict[str, object]:
    pki = where.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{where.cgroup}",
        "containerRuntimeEndpoint": f"unix://{where.socket}",
        "volumePluginDir": str(where.run / "volume-plugins"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(where.run / "resolv.conf"),
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": f"{pki}/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/node.crt",
        "tlsPrivateKeyFile": f"{pki}/node.key",
        "failSwapOn": False,
        # Kueue waits until the Secret that it fills for its webhook has come to its own volume: by default that takes
        # up to 90 s and more, unless the Secret was there before the pod.
        "syncFrequency": "10s",
        "maxPods": 200,
        # The machine is shared: neither its full disk nor its memory may evict the tests' pods early.
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "enforceNodeAllocatable": ["pods"],
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "imageMaximumGCAge": "0s",
        "nodeStatusUpdateFrequency": "5s",
        "registryPullQPS": 0,
        "podLogsDir": "/var/log/pods",
        "featureGates": feature_gates(),
    }  # fmt: skip


def simulate_gpu(namespaces: Namespaces) -> None:
    """Give the node MIG slices that it doesn't have. Kubelet leaves resources alone that it doesn't know."""
    where = namespaces.where
    labels = [f"{key}={value}" for key, value in SIMULATED_LABELS.items()]
    namespaces.output([*kubectl(where, "label", "--overwrite", "node", NODE), *labels])
    patch = json.dumps({"status": {"capacity": SIMULATED_SLICES, "allocatable": SIMULATED_SLICES}})
    namespaces.output([*kubectl(where, "patch", "node", NODE, "--subresource=status", "-p", patch)])


def wait_ready(namespaces: Namespaces) -> None:
    query = kubectl(namespaces.where, "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s")
    wait_for(namespaces, "node", query, 90)
