"""What somebody does with the chart who installs, keeps and removes a site, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.chart.chart import TENANTS

from ..rig import HUB
from ..table import Step
from .site import PLACE, RELEASE, TEAM, InstalledSite

_TEXT = TENANTS.read_text(encoding="utf-8")
_QUOTA = "quota: {mig-1g.10gb: 2, mig-3g.40gb: 1}"
_TEAM = f"""\
tenants:
  {TEAM}:
    vcluster: {{namespace: vc-{TEAM}, name: {TEAM}}}
    groups: [{{group: teams/{TEAM}, role: member}}]
    profiles: [cpu-small]
"""
# Seconds for a team to come to be on a busy machine.
_READY = 200


def install(site: InstalledSite, step: Step) -> None:
    said = site.install()
    step.check("helm test aifactory-hub" in said and "Install the hub beside it" in said, "it says what is next", said)
    deployment = site.cluster.get("deployment", "aifactory-jobs", *PLACE)
    step.check(deployment["status"].get("readyReplicas") == 1, "the job service is ready", deployment["status"])
    step.check(site.file_in_use() == _TEXT, "hub and job service get tenants.yaml as it is written")
    left = site.run("get", "serviceaccount,clusterrole,clusterrolebinding,configmap,job", "-o", "name")
    step.check("aifactory-apply" not in left, "the rights of the Job that applied it are gone", left)


def backup(site: InstalledSite, step: Step) -> None:
    site.run("create", "job", "--from=cronjob/aifactory-backup", "now")
    site.run("wait", "job/now", "--for=condition=Complete", "--timeout=55s")
    volumes = {
        "backups": {"persistentVolumeClaim": {"claimName": "aifactory-backups"}},
        "key": {"secret": {"secretName": "aifactory-hub"}},
    }
    said = site.in_a_pod("aifactory-hub restore --check /backups/2* --keys-with /key/backup-key", volumes)
    for what in ("the ledger of the service's database", "the service's keys", "tenants.yaml"):
        step.check(f"ok        {what}" in said, f"the check opens {what}", said)


def upgrade(site: InstalledSite, step: Step) -> None:
    before = site.service_pods()
    changed = site.folder / "changed.yaml"
    changed.write_text(_TEXT.replace(_QUOTA, _QUOTA.replace("1g.10gb: 2", "1g.10gb: 3")), encoding="utf-8")
    step.check(site.quota() == "2", "nlp owns two slices", site.quota())
    site.install(changed)
    step.check(site.quota() == "3", "an upgrade with another tenants.yaml makes it three", site.quota())
    step.check(site.service_pods() == before, "and restarts nothing")
    broken = site.folder / "broken.yaml"
    broken.write_text(_TEXT.replace(_QUOTA, "quota: {mig-1g.10gb: 30}"), encoding="utf-8")
    step.check(site.refused(broken), "a broken file ends the upgrade")
    said = site.run("logs", "job/aifactory-apply")
    step.check("mig-1g.10gb" in said, "its Job says what is wrong", said)
    step.check(site.file_in_use() == changed.read_text(encoding="utf-8"), "hub and job service never see it")


def rollback(site: InstalledSite, step: Step) -> None:
    before = site.service_pods()
    site.rollback(1)
    step.check((site.quota(), site.file_in_use()) == ("2", _TEXT), "quota and file are as they were", site.quota())
    step.check(site.service_pods() == before, "and nothing was restarted")


def doctor(site: InstalledSite, step: Step) -> None:
    asked = site.helm("test", RELEASE, *PLACE, "--logs", "--timeout", "240s")
    step.check(asked.returncode, "helm test says that the site is not whole: no hub runs beside it here")
    step.check("a pod starts in the vCluster of nlp: it did" in asked.stdout, "it starts a pod in each vCluster")
    step.check("stage reached: 3 of 5" in asked.stdout, "three of five stages are well", asked.stdout[-3000:])


def provisioner(site: InstalledSite, step: Step) -> None:
    """With a registry of its own, so that the teams of other tests are left alone."""
    file = site.folder / "team.yaml"
    head = _TEXT.split("\ntenants:")[0].replace(f"hub: {HUB}", f"hub: {TEAM}")
    file.write_text(f"{head}\n{_TEAM}", encoding="utf-8")
    site.install(file, "--set", f"provisioner.enabled=true,hubName={TEAM}")
    step.check(True, "the provisioner is ready")
    until = time.monotonic() + _READY
    while "hub-jobs" not in (found := site.cluster.run("get", "secrets", "-n", f"vc-{TEAM}", "-o", "name")):
        if time.monotonic() > until:
            raise AssertionError(f"no vCluster with credentials: {found}\n{site.told()}")
        time.sleep(1)
    step.check(True, "it has made a team that is in tenants.yaml, with its vCluster and the hub's credentials")


def uninstall(site: InstalledSite, step: Step) -> None:
    site.good("uninstall", RELEASE, *PLACE, "--wait")
    kept = site.run("get", "pvc,configmap,deployment", "-o", "name")
    for claim in ("aifactory-jobs", "aifactory-backups"):
        step.check(f"persistentvolumeclaim/{claim}" in kept, f"the claim {claim} stays", kept)
    step.check("aifactory-tenants" not in kept, "nothing else does", kept)


STEPS: tuple[tuple[str, Callable[[InstalledSite, Step], None]], ...] = (
    ("helm install", install),
    ("a backup by the CronJob, and its check", backup),
    ("helm upgrade, and one with a broken file", upgrade),
    ("helm rollback", rollback),
    ("helm test", doctor),
    ("the provisioner", provisioner),
    ("helm uninstall", uninstall),
)
