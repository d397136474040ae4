"""The lasting processes of the cluster: for each its name, its command line and how to see that it is ready."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from . import processes
from .console import ClusterError, NotReady, step, wait_until
from .namespaces import Namespaces, log_tail
from .programs import program
from .settings import BRIDGE, BRIDGE_ADDRESS, HERE, NODE, POD_NETWORK, SERVICE_NETWORK, Layout, feature_gates


@dataclass(frozen=True, slots=True)
class Component:
    """`ready` is a command line run in the network namespace; ready when it exits with 0."""

    name: str
    argv: tuple[str, ...]
    ready: tuple[str, ...] = ()
    seconds: float = 60


def start(namespaces: Namespaces, component: Component) -> None:
    """Start it and wait until it is ready; if it ends or stays unready its last log lines are shown."""
    log = namespaces.where.log / f"{component.name}.log"
    with step(component.name):
        process = namespaces.spawn(component.name, list(component.argv))

        def ready() -> bool:
            if process.poll() is not None:
                raise ClusterError(f"{component.name} ended with {process.returncode}:{log_tail(log)}")
            check_alive(namespaces)
            return not component.ready or namespaces.works(list(component.ready))

        try:
            wait_until(component.name, ready, component.seconds, 0.1)
        except NotReady as error:
            raise ClusterError(f"{error}{log_tail(log)}") from None


def check_alive(namespaces: Namespaces) -> None:
    """Raise with the name and last log lines of the first lasting process that has ended."""
    for path in sorted(namespaces.where.pids.glob("*.json")):
        if processes.load(path) is None:
            raise ClusterError(f"{path.stem} ended:{log_tail(namespaces.where.log / f'{path.stem}.log')}")


def wait_for(namespaces: Namespaces, what: str, query: tuple[str, ...], seconds: float) -> None:
    """Wait until the query exits with 0; fail at once when a component ends."""

    def ready() -> bool:
        check_alive(namespaces)
        return namespaces.works(list(query))

    wait_until(what, ready, seconds)


def kubectl(where: Layout, *argv: str, user: str = "admin") -> tuple[str, ...]:
    return (program(where, "kubectl"), "--kubeconfig", str(where.kubeconfig(user)), *argv)


def _gates() -> tuple[str, ...]:
    words = [f"{name}={str(on).lower()}" for name, on in feature_gates().items()]
    return (f"--feature-gates={','.join(words)}",) if words else ()


def etcd(where: Layout) -> Component:
    client = "http://127.0.0.1:2379"
    return Component("etcd", (
        program(where, "etcd"), "--data-dir", str(where.run / "etcd"), "--listen-client-urls", client,
        "--advertise-client-urls", client, "--listen-peer-urls", "http://127.0.0.1:2380",
        "--unsafe-no-fsync", "--log-level", "warn"))  # fmt: skip


def apiserver(where: Layout) -> Component:
    pki = where.pki
    issuer = "https://kubernetes.default.svc.cluster.local"
    argv = (
        program(where, "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=0.0.0.0",
        f"--advertise-address={BRIDGE_ADDRESS}",
        "--secure-port=6443",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--cert-dir={pki}",
        f"--client-ca-file={pki}/ca.crt",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--service-account-issuer={issuer}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
        # Without these Kueue's aggregated API is dead, and every namespace deletion hangs on it.
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        *_gates(),
    )
    return Component("kube-apiserver", argv, kubectl(where, "get", "--raw", "/readyz"))


def controller_manager(where: Layout) -> Component:
    pki = where.pki
    argv = (
        program(where, "kube-controller-manager"),
        f"--kubeconfig={where.kubeconfig('controller-manager')}",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        f"--cert-dir={where.run}/controller-manager",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        "--leader-elect=false",
        *_gates(),
    )
    return Component("kube-controller-manager", argv)


def scheduler(where: Layout) -> Component:
    kubeconfig = f"--kubeconfig={where.kubeconfig('scheduler')}"
    argv = (program(where, "kube-scheduler"), kubeconfig, "--leader-elect=false",
            f"--cert-dir={where.run}/scheduler", *_gates())  # fmt: skip
    return Component("kube-scheduler", argv)


def containerd(where: Layout, config: str = "containerd.toml", name: str = "containerd") -> Component:
    ready = ("ctr", "-a", str(where.socket), "version")
    return Component(name, ("/usr/bin/containerd", "-c", str(where.run / config)), ready)


def kubelet(where: Layout) -> Component:
    argv = (
        program(where, "kubelet"),
        f"--config={where.run}/kubelet.json",
        f"--kubeconfig={where.kubeconfig('node')}",
        f"--hostname-override={NODE}",
        "--root-dir=/var/lib/kubelet",
        f"--node-ip={BRIDGE_ADDRESS}",
    )
    return Component("kubelet", argv)


def kube_proxy(where: Layout) -> Component:
    # The conntrack limits are the machine's, not ours: zero means leave them alone.
    conntrack = ("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s",
                 "--conntrack-tcp-timeout-close-wait=0s")  # fmt: skip
    kubeconfig = f"--kubeconfig={where.kubeconfig('proxy')}"
    argv = (program(where, "kube-proxy"), kubeconfig, "--proxy-mode=iptables", f"--hostname-override={NODE}",
            f"--cluster-cidr={POD_NETWORK}", "--iptables-min-sync-period=100ms", *conntrack)  # fmt: skip
    return Component("kube-proxy", argv)


def coredns(where: Layout) -> Component:
    return Component("coredns", (program(where, "coredns"), "-conf", str(where.run / "Corefile")))


def dex(where: Layout) -> Component:
    probe = "import urllib.request as u; u.urlopen('http://%s:5556/dex/.well-known/openid-configuration')"
    ready = (sys.executable, "-I", "-c", probe % BRIDGE_ADDRESS)
    return Component("dex", (program(where, "dex"), str(where.run / "dex.json")), ready)


def network_policies(where: Layout) -> Component:
    """Ready when its rule is there: from then on nothing gets through that no policy allows."""
    argv = (program(where, "network-policies"), "-kubeconfig", str(where.kubeconfig()), "-node", NODE,
            "-bridge", BRIDGE, "-address", f"{BRIDGE_ADDRESS}/{POD_NETWORK.partition('/')[2]}")  # fmt: skip
    rule = ("iptables", "-w", "-C", "INPUT", "-i", BRIDGE, "-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE",
            "--queue-num", "100")  # fmt: skip
    return Component("network-policies", argv, rule)


def volumes(where: Layout) -> Component:
    argv = (sys.executable, "-I", str(HERE / "volumes.py"), str(where.pki), str(where.volumes))
    return Component("volumes", argv)


LASTING = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet",
           "kube-proxy", "coredns", "dex", "volumes", "network-policies")  # fmt: skip
