"""Quota as people meet it, on the real parts: told alike everywhere, waited for, given up, kept when Kueue is away."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import expect

from aifactory_hub.domain.names import server_id

from ..browser.chromium import browser, picture
from .person import Person
from .processes import BIN, HubUnderTest
from .rig import Rig, clear_tenants, open_rig

pytestmark = pytest.mark.e2e

LARGE, SMALL = "mig-3g.40gb", "mig-1g.10gb"
KUEUE = ("deployment/kueue-controller-manager", "-n", "kueue-system")
# Seconds: longer than one request tries to file its ticket.
AWAY = 33


@dataclass
class Site:
    """A hub on which ada has nlp's only large slice; bob is in her team, and in another."""

    rig: Rig
    hub: HubUnderTest
    ada: Person
    bob: Person

    def tickets(self, person: Person) -> list[dict[str, Any]]:
        owner = f"aifactory-hub.io/owner={server_id(person.name, '')}"
        return list(self.rig.cluster.get("jobs", "-n", "vc-nlp", "-l", owner)["items"])

    def holds(self, person: Person) -> bool:
        found = self.tickets(person)
        return len(found) == 1 and bool(found[0]["status"].get("active"))

    def rest(self) -> dict[str, Any]:
        url = f"{self.hub.url}/services/aifactory/api/v1/tenants/nlp/profiles"
        answer = httpx.get(url, headers={"Authorization": f"token {self.bob.token}"}, timeout=20, trust_env=False)
        answer.raise_for_status()
        return dict(answer.json())

    def terminal(self) -> str:
        account = {
            "JUPYTERHUB_API_TOKEN": str(self.bob.token),
            "AIFACTORY_SERVICE_URL": f"{self.hub.url}/services/aifactory",
        }
        argv = [str(BIN / "aifactory-hub"), "quota", "--tenant", "nlp"]
        done = subprocess.run(argv, env=os.environ | account, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    rig = open_rig()
    clear_tenants(rig.cluster)
    hub = rig.hub(tmp_path_factory.mktemp("quota") / "hub")
    try:
        hub.start()
        with rig.people(hub.url) as people:
            ada, bob = people["nlp-user"], people["two-team-user"]
            for person in (ada, bob):
                person.sign_in()
                person.make_token()
            assert ada.spawn("nlp", LARGE) is None
            assert ada.progress()[-1].get("ready")
            assert ada.notebook("lab").status_code == 200
            yield Site(rig, hub, ada, bob)
    finally:
        hub.stop()
        clear_tenants(rig.cluster)


def within(seconds: float, holds: Callable[[], bool], what: str) -> float:
    """Seconds until it held."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)
    return time.monotonic() - began


def test_page_rest_and_terminal_tell_the_same(site: Site) -> None:
    told, terminal = site.rest(), site.terminal()
    page = BeautifulSoup(site.bob.browser.get(f"{site.hub.url}/hub/spawn/{site.bob.name}").text, "html.parser")
    lines = {line.split()[0]: line for line in terminal.splitlines() if line}
    for profile in told["profiles"]:
        button = page.find(id=f"af-nlp:{profile['profile']}")
        assert button is not None
        row = button.find_parent(class_="af-row")
        assert row is not None
        shown = " ".join(row.get_text(" ").split())
        if not profile["devices"]:
            continue
        team, cluster = (f"{profile[what]['free']} of {profile[what]['total']}" for what in ("team", "cluster"))
        assert f"Cluster: {cluster} free" in shown
        assert team in lines[profile["profile"]] and cluster in lines[profile["profile"]]
        if profile["availability"] == "free":
            assert f"Team: {team} free" in shown and f"{profile['free_now']} free" in shown
        else:
            assert profile["reason"] in shown and profile["reason"] in terminal
            assert f"{profile['held_by'][0]['user']} (1)" in shown
    taken = next(each for each in told["profiles"] if each["profile"] == LARGE)
    assert (taken["team"], taken["availability"]) == ({"free": 0, "total": 1}, "queue")
    assert taken["cluster"] == {"free": 1, "total": 2}, "vision has none of the other, so nobody may have it"


def test_who_waits_sees_her_place_and_cancel_frees_it(site: Site) -> None:
    assert site.bob.spawn("nlp", f"nlp/{LARGE}/wait") is None
    within(20, lambda: len(site.tickets(site.bob)) == 1, "a ticket is filed")
    with browser() as context:
        site.bob.enter(context)
        page = context.pages[0]
        page.goto(f"{site.hub.url}/hub/spawn-pending/{site.bob.name}")
        expect(page.locator("#af-place")).to_have_text("Position 1 of 1 in the queue of team nlp.", timeout=20_000)
        expect(page.locator("#af-ahead")).to_have_text("Nobody is before you.")
        picture(page, "e2e-queue")
        page.click("#af-cancel")
        seconds = within(20, lambda: not site.tickets(site.bob), "its ticket is gone")
        print(f"the ticket was gone {seconds:.1f} s after the click")
        row = page.locator(".af-row", has=page.locator(f"[id='af-nlp:{LARGE}']"))

        def told() -> bool:
            page.goto(f"{site.hub.url}/hub/spawn/{site.bob.name}")
            return "Nobody waits" in row.inner_text()

        # The hub counts by its own watch, which may come to it a moment later than whoever asked the cluster.
        within(20, told, "the menu says that nobody waits")
        expect(row).to_contain_text("Nobody waits")
    assert site.holds(site.ada)


def test_while_kueue_is_away_a_start_waits_with_that_reason_and_is_not_lost(site: Site) -> None:
    events: list[dict[str, Any]] = []
    site.rig.cluster.run("scale", *KUEUE, "--replicas=0")
    try:
        within(60, lambda: not site.rig.cluster.get("pods", "-n", "kueue-system")["items"], "Kueue is away")
        assert site.bob.spawn("nlp", f"nlp/{SMALL}/wait") is None
        follower = threading.Thread(target=lambda: events.extend(site.bob.progress(timeout=200)), daemon=True)
        follower.start()
        time.sleep(AWAY)
        assert follower.is_alive() and not site.tickets(site.bob)
        assert site.ada.notebook("api/status").status_code == 200, "what runs runs on"
    finally:
        site.rig.cluster.run("scale", *KUEUE, "--replicas=1")
    follower.join(120)
    assert events and events[-1].get("ready"), events
    assert any("queue does not answer" in str(event.get("message")) for event in events), events
    assert site.holds(site.ada) and site.holds(site.bob)


def test_kueue_started_anew_doubles_nothing(site: Site) -> None:
    def state() -> list[tuple[str, bool]]:
        return [(t["metadata"]["uid"], t["spec"]["suspend"]) for p in (site.ada, site.bob) for t in site.tickets(p)]

    before, pods = state(), site.rig.cluster.pod_names()
    site.rig.cluster.run("delete", "pods", "-n", "kueue-system", "--all", "--grace-period=0", "--force")
    site.rig.cluster.run("rollout", "status", *KUEUE, "--timeout=50s")
    time.sleep(5)
    assert state() == before and len(before) == 2
    assert site.rig.cluster.pod_names() == pods


def test_a_ticket_of_nobody_is_collected_and_an_owner_without_one_gets_one(site: Site) -> None:
    ticket = site.tickets(site.ada)[0]
    orphan = _copy(ticket, "nobody")
    site.rig.cluster.run("create", "-n", "vc-nlp", "-f", "-", stdin=json.dumps(orphan))
    site.rig.cluster.run("delete", "job", ticket["metadata"]["name"], "-n", "vc-nlp")
    site.hub.kill("hub")
    site.hub.start_hub()

    def repaired() -> bool:
        names = [item["metadata"]["name"] for item in site.rig.cluster.get("jobs", "-n", "vc-nlp")["items"]]
        return "nobody" not in names and site.holds(site.ada)

    print(f"repaired {within(60, repaired, 'both are repaired'):.1f} s after the hub was back")
    assert site.tickets(site.ada)[0]["metadata"]["uid"] != ticket["metadata"]["uid"]
    assert site.ada.notebook("api/status").status_code == 200


def _copy(ticket: dict[str, Any], name: str) -> dict[str, Any]:
    """Another ticket like this one, of a server that is not there."""
    labels = {
        k: v for k, v in ticket["metadata"]["labels"].items() if "job-name" not in k and "controller-uid" not in k
    }
    template = ticket["spec"]["template"]
    spec = {k: ticket["spec"][k] for k in ("managedBy", "parallelism", "completions", "backoffLimit")}
    body = {**spec, "suspend": True, "template": {"spec": template["spec"]}}
    labels["aifactory-hub.io/owner"] = "nobody"
    annotations = {k: v for k, v in ticket["metadata"]["annotations"].items() if k.startswith("aifactory-hub.io/")}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": body}
