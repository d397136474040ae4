"""A hub whose people come, leave and sign out: real, over a real HTTP provider with refresh tokens.

The servers are simulated (sockets that answer); what is real is every decision about them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from aifactory_hub.constants import SCOPE_SUBMIT
from aifactory_hub.service.auth.hub_auth import HubGate
from aifactory_hub.service.errors import ServiceError

from ..support.hub_process import SERVICE_TOKEN, TENANTS, HubProcess
from ..support.oidc_provider import OidcProvider
from ..support.still_servers import BOSS_TOKEN

TWO_TENANTS = (
    TENANTS
    + """
  vision:
    vcluster: {{namespace: vc-vision, name: vision}}
    groups: [{{group: teams/vision, role: member}}]
    profiles: [mig-1g.10gb]
    quota: {{mig-1g.10gb: 1}}
"""
)
POLICY = "username_claim: name, on_leaving: stop, leaving_grace: 3s, stale_grace: 10s}}"


@dataclass
class Site:
    hub: HubProcess
    provider: OidcProvider
    browsers: list[httpx.Client] = field(default_factory=list)

    def sign_in(self, name: str, *groups: str, sub: str | None = None) -> httpx.Client:
        """A browser that is signed in as a new person."""
        browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=20, base_url=self.hub.url)
        self.browsers.append(browser)
        self.provider.account = {"sub": sub or f"sub-{name}", "name": name, "groups": list(groups)}
        page = browser.get("/hub/oauth_login?next=%2Fhub%2Fhome")
        assert page.status_code == 200, page.text
        return browser

    def close(self) -> None:
        """Close the browsers."""
        for browser in self.browsers:
            browser.close()
        self.browsers.clear()

    def start(self, browser: httpx.Client, name: str, **options: Any) -> httpx.Response:
        """Start the default server through the API, as the person."""
        browser.get("/hub/home")
        return browser.post(
            f"/hub/api/users/{name}/server",
            json={"user_options": options} if self.newer else options,
            headers=self.xsrf(browser),
        )

    def xsrf(self, browser: httpx.Client) -> dict[str, str]:
        return {"X-XSRFToken": browser.cookies.get("_xsrf", path="/hub/") or "", "Referer": f"{self.hub.url}/hub/"}

    @property
    def newer(self) -> bool:
        """JupyterHub 6 wraps the options."""
        import jupyterhub

        return bool(jupyterhub.version_info[0] >= 6)

    def token(self, name: str) -> str:
        return (self.hub.folder / f"token-{name}-").read_text()

    def ask(self, token: str) -> httpx.Response:
        return httpx.get(f"{self.hub.url}/hub/api/user", headers={"Authorization": f"token {token}"}, trust_env=False)

    def running(self, name: str) -> bool:
        head = {"Authorization": f"token {BOSS_TOKEN}"}
        model = httpx.get(f"{self.hub.url}/hub/api/users/{name}", headers=head, trust_env=False).json()
        return any(server["ready"] or server["pending"] for server in (model.get("servers") or {}).values())

    async def caller(self, token: str) -> Any:
        gate = HubGate(f"{self.hub.url}/hub/api", SERVICE_TOKEN)
        try:
            return await gate.caller(f"token {token}", fresh=True)
        finally:
            await gate.close()

    def may_submit(self, token: str) -> tuple[str, ...]:
        """The teams into which a token may submit now; none when the gate refuses it."""
        try:
            caller = asyncio.run(self.caller(token))
        except ServiceError:
            return ()
        return tuple(caller.tenants(SCOPE_SUBMIT, ["nlp", "vision"]))


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")
