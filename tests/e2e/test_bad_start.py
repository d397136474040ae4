"""What a hub does when it is started with a bad file, or when a team's vCluster does not answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aifactory_hub import constants

from .rig import TENANTS_FILE, Rig, apply_registry, clear_tenants, open_rig

pytestmark = pytest.mark.e2e

# A third team whose vCluster has an address and credentials, and nothing behind the address.
GHOST_TENANT = """
  ghost:
    display_name: Ghost
    vcluster: {namespace: vc-ghost, name: ghost}
    groups:
      - {group: teams/nlp/admins, role: member}
    profiles: [cpu-small]
    quota: {}
"""
GHOST_NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: vc-ghost}
---
apiVersion: v1
kind: Service
metadata: {name: ghost, namespace: vc-ghost}
spec: {ports: [{name: https, port: 443, targetPort: 8443}]}
"""


@pytest.fixture(scope="module")
def rig() -> Rig:
    return open_rig()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("hub: e2e", "hub: e2e\nhubb: x", ["tenants.yaml:5", "hubb", "hub"]),
        ("quota: {mig-1g.10gb: 3}", "quota: {mig-1g.10gb: many}", ["quota", "many", "number"]),
        ("profiles: [mig-1g.10gb]", "profiles: [mig-9g.90gb]", ["mig-9g.90gb", "profiles"]),
        ("group: teams/vision", "group: teams/nlp", ["teams/nlp", "nlp", "vision"]),
        ("    vcluster: {namespace: vc-vision, name: vision}\n", "", ["tenants.vision", "vcluster"]),
    ],
    ids=["unknown key", "quota not a number", "no such profile", "group claimed twice", "no vcluster"],
)
def test_a_bad_file_stops_the_hub_with_file_line_and_key(
    rig: Rig, tmp_path: Path, before: str, after: str, said: list[str]
) -> None:
    text = TENANTS_FILE.read_text()
    assert text.count(before) == 1
    bad = tmp_path / "tenants.yaml"
    bad.write_text(text.replace(before, after))
    hub = rig.hub(tmp_path / "hub", tenants=bad)
    hub.folder.mkdir()
    with pytest.raises(RuntimeError, match="hub did not come up"):
        hub.start_hub()
    log = hub.log_tail("hub", 100)
    assert hub.running["hub"].returncode not in (None, 0)
    assert "Traceback" not in log
    assert f"{bad}:" in log
    for words in said:
        assert words in log, log


@pytest.fixture
def ghost(rig: Rig, tmp_path: Path) -> Iterator[Path]:
    """A tenants.yaml with a team whose vCluster does not answer, applied to the cluster."""
    tenants = tmp_path / "tenants.yaml"
    text = TENANTS_FILE.read_text().replace("      - {group: teams/nlp/admins, role: admin}\n", "")
    tenants.write_text(text + GHOST_TENANT)
    rig.cluster.run("apply", "-f", "-", stdin=GHOST_NAMESPACE)
    for secret in (constants.NOTEBOOKS_SECRET, constants.JOBS_SECRET):
        data = rig.cluster.get("secret", secret, "-n", "vc-nlp")["data"]
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": "vc-ghost"},
            "data": data,
        }
        rig.cluster.run("apply", "-f", "-", stdin=json.dumps(body))
    apply_registry(rig.cluster, tenants)
    try:
        yield tenants
    finally:
        rig.cluster.run("delete", "namespace", "vc-ghost", "--wait=true", "--timeout=50s")
        rig.cluster.run("delete", "clusterqueue", "ghost", "--ignore-not-found", "--wait=true", "--timeout=50s")
        clear_tenants(rig.cluster)


def test_a_vcluster_that_does_not_answer_is_shown_and_the_others_work(rig: Rig, ghost: Path, tmp_path: Path) -> None:
    clear_tenants(rig.cluster)
    hub = rig.hub(tmp_path / "hub", tenants=ghost)
    try:
        hub.start()
        with rig.people(hub.url) as people:
            person = people["two-team-user"]
            person.sign_in()
            page = person.spawn_page()
            assert "Ghost" in page.text
            assert "unavailable" in page.text.lower()
            refused = person.spawn("ghost", "cpu-small")
            assert refused is not None
            assert "ghost" in refused.text.lower()
            assert person.spawn("vision", "mig-1g.10gb") is None
            assert person.progress()[-1].get("ready")
    finally:
        hub.stop()
