"""A good ``tenants.yaml``, and the same with one thing changed."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.registry import Registry, RegistryError, read_registry
from aifactory_hub.registry.render import tenant_objects

GOOD = """\
apiVersion: aifactory-hub.io/v1
hub: main
cluster:
  name: host
  gpu_models: [h100-80gb]
  carved: {mig-1g.10gb: 7, mig-3g.40gb: 2}
  cohort: factory
  simulated: true
identity:
  issuer: https://idp.example.org/dex
  client_id: aifactory-hub
  groups_claim: [groups]
addresses:
  hub_api: http://hub.example.org:8081/hub/api
  service: http://hub.example.org/services/aifactory/
notebook:
  image: images.example.org/notebook:1
  storage_class: fast
jobs:
  image: images.example.org/notebook:1
  deadline: 2h
profiles:
  cpu-small: {gpu: none, cpu: 250m, memory: 1Gi}
  mig-1g.10gb: {cpu: 500m, memory: 2Gi, price_per_hour: 0.40}
tenants:
  nlp:
    display_name: Language
    vcluster: {namespace: vc-nlp, name: nlp}
    groups:
      - {group: teams/nlp, role: member}
      - {group: teams/nlp/admins, role: admin}
    profiles: [cpu-small, mig-1g.10gb, mig-3g.40gb]
    quota: {mig-1g.10gb: 3, nvidia.com/mig-3g.40gb: 1}
    borrowing: {mig-1g.10gb: 2}
  vision:
    vcluster: {namespace: vc-vision, name: vision}
    groups:
      - {group: teams/vision, role: member}
    profiles: [mig-1g.10gb]
    quota: {mig-1g.10gb: 3}
"""

SOURCE = "tenants.yaml"


def changed(old: str, new: str) -> str:
    """The good file with ``old``, which it must have, replaced once by ``new``."""
    assert old in GOOD, old
    return GOOD.replace(old, new, 1)


def problems(text: str) -> list[str]:
    """What reading ``text`` complains of, line by line."""
    with pytest.raises(RegistryError) as caught:
        read_registry(text, SOURCE)
    return str(caught.value).splitlines()


def kueue_object(
    registry: Registry, tenant: str, kind: str = "ClusterQueue", name: str | None = None
) -> dict[str, Any]:
    """What is rendered for the tenant: its queue of notebooks, or another of Kueue's objects."""
    objects = tenant_objects(registry, registry.tenants[tenant])
    return next(o for o in objects if o["kind"] == kind and o["metadata"]["name"] == (name or tenant))


def with_environments(text: str, base: str = GOOD) -> str:
    """The good file with a section of environments, whose images may be written as ``DIGEST``."""
    return f"{base}environments:\n{text}".replace("DIGEST", f"images.example.org/torch@sha256:{'a' * 64}")
