"""The demo's tenants.yaml: two H100 and an A100 in slices, two teams, and addresses on this machine only."""

from __future__ import annotations

from dataclasses import dataclass

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


def tenants_yaml(ports: Ports) -> str:
    """The registry of the demo, as the text that a site would write by hand."""
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
site: {{contact: help@demo.invalid}}
profiles:
  cpu-small: {{gpu: none, cpu: 500m, memory: 1Gi}}
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
    profiles: [cpu-small, "{SMALL}", {LARGE}, {OLDER}]
    quota: {{"{SMALL}": 3, {LARGE}: 1, {OLDER}: 1}}
  vision:
    display_name: Vision
    vcluster: {{namespace: vc-vision, name: vision}}
    groups:
      - {{group: teams/vision, role: member}}
    profiles: [cpu-small, "{SMALL}", {LARGE}, {OLDER}]
    quota: {{"{SMALL}": 3, {LARGE}: 1, {OLDER}: 1}}
"""
