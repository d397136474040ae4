"""The hub stops what the job service calls idle: that server alone, and only where the site says so."""

from __future__ import annotations

import time
from typing import Any

import httpx

from aifactory_hub.constants import SCOPE_STOP_IDLE
from aifactory_hub.service.auth.permissions import is_token_of

from ..support.hub_process import SERVICE_TOKEN
from .leaving import Site, wait_until

WHY = "Nothing <b>used</b> it."


def stop(site: Site, token: str = SERVICE_TOKEN, **changed: Any) -> httpx.Response:
    body = {"user": "ivy", "server": "", "tenant": "nlp", "idle_since": time.time(), "why": WHY, **changed}
    url, head = f"{site.hub.url}/hub/aifactory/api/idle-stop", {"Authorization": f"token {token}"}
    return httpx.post(url, json=body, headers=head, trust_env=False, timeout=60)


def test_only_the_service_stops_and_only_the_server_that_was_judged(site: Site) -> None:
    browser = site.sign_in("ivy", "teams/nlp", "teams/nlp/admins", "teams/vision")
    assert site.start(browser, "ivy", tenant="nlp").status_code == 201
    started = time.time()
    assert stop(site, site.token("ivy")).status_code == 403
    assert stop(site, tenant="vision").status_code == 404
    assert stop(site, user="nobody").status_code == 404
    assert stop(site, server="second").status_code == 404
    for name, value in (("why", 3), ("user", None), ("idle_since", "now"), ("idle_since", True), ("why", "x" * 501)):
        changed: dict[str, Any] = {name: value}
        answer = stop(site, **changed)
        assert answer.status_code == 400 and name in answer.json()["message"]
    early = stop(site, idle_since=started - 600)
    assert early.status_code == 409 and "another one" in early.json()["message"]
    assert site.running("ivy")
    # The site's file asks for one second of idleness.
    wait_until(lambda: stop(site).status_code == 204, "the server has run long enough")
    wait_until(lambda: not site.running("ivy"), "the server is stopped")
    assert "Nothing &lt;b&gt;used&lt;/b&gt; it." in browser.get("/hub/home").text
    assert stop(site).status_code == 404


def test_a_site_that_only_tries_it_out_has_nothing_stopped(site: Site) -> None:
    browser = site.sign_in("ivy", "teams/nlp")
    assert site.start(browser, "ivy", tenant="nlp").status_code == 201
    file = site.hub.folder / "tenants.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace("idle: {action: stop,", "idle: {action: dry-run,"))
        wait_until(
            lambda: "dry-run" in stop(site, idle_since=1.0).json().get("message", ""), "the hub has read the file"
        )
        assert site.running("ivy")
    finally:
        file.write_text(before)


async def test_a_servers_token_is_known_as_that_of_this_server(site: Site) -> None:
    browser = site.sign_in("ida", "teams/nlp")
    assert site.start(browser, "ida", tenant="nlp").status_code == 201
    caller = await site.caller(site.token("ida"))
    assert is_token_of(caller, "") and not is_token_of(caller, "second")
    assert SCOPE_STOP_IDLE not in caller.scopes


def test_a_server_is_moved_to_a_size_without_a_gpu_by_its_owner_alone(site: Site) -> None:
    browser = site.sign_in("max", "teams/nlp")
    assert site.start(browser, "max", tenant="nlp").status_code == 201
    other = site.sign_in("oda", "teams/nlp")
    assert other.get("/hub/aifactory/move/max").status_code == 404
    asks = browser.get("/hub/aifactory/move/max")
    assert asks.status_code == 200 and "to a size without a GPU?" in asks.text
    xsrf = browser.cookies.get("_xsrf", path="/hub/") or ""

    def move() -> httpx.Response:
        return browser.post("/hub/aifactory/move/max", params={"_xsrf": xsrf}, follow_redirects=False)

    assert move().status_code == 409 and site.running("max"), "this team's menu has no such size"
    file = site.hub.folder / "tenants.yaml"
    before = file.read_text()
    cpu = before.replace(
        "profiles: {mig-1g.10gb:", "profiles: {cpu-small: {gpu: none, cpu: 500m, memory: 1Gi}, mig-1g.10gb:"
    )
    try:
        file.write_text(cpu.replace("profiles: [mig-1g.10gb", "profiles: [cpu-small, mig-1g.10gb"))
        moves: list[httpx.Response] = []

        def moved() -> bool:
            moves.append(move())
            return moves[-1].status_code == 302

        wait_until(moved, "the hub has read the file")
        assert moves[-1].headers["Location"] == "/hub/spawn/max?tenant=nlp&profile=cpu-small"
        wait_until(lambda: not site.running("max"), "the server is stopped")
    finally:
        file.write_text(before)
