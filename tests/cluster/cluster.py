"""Bringing the cluster up, seeing whether it is up, and taking it down."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import components, dex, images, kueue, leaks, node, pki, processes, programs, vclusters
from .console import ClusterError, elapsed, say, step, together, wait_until
from .layers import key_of
from .namespaces import Namespaces
from .settings import HELM_VALUES, HERE, ISSUER, RENDERED, SIMULATED_SLICES, TENANTS, VALUES, Layout, feature_gates

SIMULATED = f"SIMULATED GPU slices (no GPU is used): {', '.join(f'{k} x {v}' for k, v in SIMULATED_SLICES.items())}"


def require_machine() -> None:
    """Refuse with a reason what can't work: not root, or Debian packages that aren't there."""
    if os.geteuid() != 0:
        raise ClusterError("the test cluster needs root (it makes namespaces, mounts and control groups)")
    wanted = (HERE / "apt-packages.txt").read_text().split()
    # These two are one way of several to Go and to pip; whoever needs them says so when there is none.
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    done = subprocess.run(query, capture_output=True, text=True)
    have = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in have | {"golang-go", "python3-venv"}]
    if missing:
        raise ClusterError(f"missing Debian packages: apt-get install -y {' '.join(missing)}")


@contextmanager
def locked(where: Layout) -> Iterator[None]:
    """One up or down at a time; the lock ends with the process, however it ends."""
    where.state.mkdir(parents=True, exist_ok=True)
    with (where.state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run of the test cluster's commands is at work: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """What a running cluster was made from, the notebook image aside."""
    files = [*sorted(VALUES.rglob("*.yaml")), HELM_VALUES / "vcluster.yaml", HELM_VALUES / "kueue.yaml"]
    values = [path.read_text() for path in files]
    gates = [str(feature_gates())] if feature_gates() else []
    return key_of(*(programs.build_key(m) for m in programs.MODULES), *values, *gates)


def why_not_running(where: Layout) -> str:
    """Empty for a complete running cluster, else the reason to start over."""
    try:
        made = json.loads((where.run / "ready.json").read_text())["fingerprint"]
    except (FileNotFoundError, ValueError, KeyError):
        return "its start was interrupted" if (where.run / "holder.json").exists() else "it is not running"
    if Namespaces(where).holder is None:
        return "its processes are gone"
    dead = [name for name in components.LASTING if processes.load(where.pids / f"{name}.json") is None]
    if dead:
        return f"{', '.join(dead)} ended"
    return "" if made == fingerprint() else "its programs or values changed"


def unready(where: Layout) -> list[str]:
    """Parts of a running cluster that don't answer as they should."""
    namespaces = Namespaces(where)
    checks = [("Kueue", query) for query in kueue.ready_checks(where)]
    checks += [(f"vcluster {t} {what}", query) for t in TENANTS for what, query in vclusters.ready_checks(where, t)]
    found: list[str] = []

    def check(what: str, query: tuple[str, ...]) -> None:
        if not namespaces.works(list(query)):
            found.append(what)

    together([lambda c=c: check(*c) for c in checks])  # type: ignore[misc]
    return found


def up(where: Layout) -> None:
    require_machine()
    with locked(where):
        reason = why_not_running(where)
        if not reason:
            _keep(where)
            return
        say(f"starting the test cluster in {where.state} ({reason})")
        build(where)
        built = elapsed()
        clean(where)
        leaks.remember(where)
        start(where)
        say(f"up: programs and images {built:.0f} s, start {elapsed() - built:.0f} s, together {elapsed():.0f} s")
        report(where)


def _keep(where: Layout) -> None:
    broken = unready(where)
    if broken:
        raise ClusterError(f"running, but not ready: {', '.join(broken)}. Logs: {where.log}; else run down and up")
    kueue.apply_queues(Namespaces(where))
    changed = update_notebook(where)
    say(f"already running: {'the notebook image was renewed' if changed else 'nothing changed'} ({elapsed():.1f} s)")
    report(where)


def update_notebook(where: Layout) -> bool:
    images.build_layers(where)
    return bool(images.Store(where, []).add([images.notebook_image(where)]))


