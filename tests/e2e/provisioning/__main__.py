"""Teams that provision themselves: ``python -m tests.e2e.provisioning`` inside the cluster's network namespace.

A real host, Kueue, vCluster's chart, and provisioners as processes with the rights that are documented. The last line
is ``tenants: N of N``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..faults import spare
from ..rig import finish, open_rig, rendered
from ..table import Step, Table
from .asked_for import SELF_SERVICE, asked_for, new_token
from .site import TEAM, TenantsSite, until

TICKET = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: wanted
  namespace: vc-robots
  labels: {aifactory-hub.io/owner-kind: server, aifactory-hub.io/hub: e2e}
spec:
  suspend: true
  managedBy: aifactory-hub.io/ticket
  template:
    spec:
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: t
          image: registry.invalid/none:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


def created(site: TenantsSite, step: Step) -> None:
    begun = time.monotonic()
    site.start("one")
    site.until_stage("robots", "ready")
    seconds = time.monotonic() - begun
    step.check(True, f"from the file to a team that is ready: {seconds:.1f} s, the process's own start in it")
    journal = site.journal("robots")
    order = ("Namespace", "NetworkPolicy", "ClusterQueue", "StatefulSet", "aifactory-hub-team", "opened the")
    where = [next(i for i, text in enumerate(journal) if part in text) for part in order]
    step.check(where == sorted(where), "walls first, door last", journal)
    namespace = site.get("namespace", "vc-robots") or {}
    follows = namespace["metadata"]["annotations"]["aifactory-hub.io/follows-from"]
    step.check(follows.startswith("sha256:"), "the namespace says which registry it follows from", follows)
    queue = site.get("clusterqueue", "robots") or {}
    step.check(queue["spec"].get("stopPolicy") == "None", "its queue is open", queue["spec"])


def asked(site: TenantsSite, step: Step) -> None:
    asked_for(open_rig(), site, step)


DELETED = (
    ("networkpolicy", "aifactory-default-deny"),
    ("resourcequota", "aifactory-hub"),
    ("limitrange", "aifactory-hub"),
    ("localqueue", "gpu"),
    ("clusterqueue", "robots"),
    ("cohort", "factory-robots"),
    ("serviceaccount", "vc-workload-robots"),
    ("secret", "vc-config-robots"),
    ("rolebinding", "aifactory-hub-team"),
    ("rolebinding", "aifactory-vcluster"),
    ("validatingadmissionpolicy", "aifactory-hub.io-pods-robots"),
    ("validatingadmissionpolicybinding", "aifactory-hub.io-pods-robots"),
    # What a vCluster syncs belongs to its Service, and goes with it: the credentials come back as it starts anew.
    ("service", "robots"),
    ("statefulset", "robots"),
)
# Secrets are not watched: a look finds them.
SEEN_BY_LOOKING = ("secret",)


def deleted_by_hand(site: TenantsSite, step: Step) -> None:
    for kind, name in DELETED:
        site.cluster.run("delete", kind, name, "-n", "vc-robots", "--wait=true", "--timeout=30s")
        if kind in SEEN_BY_LOOKING:
            site.cluster.run("label", "--overwrite", "namespace", "vc-robots", f"look={time.time():.0f}")
        until(f"{kind} {name} is there again", lambda kind=kind, name=name: site.get(kind, name, "-n", "vc-robots"), 60)  # type: ignore[misc]
    site.until_stage("robots", "ready")
    told = [text for text in site.journal("robots") if "somebody deleted it" in text]
    step.check(len(told) >= len(DELETED), f"{len(DELETED)} classes of objects are there again, and it is told", told)


def changed_by_hand(site: TenantsSite, step: Step) -> None:
    by = ["--field-manager=somebody-else"]
    level = "pod-security.kubernetes.io/enforce"
    site.cluster.run("label", "--overwrite", "namespace", "vc-robots", f"{level}=privileged", *by)
    site.cluster.run(
        "patch", "clusterqueue", "robots", "--type=merge", "-p", '{"spec":{"queueingStrategy":"StrictFIFO"}}', *by
    )

    def healed() -> bool:
        labels = (site.get("namespace", "vc-robots") or {})["metadata"]["labels"]
        queue = site.get("clusterqueue", "robots") or {}
        return bool(labels[level] == "restricted" and queue["spec"]["queueingStrategy"] == "BestEffortFIFO")

    until("both are as they were", healed, 60)
    told = [text for text in site.journal("robots") if text.startswith("healed") and "somebody-else" in text]
    step.check(len(told) >= 2, "both are healed, with the name of who did it", site.journal("robots")[-4:])


def killed_at_every_step(site: TenantsSite, step: Step) -> None:
    site.end("one")
    site.write("audio")
    kills = 0
    for number in range(40):
        before = _done(site)
        site.start("killed")
        until("it has done something", lambda before=before: _done(site) > before or _ready(site, "audio"), 60)  # type: ignore[misc]
        time.sleep(number % 4 * 0.05)
        site.end("killed", signal.SIGKILL)
        kills += 1
        # The lease of one that was killed would keep the next one waiting.
        site.cluster.run("delete", "lease", "-n", "aifactory-system", "aifactory-provisioner-e2e", "--ignore-not-found")
        if _ready(site, "audio"):
            break
    site.start("one")
    site.until_stage("audio", "ready")
    step.check(True, f"a team is ready after {kills} kills in the middle of its making")


def _done(site: TenantsSite) -> int:
    """How many objects of the team have been made."""
    return site.log("killed").count(" made ") if (site.folder / "killed.log").exists() else 0


def _ready(site: TenantsSite, name: str) -> bool:
    return site.state(name).get("stage") in ("api", "credentials", "door", "ready")


def two_of_them(site: TenantsSite, step: Step) -> None:
    site.start("two")
    time.sleep(8)
    step.check("has the lease" not in site.log("two"), "of two one works")
    site.end("one", signal.SIGKILL)
    begun = time.monotonic()
    until("the other one works", lambda: "has the lease" in site.log("two"), 60)
    step.check(True, f"the other one works {time.monotonic() - begun:.0f} s after the first was killed")
    site.cluster.run("delete", "networkpolicy", "aifactory-dns", "-n", "vc-robots")
    until("it heals", lambda: site.get("networkpolicy", "aifactory-dns", "-n", "vc-robots"), 60)
    step.check(True, "and heals")


def bad_file(site: TenantsSite, step: Step) -> None:
    bad = site.folder / "tenants.d" / "bad.yaml"
    bad.write_text("vcluster: 3\n")
    until("it is told", lambda: "bad.yaml:1" in site.log("two"), 30)
    step.check("the last good one is in use" in site.log("two"), "a file with a mistake is named with its line")
    site.cluster.run("delete", "networkpolicy", "aifactory-dns", "-n", "vc-robots")
    until("it heals", lambda: site.get("networkpolicy", "aifactory-dns", "-n", "vc-robots"), 60)
    step.check(True, "and what was good before is kept meanwhile")
    bad.unlink()


def somebody_elses(site: TenantsSite, step: Step) -> None:
    site.cluster.run("create", "namespace", "vc-foreign")
    site.write("foreign")
    until("it is told", lambda: "belongs to no hub" in site.state("foreign").get("trouble", ""), 60)
    found = site.cluster.run("get", "networkpolicy,statefulset,rolebinding", "-n", "vc-foreign", "-o", "name")
    step.check(found.strip() == "", "a namespace of that name which is not ours is left alone, and it is told", found)
    (site.folder / "tenants.d" / "foreign.yaml").unlink()
    site.cluster.run("delete", "namespace", "vc-foreign", "--wait=false")


def sleeps_and_wakes(site: TenantsSite, step: Step) -> None:
    site.write("robots", "sleep_after: 5s\n")
    site.until_stage("robots", "asleep", 60)
    until("no pod of it", lambda: not _pods(site, "app=vcluster"), 30)
    step.check(True, "a team in which nothing runs sleeps: its control plane has no pod")
    begun = time.monotonic()
    site.cluster.run("apply", "-f", "-", stdin=TICKET)
    site.until_stage("robots", "ready", 90)
    step.check(True, f"a ticket wakes it: ready after {time.monotonic() - begun:.1f} s")
    time.sleep(8)
    step.check(site.state("robots")["stage"] == "ready", "and with a ticket it stays awake")
    site.cluster.run("delete", "job", "wanted", "-n", "vc-robots", "--wait=false")
    site.write("robots")


def _pods(site: TenantsSite, selector: str) -> list[object]:
    return list((site.get("pods", "-n", "vc-robots", "-l", selector) or {}).get("items", []))


def paused_by_others(site: TenantsSite, step: Step) -> None:
    site.until_stage("robots", "ready", 90)
    site.cluster.run("scale", "statefulset", "robots", "-n", "vc-robots", "--replicas=0")
    site.until_stage("robots", "paused", 60)
    time.sleep(5)
    step.check(site.control_plane("robots")["spec"]["replicas"] == 0, "what somebody else paused stays paused")
    site.cluster.run("scale", "statefulset", "robots", "-n", "vc-robots", "--replicas=1")
    site.until_stage("robots", "ready", 90)
    step.check(True, "until they end it")


def adopted(site: TenantsSite, step: Step) -> None:
    file = site.folder / "adopted" / "tenants.yaml"
    file.parent.mkdir()
    team = "".join(f"    {line}\n" for line in TEAM.format(name="spare").splitlines())
    file.write_text(site.file.read_text() + "tenants:\n  spare:\n" + team)
    objects = rendered(file, "host", "spare")
    site.cluster.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=objects)
    site.made.append("spare")
    site.cluster.run("label", "namespace", "vc-spare", "aifactory-hub.io/registry=e2e")
    spare.install(file)
    before = site.get("pod", "spare-0", "-n", "vc-spare") or {}
    generation = site.control_plane("spare")["metadata"]["generation"]
    site.write("spare")
    site.until_stage("spare", "ready", 90)
    after = site.get("pod", "spare-0", "-n", "vc-spare") or {}
    same = before["metadata"]["uid"] == after["metadata"]["uid"]
    step.check(same, "a vCluster that Helm installed is taken over while its pod runs on")
    step.check(site.control_plane("spare")["metadata"]["generation"] == generation, "and as it was made")


def deletion(site: TenantsSite, step: Step) -> None:
    try:
        site.cluster.run("delete", "namespace", "vc-audio", "--wait=false")
    except RuntimeError as error:
        step.check("aifactory-hub tenants purge" in str(error), "an administrator's delete of a team is refused", error)
    else:
        step.check(False, "a team's namespace could be deleted")


def absent(site: TenantsSite, step: Step) -> None:
    (site.folder / "tenants.d" / "audio.yaml").unlink()
    time.sleep(10)
    step.check(site.get("statefulset", "audio", "-n", "vc-audio"), "a team that no file names any more is not deleted")


def ends_and_comes_back(site: TenantsSite, step: Step) -> None:
    homes = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept", "namespace": "vc-robots"},
    }
    homes |= {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}
    site.cluster.run("apply", "-f", "-", stdin=json.dumps(homes))
    site.write("robots", "retire: {on: 2026-01-01, keep: 1s}\n")
    site.until_stage("robots", "retired")
    queue = site.get("clusterqueue", "robots") or {}
    step.check(
        queue["spec"]["stopPolicy"] == "HoldAndDrain", "a team that ends is drained by its queues", queue["spec"]
    )
    step.check(site.control_plane("robots")["spec"]["replicas"] == 0, "and sleeps then")
    step.check(site.get("pvc", "kept", "-n", "vc-robots"), "with all of its volumes")
    site.write("robots")
    site.until_stage("robots", "ready")
    step.check((site.get("clusterqueue", "robots") or {})["spec"]["stopPolicy"] == "None", "and comes back by its file")


def purged(site: TenantsSite, step: Step) -> None:
    second = site.second_person()
    uid = (site.get("namespace", "vc-robots") or {})["metadata"]["uid"]
    status, said = site.purge("robots", uid, site.cluster.kubeconfig)
    step.check(status == 1 and "has not ended" in said, "a team that has not ended is not purged", said)
    site.write("robots", "retire: {on: 2026-01-01, keep: 1s}\n")
    site.until_stage("robots", "retired")
    status, said = site.purge("robots", "another", site.cluster.kubeconfig)
    step.check(status == 1 and "uid is not" in said, "nor by another uid", said)
    status, said = site.purge("robots", uid, site.cluster.kubeconfig)
    step.check(status == 0 and "Another person" in said, "the first person asks", said)
    status, said = site.purge("robots", uid, site.cluster.kubeconfig)
    step.check(status == 1 and "two people" in said, "and can't agree with themselves", said)
    step.check(site.get("namespace", "vc-robots"), "so that all is there still")
    site.end("two")
    status, said = site.purge("robots", uid, second)
    step.check(status == 0 and "is deleted" in said, "the second one does", said)
    until("it is gone", lambda: site.get("namespace", "vc-robots") is None, 90)
    step.check(True, "and it is gone")


STEPS: tuple[tuple[str, Callable[[TenantsSite, Step], None]], ...] = (
    ("a team's file becomes a team", created),
    ("a team is asked for and approved, and a notebook starts in it", asked),
    ("each class of its objects is deleted by hand", deleted_by_hand),
    ("objects are changed by hand", changed_by_hand),
    ("the provisioner is killed in the middle of each step", killed_at_every_step),
    ("two provisioners, of which one is killed", two_of_them),
    ("a file with a mistake", bad_file),
    ("a namespace of that name is somebody else's", somebody_elses),
    ("sleep and wake", sleeps_and_wakes),
    ("paused by somebody else", paused_by_others),
    ("Helm's vCluster is taken over", adopted),
    ("a team's namespace is deleted by hand", deletion),
    ("a team's file is gone", absent),
    ("a team ends and comes back", ends_and_comes_back),
    ("what is kept of a team is purged", purged),
)


def main() -> int:
    rig = open_rig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=len(STEPS), help="only so many rows")
    rows = STEPS[: parser.parse_args().first]
    table = Table(len(rows))
    folder = Path(tempfile.mkdtemp(prefix="aifactory-tenants-"))
    folder.chmod(0o755)
    site = TenantsSite(rig.cluster, folder, more=SELF_SERVICE, token=new_token())
    good = True
    try:
        site.prepare()
        for number, (title, body) in enumerate(rows, 1):
            if not table.run(number, title, partial(body, site)):
                good = False
                break
    finally:
        site.clean()
    print(f"tenants: {table.passed} of {table.total}", flush=True)
    return finish(folder, good=good)


if __name__ == "__main__":
    sys.exit(main())
