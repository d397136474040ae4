"""What verifying a sign-in costs, what the rules cost, and how long somebody who left can still act."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt

from aifactory_hub.auth.id_token import verify_id_token
from aifactory_hub.constants import SCOPE_SUBMIT
from aifactory_hub.domain.mapping import ExactRule, PatternRule, Rule, TenantMapping
from aifactory_hub.domain.tenants import Role
from aifactory_hub.service.auth.hub_auth import HubGate
from aifactory_hub.service.errors import ServiceError
from tests.auth.hostile import STOCK
from tests.support.hub_process import SERVICE_TOKEN, TENANTS, HubProcess, hub_process
from tests.support.oidc_provider import OidcProvider, make_key, oidc_provider, public_jwk
from tests.support.still_servers import BOSS_TOKEN, STILL

from .frame import Report, summary

GROUPS, RULES = 5000, 1000
LEAVING = "username_claim: name, on_leaving: stop, leaving_grace: 1s}}"


def timed(work: Callable[[], object], times: int, clock: Callable[[], float] = time.thread_time) -> list[float]:
    """Milliseconds of each of so many runs; of CPU, unless told otherwise: others on the machine do not lengthen it."""
    found = []
    for _ in range(times):
        began = clock()
        work()
        found.append((clock() - began) * 1000)
    return found


def verification(times: int) -> dict[str, list[float]]:
    """The ID token, verified in full and as the stock authenticator reads it."""
    key = make_key()
    keys, now = [public_jwk(key, "k")], int(time.time())
    claims = {"iss": "https://idp", "aud": "hub", "sub": "1", "iat": now, "exp": now + 3600, "nonce": "n"}
    token = jwt.encode(claims, key, "RS256", headers={"kid": "k"})

    def ours() -> object:
        return verify_id_token(token, keys, issuer="https://idp", client_id="hub", nonce="n")

    def stock() -> object:
        return jwt.decode(token, audience="hub", options={"verify_signature": False, "verify_aud": True})

    return {"ID token, verified": timed(ours, times), "ID token, as the stock one reads it": timed(stock, times)}


def mappings(times: int) -> dict[str, list[float]]:
    """5,000 groups over 1,000 rules: of each kind, met for the first time and again."""
    tenants = [f"team-{number}" for number in range(RULES)]
    exact: list[Rule] = [ExactRule(f"/teams/{tenant}", tenant, Role.MEMBER) for tenant in tenants]
    few: list[Rule] = [
        PatternRule(f"/area-{n}/(?P<tenant>[a-z0-9-]+)(/(?P<role>admins))?", None, Role.MEMBER, {"admins": Role.ADMIN})
        for n in range(10)
    ]
    many: list[Rule] = [PatternRule(f"/{tenant}/(?P<tenant>{tenant})", None, Role.MEMBER) for tenant in tenants]
    chosen = random.Random(7)  # noqa: S311 - the same names each time
    names = [f"/{chosen.choice(['teams', 'area-3', 'other'])}/team-{chosen.randrange(4000)}-{n}" for n in range(4500)]
    names += [f"/teams/team-{n}" for n in range(400)] + [f"/area-3/team-{n}/admins" for n in range(100)]
    found: dict[str, list[float]] = {}
    kinds = {"1,000 exact": exact, "990 exact, 10 patterns": [*exact[10:], *few], "1,000 patterns": many}
    for kind, rules in kinds.items():
        first, again = [], []
        for _ in range(times):
            mapping = TenantMapping(rules, tenants)
            first += timed(lambda mapping=mapping: mapping.roles(names), 1)  # type: ignore[misc]
            again += timed(lambda mapping=mapping: mapping.roles(names), 1)  # type: ignore[misc]
        found[f"{GROUPS} groups over {kind}, first time"] = first
        found[f"{GROUPS} groups over {kind}, again"] = again
    return found


def sign_ins(times: int) -> dict[str, list[float]]:
    """A whole sign-in at a hub, ours and the stock one in turn."""
    found: dict[str, list[float]] = {"sign-in, ours": [], "sign-in, stock (userinfo)": []}
    with oidc_provider() as provider, tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        text = TENANTS.format(issuer=provider.issuer)
        with (
            hub_process(Path(one), text) as ours,
            hub_process(Path(other), text, STOCK, ISSUER=provider.issuer) as stock,
        ):
            for number in range(times):
                provider.account = {"sub": f"s{number}", "name": f"user-{number}", "groups": ["teams/nlp"]}
                for name, hub in zip(found, (ours, stock), strict=True):
                    found[name] += timed(lambda hub=hub: _sign_in(hub), 1, time.perf_counter)  # type: ignore[misc]
    return found


def _sign_in(hub: HubProcess) -> httpx.Client:
    browser = httpx.Client(follow_redirects=True, trust_env=False, timeout=60, base_url=hub.url)
    browser.get("/hub/oauth_login?next=%2Fhub%2Fhome").raise_for_status()
    return browser


def leaving(trials: int) -> dict[str, list[float]]:
    """Seconds from the removal at the provider to the last moment at which each thing still worked.

    As the product is set: asked again after 30 s, swept every 20 s. Each thing has people of its own, so that what
    one does makes nobody else's membership be asked about.
    """
    config = STILL.replace("auth_refresh_age = 1\n", "auth_refresh_age = 30\n")
    config = config.replace("sweep_interval = 1\n", "sweep_interval = 20\n")
    with oidc_provider(refresh=True) as provider, tempfile.TemporaryDirectory() as folder:
        text = TENANTS.replace("username_claim: name}}", LEAVING).format(issuer=provider.issuer)
        with hub_process(Path(folder), text, config) as hub:
            return asyncio.run(_Leaving(hub, provider, trials).measure())


class _Leaving:
    def __init__(self, hub: HubProcess, provider: OidcProvider, trials: int) -> None:
        self._hub, self._provider, self._trials = hub, provider, trials
        self._gate = HubGate(f"{hub.url}/hub/api", SERVICE_TOKEN)
        self._http = httpx.AsyncClient(trust_env=False, timeout=120)
        self._browsers: dict[str, httpx.Client] = {}

    async def measure(self) -> dict[str, list[float]]:
        kinds = {"submit": self._may_submit, "spawn": self._may_spawn, "running server": self._runs}
        names = {kind: [f"{kind.split()[0]}-{n}" for n in range(self._trials)] for kind in kinds}
        for name in (name for of_kind in names.values() for name in of_kind):
            await self._arrive(name, server=not name.startswith("spawn"))
        found = {"CPU of the hub, one person asked about (ms)": [await self._cost_of_a_look()]}
        for kind, check in kinds.items():
            # One kind after another: who asks every second whether she may do something loads the hub, too.
            trials = [self._trial(name, check) for name in names[kind]]
            found[f"{kind}, after removal (s)"] = await asyncio.gather(*trials)
        await self._gate.close()
        await self._http.aclose()
        return found

    async def _cost_of_a_look(self) -> float:
        """Nobody sends a request meanwhile: what the hub does is the membership poller's."""
        began, asked = self._cpu(), self._provider.asked.count("/token")
        await asyncio.sleep(40)
        return (self._cpu() - began) * 1000 / (self._provider.asked.count("/token") - asked)

    def _cpu(self) -> float:
        """Seconds of CPU time of the hub until now."""
        fields = Path(f"/proc/{self._hub.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def _arrive(self, name: str, *, server: bool) -> None:
        self._provider.account = {"sub": name, "name": name, "groups": ["teams/nlp"]}
        self._browsers[name] = await asyncio.to_thread(_sign_in, self._hub)
        if server:
            (await self._start(name)).raise_for_status()

    async def _start(self, name: str) -> httpx.Response:
        # Through the service of an administrator: the person herself sends nothing.
        return await self._http.post(
            f"{self._hub.url}/hub/api/users/{name}/server",
            json={"user_options": {"tenant": "nlp"}},
            headers={"Authorization": f"token {BOSS_TOKEN}"},
        )

    async def _trial(self, name: str, works: Callable[[str], Any]) -> float:
        await asyncio.sleep(random.uniform(0, 20))  # noqa: S311 - spreads the trials over the poller's interval
        self._provider.people[name] = {**self._provider.people[name], "groups": []}
        began = last = time.monotonic()
        while (now := time.monotonic()) - began < 90:
            if await works(name):
                last = now
            elif now - last > 10:
                break
            await asyncio.sleep(1)
        return last - began

    async def _may_submit(self, name: str) -> bool:
        token = (self._hub.folder / f"token-{name}-").read_text()
        try:
            caller = await self._gate.caller(f"token {token}", fresh=True)
        except ServiceError:
            return False
        return bool(caller.tenants(SCOPE_SUBMIT, ["nlp"]))

    async def _may_spawn(self, name: str) -> bool:
        if (await self._start(name)).status_code >= 300:
            return False
        head = {"Authorization": f"token {BOSS_TOKEN}"}
        await self._http.delete(f"{self._hub.url}/hub/api/users/{name}/server", headers=head)
        return True

    async def _runs(self, name: str) -> bool:
        head = {"Authorization": f"token {BOSS_TOKEN}"}
        model = (await self._http.get(f"{self._hub.url}/hub/api/users/{name}", headers=head)).json()
        return any(server["ready"] for server in (model.get("servers") or {}).values())


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--times", type=int, default=30)
    asked = parser.parse_args()
    milliseconds = {**verification(200), **mappings(asked.times), **sign_ins(asked.times)}
    seconds = leaving(asked.trials)
    rows = [{"what": name, "unit": "ms", **_rounded(summary(values))} for name, values in milliseconds.items()]
    rows += [{"what": name, "unit": "", **_rounded(summary(values))} for name, values in seconds.items()]
    Report(
        "sign_in",
        "What does a verified sign-in cost, and how long can somebody who left still act?",
        rows,
        {name: [round(value, 4) for value in values] for name, values in {**milliseconds, **seconds}.items()},
        simulated=["the identity provider (our own, over HTTP)", "the servers (sockets that answer)"],
        packages=("jupyterhub", "oauthenticator", "PyJWT", "google-re2"),
    ).finish()


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


if __name__ == "__main__":
    main()