def build(where: Layout) -> None:
    """Programs and the layers that don't need them side by side, then the rest."""
    together([lambda: programs.build_all(where), lambda: images.build_layers(where)])
    images.build_images(where)


def clean(where: Layout) -> None:
    """End what is left of an earlier cluster and forget its state; the image store stays."""
    leaks.end_strays(where)
    Namespaces(where).stop()
    node.remove_cgroups(where)
    if where.run.exists():
        shutil.rmtree(where.run)
    leaks.remove_mount_points()


def start(where: Layout) -> None:
    for folder in (where.log, where.pids, where.volumes, where.store):
        folder.mkdir(parents=True, exist_ok=True)
    where.run.chmod(0o711)
    namespaces = Namespaces(where)
    with step("certificates and settings"):
        pki.make(where)
        node.write_config(where)
        dex.write_config(where)
        node.make_cgroups(where)
    namespaces.start()

    def component(make: components.Component) -> None:
        components.start(namespaces, make)

    def control_plane() -> None:
        component(components.etcd(where))
        component(components.apiserver(where))
        kueue.apply(namespaces, (VALUES / "host.yaml").read_text())
        kueue.apply(namespaces, (RENDERED / "host.yaml").read_text())
        others = (components.controller_manager, components.scheduler, components.coredns, components.kube_proxy,
                  components.volumes, components.network_policies)  # fmt: skip
        together([lambda make=make: component(make(where)) for make in others])  # type: ignore[misc]
        together([
            lambda: kueue.install(namespaces),
            *(lambda t=t: vclusters.install(namespaces, t) for t in TENANTS),
        ])  # fmt: skip

    together([control_plane, lambda: runtime(namespaces), lambda: component(components.dex(where))])
    component(components.kubelet(where))
    with step("node"):
        node.wait_ready(namespaces)
        node.simulate_gpu(namespaces)
    together([lambda: kueue.apply_queues(namespaces),
              *(lambda t=t: vclusters.wait_ready(namespaces, t) for t in TENANTS)])  # fmt: skip
    vclusters.write_hub_kubeconfig(namespaces)
    with step("everything answers"):
        wait_until("the whole cluster", lambda: not unready(where), 60)
    (where.run / "ready.json").write_text(json.dumps({"fingerprint": fingerprint(), "since": time.time()}))


def runtime(namespaces: Namespaces) -> None:
    """Containerd twice: first without its Kubernetes part, to fill its store and to drop from it the
    containers of a killed cluster, which that part would take for its own."""
    where = namespaces.where
    importer = components.containerd(where, "import.toml", "containerd-import")
    components.start(namespaces, importer)
    store = images.Store(where, [])
    store.remove_containers()
    store.add(images.all_images(where))
    namespaces.end(importer.name)
    components.start(namespaces, components.containerd(where))


def down(where: Layout) -> None:
    if os.geteuid() != 0:
        raise ClusterError("the test cluster needs root")
    with locked(where):
        with step("processes, state and control groups removed"):
            clean(where)
            leaks.restore_kernel_settings(where)
        left = leaks.leaks(where)
        if left:
            raise ClusterError("left behind:\n" + "\n".join(f"    {item}" for item in left))
        leaks.forget(where)
        say("down: no process, mount, interface, packet filter rule or control group is left")


def report(where: Layout) -> None:
    lines = [
        SIMULATED,
        f"tenants: {', '.join(f'{t} (namespace vc-{t})' for t in TENANTS)}; sign-in: {ISSUER}",
        f"logs: {where.log}; kubeconfigs: {where.kubeconfig().parent}",
        "try: python3 -m tests.cluster kubectl get pods -A",
    ]
    for line in lines:
        say(line)


def status(where: Layout) -> int:
    reason = why_not_running(where)
    for name in components.LASTING:
        identity = processes.load(where.pids / f"{name}.json")
        say(f"{name}: {f'runs (pid {identity.pid})' if identity else 'not running'}")
    broken = [] if reason else unready(where)
    say(f"not up: {reason}" if reason else f"not ready: {', '.join(broken)}" if broken else "up and ready")
    if not reason:
        report(where)
    return 1 if reason or broken else 0
