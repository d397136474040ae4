"""The demo's tenants.yaml: two H100 and an A100 in slices, two teams, and addresses on this machine only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..domain.environments import Kind

PREFIX = "/services/aifactory/"
# The fleet's profiles.
SMALL, LARGE, OLDER = "h100-80gb:mig-1g.10gb", "mig-3g.40gb", "mig-3g.20gb"
CLIENT_ID = "aifactory-hub-demo"
ANNOUNCEMENT = (
    "<strong>Demo.</strong> Sign-in, menu, quota, notebooks and jobs are real. GPUs, vClusters and neighbours are "
    "simulated: notebooks and jobs are processes on this machine and see no GPU."
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens, all on 127.0.0.1. ``public`` is the only one that people need."""

    public: int
    proxy_api: int
    hub: int
    service: int
    provider: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.public}"

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.provider}"

    @property
    def hub_api(self) -> str:
        return f"http://127.0.0.1:{self.hub}/hub/api"


# Two versions of one environment, of which the demo shows what a menu says of them: both run what is installed here.
LOCKS = {
    "torch-2026.05.txt": "numpy==1.26.4\nscikit-learn==1.5.2\ntorch==2.3.1\n",
    "torch-2026.11.txt": "numpy==2.1.3\nscikit-learn==1.5.2\ntorch==2.5.1\ntriton==3.1.0\n",
}
_ENVIRONMENTS = """\
environments:
  lab:
    display_name: JupyterLab
    description: what the demo has installed
    versions: {"1": {image: demo/local-process}}
  lab-torch:
    display_name: PyTorch (simulated)
    description: JupyterLab again, to show needs and versions
    versions:
      "2026.11": {image: "demo/local-process:2026.11", lock: locks/torch-2026.11.txt}
      "2026.05":
        image: "demo/local-process:2026.05"
        lock: locks/torch-2026.05.txt
        state: deprecated
        until: 2999-12-31
        successor: "2026.11"
        why: torch 2.3 gets no more fixes
    needs: {memory: 8Gi, gpu: required, device_memory: 18Gi}
"""
_EDITORS = {
    Kind.CODE: """\
  vscode:
    display_name: VS Code
    kind: code
    description: code-server
    versions: {"4.139": {image: demo/local-process}}
    needs: {memory: 2Gi, gpu: none}
""",
    Kind.MARIMO: """\
  marimo:
    kind: marimo
    description: reactive notebooks
    versions: {"1": {image: demo/local-process}}
""",
}


def write_locks(folder: Path) -> None:
    """The locks that the demo's tenants.yaml names, beside it."""
    (folder / "locks").mkdir(exist_ok=True)
    for name, text in LOCKS.items():
        (folder / "locks" / name).write_text(text)


def tenants_yaml(
    ports: Ports, repositories: str | None = None, editors: Sequence[Kind] | None = None, budgets: str = "{}"
) -> str:
    """The registry of the demo, as the text that a site would write by hand. ``repositories`` is the folder of those
    that start pipelines. ``editors`` are installed beside JupyterLab; None leaves out environments, with their locks.
    ``budgets`` are the first team's."""
    environments = "" if editors is None else _ENVIRONMENTS + "".join(_EDITORS[kind] for kind in editors)
    git = "" if repositories is None else f"git: {{folders: [{json.dumps(repositories)}], poll: 2s}}\n"
    return f"""\
# Written at each start of the demo. One H100 is cut into seven 1g.10gb, the other into two 3g.40gb, and the A100 into
# two 3g.20gb. Both models can have a 1g.10gb, of different sizes, so that one is called by its model too.
apiVersion: aifactory-hub.io/v1
hub: demo
cluster:
  name: demo
  gpu_models: [h100-80gb, a100-40gb]
  carved: {{"{SMALL}": 7, {LARGE}: 2, {OLDER}: 2}}
  simulated: true
identity:
  issuer: {ports.issuer}
  client_id: {CLIENT_ID}
  # The provider's port, and so its issuer, is another one at each start.
  rebind_until: 2999-12-31
addresses:
  hub_api: {ports.hub_api}
  service: {ports.address}{PREFIX}
notebook: {{image: demo/local-process, start_timeout: 120}}
jobs: {{image: demo/local-process}}
billing: {{currency: EUR}}
idle: {{action: dry-run, after: 5m, notice: 1m}}
{git}site: {{contact: help@demo.invalid}}
policies: {{folder: policies}}
approvals: {{approvers: {{security: [corp/security]}}}}
deployments: {{enabled: true, start_timeout: 120s, watch: 60s}}
self_service:
  templates:
    trial:
      description: notebooks without a GPU, for a month
      profiles: [cpu-small, cpu-large]
      groups: ["teams/*"]
      lasts: 30d
      approval: []
    project:
      description: slices of a GPU, for three months
      profiles: [cpu-small, cpu-large, "{SMALL}"]
      groups: ["teams/*"]
      most: {{"{SMALL}": 2}}
      most_borrowed: {{"{SMALL}": 1}}
      lasts: 90d
      sleep_after: 3m
      approval: [{{approvers: {{security: 1}}}}]
{environments}profiles:
  cpu-small: {{gpu: none, cpu: 500m, memory: 1Gi}}
  cpu-large: {{gpu: none, cpu: 2, memory: 4Gi}}
  "{SMALL}": {{cpu: "1", memory: 4Gi, price_per_hour: 0.40}}
  {LARGE}: {{cpu: "3", memory: 16Gi, price_per_hour: 1.60}}
  {OLDER}: {{cpu: "3", memory: 12Gi, price_per_hour: 0.90}}
tenants:
  nlp:
    display_name: Language
    vcluster: {{namespace: vc-nlp, name: nlp}}
    groups:
      - {{group: teams/nlp, role: member}}
      - {{group: teams/nlp/admins, role: admin}}
    profiles: [cpu-small, cpu-large, "{SMALL}", {LARGE}, {OLDER}]
    quota: {{"{SMALL}": 3, {LARGE}: 1, {OLDER}: 1}}
    budgets: {budgets}
  vision:
    display_name: Vision
    vcluster: {{namespace: vc-vision, name: vision}}
    groups:
      - {{group: teams/vision, role: member}}
    profiles: [cpu-small, cpu-large, "{SMALL}", {LARGE}, {OLDER}]
    quota: {{"{SMALL}": 3, {LARGE}: 1, {OLDER}: 1}}
"""
