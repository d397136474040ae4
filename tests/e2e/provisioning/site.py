"""A registry of its own, provisioners as processes, and what an administrator sees of the teams."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import pki
from tests.cluster.programs import MODULES, module_folder, program
from tests.cluster.settings import HELM_VALUES, VALUES, layout

from ..cluster import Cluster
from ..processes import BIN
from ..rig import TENANTS_FILE, rendered

Json = dict[str, Any]
HEAD = TENANTS_FILE.read_text().split("\ntenants:")[0] + "\n"
TEAM = """\
vcluster: {{namespace: vc-{name}, name: {name}}}
groups: [{{group: teams/{name}, role: member}}]
profiles: [cpu-small]
"""
SYSTEM = "aifactory-system"


def until(what: str, check: Callable[[], Any], seconds: float = 120) -> Any:
    """What ``check`` gives once it gives something. Raises AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.25)
    return found


@dataclass
class TenantsSite:
    """``folder`` has the registry: a head, and a file for each team."""

    cluster: Cluster
    folder: Path
    # What stands in the head besides, and what the provisioner shares with the job service.
    more: str = ""
    token: str = ""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "tenants.yaml"

    def prepare(self) -> None:
        """The registry without a team is none, so the first one comes with it. The provisioner's rights are made."""
        (self.folder / "tenants.d").mkdir()
        self.file.write_text(HEAD + self.more)
        self.write("robots")
        for part in ("provisioner",):
            objects = rendered(self.file, part)
            self.cluster.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=objects)
        ask = ["-n", SYSTEM, "create", "token", "aifactory-provisioner", "--duration=24h"]
        token = self.cluster.run(*ask).strip()
        authority = base64.b64encode((layout().pki / "ca.crt").read_bytes()).decode()
        pki.write_kubeconfig(self.folder / "kubeconfig", "https://127.0.0.1:6443", authority, {"token": token})

    def second_person(self) -> Path:
        """A kubeconfig of somebody else who may do all."""
        self.cluster.run("create", "serviceaccount", "second", "-n", SYSTEM)
        bound = ["--clusterrole=cluster-admin", f"--serviceaccount={SYSTEM}:second"]
        self.cluster.run("create", "clusterrolebinding", "tenants-second", *bound)
        token = self.cluster.run("-n", SYSTEM, "create", "token", "second", "--duration=1h").strip()
        authority = base64.b64encode((layout().pki / "ca.crt").read_bytes()).decode()
        path = self.folder / "second"
        pki.write_kubeconfig(path, "https://127.0.0.1:6443", authority, {"token": token})
        return path

    def purge(self, name: str, uid: str, kubeconfig: Path) -> tuple[int, str]:
        """The status and what was said."""
        command = [str(BIN / "aifactory-hub"), "tenants", "purge", str(self.file), name, "--uid", uid]
        done = subprocess.run(
            [*command, "--kubeconfig", str(kubeconfig)], capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def write(self, name: str, more: str = "") -> None:
        """The team's file, as editors save."""
        file = self.folder / "tenants.d" / f"{name}.yaml"
        beside = self.folder / f".{name}"
        beside.write_text(TEAM.format(name=name) + more)
        beside.replace(file)
        if name not in self.made:
            self.made.append(name)

    def start(self, replica: str) -> None:
        module = module_folder(layout(), MODULES[0], "github.com/loft-sh/vcluster")
        command = [str(BIN / "aifactory-hub"), "provisioner", str(self.file), "--chart", str(module / "chart")]
        command += ["--helm", program(layout(), "helm"), "--kube-version", "1.35.0", "--name", replica]
        for values in (HELM_VALUES / "vcluster.yaml", VALUES / "vcluster.yaml"):
            command += ["--values", str(values)]
        command += ["--kubeconfig", str(self.folder / "kubeconfig"), "--folder", str(self.folder / replica)]
        with (self.folder / f"{replica}.log").open("ab") as log:
            shared = {"AIFACTORY_HUB_PROVISIONER_TOKEN": self.token}
            cache = {f"HELM_{each}_HOME": str(self.folder / "helm") for each in ("CACHE", "CONFIG", "DATA")}
            self.running[replica] = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **shared, **cache}, start_new_session=True
            )

    def end(self, replica: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.running.pop(replica)
        process.send_signal(how)
        process.wait(30)

    def log(self, replica: str) -> str:
        return (self.folder / f"{replica}.log").read_text(errors="replace")

    def get(self, *arguments: str) -> Json | None:
        """None where there is none."""
        found = self.cluster.run("get", *arguments, "-o", "json", "--ignore-not-found")
        return dict(json.loads(found)) if found.strip() else None

    def state(self, name: str) -> Json:
        found = self.get("configmap", "-n", SYSTEM, f"aifactory-team-{name}")
        return {} if found is None else dict(json.loads(found["data"]["state"]))

    def journal(self, name: str) -> list[str]:
        found = self.get("configmap", "-n", SYSTEM, f"aifactory-team-{name}")
        lines = "" if found is None else found["data"].get("journal", "")
        return [json.loads(line)["text"] for line in lines.splitlines()]

    def until_stage(self, name: str, stage: str, seconds: float = 120) -> Json:
        def there() -> Json | None:
            state = self.state(name)
            return state if state.get("stage") == stage else None

        try:
            found: Json = until(f"{name} is {stage}", there, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; its state: {self.state(name)}; {self.journal(name)[-5:]}") from error
        return found

    def control_plane(self, name: str) -> Json:
        found = self.get("statefulset", "-n", f"vc-{name}", name)
        assert found is not None
        return found

    def clean(self) -> None:
        """End the provisioners, and take away what the host has of the teams."""
        for replica in list(self.running):
            self.end(replica, signal.SIGKILL)
        # It keeps teams from being deleted; an API server forgets a policy within seconds.
        guard = "aifactory-hub.io-team-namespaces-e2e"
        self.cluster.run("delete", "validatingadmissionpolicybinding", guard, "--ignore-not-found")
        time.sleep(3)
        for name in self.made:
            namespace = self.get("namespace", f"vc-{name}")
            if namespace is not None:
                self.cluster.run("delete", "namespace", f"vc-{name}", "--wait=false")
            for kind in ("clusterqueue", "cohort"):
                for each in (name, f"{name}.jobs", f"factory-{name}"):
                    self.cluster.run("delete", kind, each, "--ignore-not-found", "--wait=false")
            for kind in ("validatingadmissionpolicy", "validatingadmissionpolicybinding"):
                both = [f"aifactory-hub.io-{what}-{name}" for what in ("pods", "objects")]
                self.cluster.run("delete", kind, *both, "--ignore-not-found", "--wait=false")
            self.cluster.run("delete", "configmap", "-n", SYSTEM, f"aifactory-team-{name}", "--ignore-not-found")
        for name in self.made:
            until(f"vc-{name} is gone", lambda name=name: self.get("namespace", f"vc-{name}") is None, 90)  # type: ignore[misc]
        self.cluster.run("delete", "clusterrolebinding", "tenants-second", "--ignore-not-found")
        self.cluster.run("delete", "serviceaccount", "second", "-n", SYSTEM, "--ignore-not-found")
        if self.file.exists():
            rest = rendered(self.file, "provisioner")
            keep = [part for part in rest.split("---\n") if "\n  name: aifactory-system\n" not in part]
            self.cluster.run("delete", "-f", "-", "--ignore-not-found", stdin="---\n".join(keep))
