"""Attacks on a sign-in, and what each does to our authenticator and to the stock one of oauthenticator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt

from ..support.hub_process import CONFIG, SERVICE_TOKEN, HubProcess
from ..support.oidc_provider import OidcProvider, make_key

NLP = ["teams/nlp"]

# The stock authenticator, set up as its documentation says; both of its ways to the claims are tried.
STOCK = (
    CONFIG.replace("aifactory_hub.configure(c)", "").replace("c.AIFactoryAuthenticator.auth_refresh_age = 1", "")
    + """
from oauthenticator.generic import GenericOAuthenticator
import os
c.JupyterHub.authenticator_class = GenericOAuthenticator
issuer = os.environ["ISSUER"]
c.GenericOAuthenticator.authorize_url = issuer + "/authorize"
c.GenericOAuthenticator.token_url = issuer + "/token"
c.GenericOAuthenticator.userdata_url = issuer + "/userinfo"
c.GenericOAuthenticator.client_id = "hub"
c.GenericOAuthenticator.client_secret = "secret-of-the-hub"
c.GenericOAuthenticator.username_claim = "name"
c.GenericOAuthenticator.scope = ["openid"]
c.GenericOAuthenticator.allow_all = True
c.GenericOAuthenticator.enable_auth_state = True
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.auth_state_groups_key = "oauth_user.groups"
"""
    + f"""
c.JupyterHub.services = [{{"name": "looker", "api_token": "{SERVICE_TOKEN}"}}]
c.JupyterHub.load_roles = [{{"name": "looker", "scopes": ["list:users", "read:users"], "services": ["looker"]}}]
"""
)
STOCK_ID_TOKEN = (
    STOCK.replace('userdata_url = issuer + "/userinfo"', 'userdata_url = ""')
    + "c.GenericOAuthenticator.userdata_from_id_token = True\n"
)


def forged(claims: dict[str, Any], provider: OidcProvider) -> str:
    return jwt.encode(claims, make_key(), "RS256", headers={"kid": provider.kid})


def unsigned(claims: dict[str, Any], provider: OidcProvider) -> str:
    return jwt.encode(claims, "", "none", headers={"kid": provider.kid})


def with_the_secret(claims: dict[str, Any], provider: OidcProvider) -> str:
    return jwt.encode(claims, provider.client_secret * 3, "HS256", headers={"kid": provider.kid})


def unknown_key(claims: dict[str, Any], provider: OidcProvider) -> str:
    return jwt.encode(claims, make_key(), "RS256", headers={"kid": "never-published"})


Run = Callable[["Attempt"], httpx.Response]


@dataclass
class Attempt:
    """One attack at one hub, as a person of her own."""

    hub: HubProcess
    provider: OidcProvider
    browser: httpx.Client
    name: str

    def sign_in(self, after: str = "%2Fhub%2Fhome") -> httpx.Response:
        return self.browser.get(f"{self.hub.url}/hub/oauth_login?next={after}")

    def callback(self) -> str:
        """An address that the provider would send a browser back to; the browser itself has not been there."""
        start = self.browser.get(f"{self.hub.url}/hub/oauth_login", follow_redirects=False)
        back = self.browser.get(start.headers["location"], follow_redirects=False)
        return str(back.headers["location"])


def plain(attempt: Attempt) -> httpx.Response:
    return attempt.sign_in()


def replayed(attempt: Attempt) -> httpx.Response:
    """An attacker has seen the address with the code, and uses it after the victim did."""
    address = attempt.callback()
    attempt.browser.get(address)
    cookies = dict(attempt.browser.cookies)
    attempt.browser.cookies.clear()
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=20, cookies=cookies) as other:
        start = other.get(f"{attempt.hub.url}/hub/oauth_login", follow_redirects=False)
        del start
        return other.get(address)


def other_state(attempt: Attempt) -> httpx.Response:
    """The attacker's own callback address, opened in a victim's browser that began a sign-in as well."""
    address = attempt.callback()
    attempt.browser.cookies.clear()
    attempt.browser.get(f"{attempt.hub.url}/hub/oauth_login", follow_redirects=False)
    return attempt.browser.get(address)


def rotated(attempt: Attempt) -> httpx.Response:
    attempt.provider.rotate()
    return attempt.sign_in()


@dataclass(frozen=True)
class Attack:
    """``wrong`` are attributes of the provider; ``claims`` change the person's account."""

    name: str
    wrong: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    run: Run = plain
    honest: bool = False


