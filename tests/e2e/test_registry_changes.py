"""A third team joins a hub and a job service that run, works, and leaves again; nothing is started anew."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from .faults import spare
from .person import Person
from .processes import HubUnderTest
from .rig import TENANTS_FILE, Rig, apply_registry, clear_tenants, open_rig
from .test_quota_and_queue import within

pytestmark = pytest.mark.e2e

TEAM, PROFILE = spare.NAME, "cpu-small"
# Its members are nlp's admins elsewhere, and no group may lead to two teams.
BEFORE = TENANTS_FILE.read_text().replace("      - {group: teams/nlp/admins, role: admin}\n", "")
AFTER = f"""{BEFORE.rstrip()}
  {TEAM}:
    display_name: Spare
    vcluster: {{namespace: {spare.NAMESPACE}, name: {TEAM}}}
    groups:
      - {{group: teams/nlp/admins, role: member}}
    profiles: [{PROFILE}]
"""
# Seconds. A look at the file, a second one, and the renewal of a session after that.
SOON = 90


@dataclass
class Site:
    """A hub whose tenants.yaml the test changes, and a person who is in the new team."""

    rig: Rig
    hub: HubUnderTest
    person: Person

    def write(self, text: str) -> None:
        """As editors save."""
        beside = self.hub.tenants.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.hub.tenants)

    def health(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.hub.ports.service}/services/aifactory/api/v1/health"
        return dict(httpx.get(url, timeout=10, trust_env=False).json())

    def submit(self, key: str) -> httpx.Response:
        body = {"command": "echo from the new team", "profile": PROFILE, "tenant": TEAM, "key": key}
        head = {"Authorization": f"token {self.person.token}"}
        url = f"{self.hub.url}/services/aifactory/api/v1/jobs"
        return httpx.post(url, json=body, headers=head, timeout=20, trust_env=False)

    def log(self, name: str) -> str:
        return (self.hub.folder / f"{name}.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    rig, folder = open_rig(), tmp_path_factory.mktemp("registry")
    clear_tenants(rig.cluster)
    tenants, after = folder / "tenants.yaml", folder / "after.yaml"
    tenants.write_text(BEFORE)
    after.write_text(AFTER)
    hub = rig.hub(folder / "hub", tenants=tenants)
    try:
        apply_registry(rig.cluster, after)
        spare.install(after)
        hub.start()
        with rig.people(hub.url) as people:
            person = people["two-team-user"]
            person.sign_in()
            person.make_token()
            yield Site(rig, hub, person)
    finally:
        hub.stop()
        clear_tenants(rig.cluster)
        spare.remove(rig.cluster, after)
        apply_registry(rig.cluster, TENANTS_FILE)


def test_a_third_team_joins_works_and_leaves(site: Site) -> None:
    processes = {name: process.pid for name, process in site.hub.running.items()}
    assert TEAM not in site.person.spawn_page().tenants
    assert site.submit("before").status_code == 403
    site.write(AFTER)
    seconds = within(SOON, lambda: TEAM in site.person.spawn_page().tenants, "the new team is on the menu")
    print(f"the new team was on the menu {seconds:.1f} s after the file was saved")
    # A server, and a job with a token that was made before the team was there.
    assert site.person.spawn(TEAM, PROFILE) is None
    assert site.person.progress()[-1].get("ready")
    key = uuid.uuid4().hex
    within(SOON, lambda: site.submit(key).status_code in (200, 201), "the token of before may submit")
    job = str(site.submit(key).json()["id"])
    within(180, lambda: site.person.job_state(job) == "SUCCEEDED", "the job runs in the new team")
    for name in ("hub", "service"):
        assert f"team {TEAM} added" in site.log(name)
    # A broken file changes nothing, and both say so.
    site.write(AFTER.replace("tenants:", "tenant:", 1))
    within(SOON, lambda: site.health()["tenants_file"] == "refused", "the service says that the file is refused")
    within(SOON, lambda: "can't be used, so the last good one is" in site.log("hub"), "the hub says so too")
    assert site.person.notebook("lab").status_code == 200
    # And away with it.
    site.write(BEFORE)
    seconds = within(SOON, lambda: not site.person.servers(), "its server is ended")
    print(f"the server had ended {seconds:.1f} s after the file was saved")
    assert site.health()["tenants_file"] == "in use"
    pods = site.rig.cluster.get("pods", "-n", spare.NAMESPACE, "-l", f"vcluster.loft.sh/managed-by={TEAM}")["items"]
    assert not [pod for pod in pods if "x-notebooks-x" in pod["metadata"]["name"]]
    assert site.submit(uuid.uuid4().hex).status_code == 403
    assert TEAM not in site.person.spawn_page().tenants
    for name in ("hub", "service"):
        assert f"team {TEAM} removed" in site.log(name)
    assert {name: process.pid for name, process in site.hub.running.items()} == processes
    assert all(process.poll() is None for process in site.hub.running.values())