def changed(**claims: Any) -> dict[str, Any]:
    def change(before: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**before, **claims}.items() if value is not None}

    return {"change": change}


ATTACKS = (
    Attack("nothing: an honest sign-in", honest=True),
    Attack("nothing: the provider has rotated its key", run=rotated, honest=True),
    Attack("ID token signed by somebody else", {"sign": forged}),
    Attack("ID token not signed (alg none)", {"sign": unsigned}),
    Attack("ID token signed with the client secret (HS256)", {"sign": with_the_secret}),
    Attack("ID token signed with an unknown key", {"sign": unknown_key}),
    Attack("ID token of another issuer", changed(iss="https://evil.example")),
    Attack("ID token for another client (aud)", changed(aud="other")),
    Attack("ID token asked for by another client (azp)", changed(azp="other")),
    Attack("ID token of another sign-in (nonce)", changed(nonce="replayed")),
    Attack("ID token expired", changed(exp=1)),
    Attack("ID token without issuer and end", changed(iss=None, exp=None)),
    Attack("no ID token", {"token_answer": (200, {"access_token": "a", "token_type": "Bearer"})}),
    Attack("userinfo about somebody else", {"userinfo_answer": "other"}),
    Attack("answer of another provider (iss in the callback)", {"callback_extra": {"iss": "https://evil.example"}}),
    Attack("code used a second time", run=replayed),
    Attack("callback of another browser (state)", run=other_state),
    Attack("groups as one text", claims={"groups": "teams/nlp"}),
    Attack("groups as objects", claims={"groups": [{"name": "teams/nlp"}]}),
    Attack("groups left out for their number (_claim_names)", claims={"groups": None, "_claim_names": {"groups": "s"}}),
    Attack("a group name of 100,000 characters", claims={"groups": [*NLP, "g" * 100_000]}),
    Attack("a name with a slash", claims={"name": "../admin"}),
    Attack("a name of 100,000 characters", claims={"name": "n" * 100_000}),
)
REDIRECTS = ("https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%5C%5Cevil.example", "javascript%3Aalert(1)")


def outcome(attack: Attack, hub: HubProcess, provider: OidcProvider, number: int) -> str:
    """What became of one attack, in a few words."""
    provider.sane()
    name = f"eve-{number}"
    account = {"sub": f"sub-{number}", "name": name, "groups": NLP, **attack.claims}
    provider.account = {claim: value for claim, value in account.items() if value is not None}
    # In its ID-token mode the stock authenticator reads everything from there.
    own = dict(provider.account)
    change = attack.wrong.get("change", lambda claims: claims)
    for trait, value in attack.wrong.items():
        setattr(provider, trait, value)
    if attack.wrong.get("userinfo_answer") == "other":
        provider.userinfo_answer = (200, {**own, "sub": "sub-of-the-victim"})
    provider.change = lambda claims: change({**own, **claims})
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=30) as browser:
        page = attack.run(Attempt(hub, provider, browser, name))
    inside = page.status_code == 200 and page.url.path.startswith("/hub/") and page.url.host == "127.0.0.1"
    if not inside or page.url.path == "/hub/login":
        return f"refused ({page.status_code})" if page.status_code < 500 else f"error {page.status_code}"
    return _inside(hub, name)


def _inside(hub: HubProcess, name: str) -> str:
    user: Any = hub.user(name)
    groups = user.get("groups") if user else None
    if groups and groups not in (["tenant-nlp"], NLP):
        return f"signed in with {len(groups)} groups"
    return "signed in without groups" if groups == [] else "signed in"


def redirected(hub: HubProcess, provider: OidcProvider, after: str) -> str:
    """Where the browser ends after a sign-in that was begun with ``next``."""
    provider.sane()
    provider.account = {"sub": "sub-next", "name": "eve-next", "groups": NLP}
    with httpx.Client(trust_env=False, timeout=30) as browser:
        start = browser.get(f"{hub.url}/hub/oauth_login?next={after}")
        back = browser.get(start.headers["location"])
        end = browser.get(back.headers["location"])
    return str(end.headers.get("location", ""))
