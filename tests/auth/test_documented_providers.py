"""Providers that can't be run here, in the shape that their documentation shows, with the settings of our own page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from aifactory_hub.registry.output import yaml_documents

from ..support.hub_process import CONFIG, TENANTS, HubProcess, hub_process
from ..support.oidc_provider import OidcProvider, oidc_provider

PAGE = Path(__file__).parents[2] / "docs/identity-providers.md"
Json = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """``userinfo`` is the whole answer; ``in_token`` is what the ID token has besides the standard's claims."""

    section: str
    user: str
    userinfo: Json
    in_token: Callable[[list[str]], Json]
    group: str


# learn.microsoft.com/entra/identity-platform: userinfo, id-token-claims-reference.
ENTRA = Shape(
    "Microsoft Entra ID",
    "ada@example.org",
    {
        "sub": "OLu859SGc2Sr9ZsqbkG-QbeLgJlb41KcdiPoLYNpSFA",
        "name": "Ada Example",
        "family_name": "Example",
        "given_name": "Ada",
        "picture": "https://graph.microsoft.com/v1.0/me/photo/$value",
        "email": "ada@example.org",
    },
    lambda groups: {
        "ver": "2.0",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "tid": "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "preferred_username": "ada@example.org",
        "name": "Ada Example",
        "rh": "I",
        "uti": "fqiBqXLPj0eQa82S-IYFAA",
        "groups": groups,
    },
    "3f2b5c1e-9d4a-4c1b-8a77-1f0e5d9c2b10",
)
# developer.okta.com/docs/api/openapi/okta-oauth: userinfo, ID token.
OKTA = Shape(
    "Okta",
    "ada@example.org",
    {
        "sub": "00uid4BxXw6I6TV4m0g3",
        "name": "Ada Example",
        "locale": "en-US",
        "email": "ada@example.org",
        "preferred_username": "ada@example.org",
        "given_name": "Ada",
        "family_name": "Example",
        "zoneinfo": "America/Los_Angeles",
        "updated_at": 1311280970,
        "email_verified": True,
    },
    lambda groups: {
        "ver": 1,
        "jti": "ID.4eAWJOCMB3SX8XewDfVR",
        "amr": ["pwd"],
        "idp": "00ok1u7AsAkrwdZL3z0g3",
        "preferred_username": "ada@example.org",
        "auth_time": 1311280970,
        "at_hash": "cpqKfdQA5eH891Ff5oJr_Q",
        "groups": groups,
    },
    "aifactory-nlp",
)


def identity_of(section: str, issuer: str) -> Json:
    """The page's own settings for this provider, for one that runs here."""
    found = re.search(rf"(?ms)^## {re.escape(section)}\n.*?```yaml\n(.*?)```", PAGE.read_text())
    assert found is not None, f"the page has no settings under {section}"
    identity: Json = YAML(typ="safe", pure=True).load(re.sub(r"<([a-z ]+) id>", r"\1", found[1]))["identity"]
    return {**identity, "issuer": issuer, "client_id": "hub"}


def tenants_of(shape: Shape, issuer: str) -> str:
    registry: Json = YAML(typ="safe", pure=True).load(TENANTS.format(issuer=issuer))
    registry["identity"] = identity_of(shape.section, issuer)
    registry["tenants"]["nlp"].pop("groups")
    return yaml_documents([registry])


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=30) as client:
        yield client


def sign_in(hub: HubProcess, browser: httpx.Client) -> httpx.Response:
    return browser.get(f"{hub.url}/hub/oauth_login?next=%2Fhub%2Fhome")


def groups_of(hub: HubProcess, user: str) -> list[str]:
    found: Any = (hub.user(user.replace("@", "%40")) or {}).get("groups", ())
    return sorted(found)


def answers_as(provider: OidcProvider, shape: Shape, groups: list[str]) -> None:
    provider.account = shape.userinfo
    provider.people[shape.userinfo["sub"]] = shape.userinfo
    provider.refresh = True
    provider.change = lambda claims: claims | shape.in_token(groups)


@pytest.mark.parametrize("shape", [ENTRA, OKTA], ids=lambda shape: shape.section)
def test_people_sign_in_and_leave_with_the_settings_of_the_page(
    shape: Shape, tmp_path: Path, browser: httpx.Client
) -> None:
    with oidc_provider() as provider:
        answers_as(provider, shape, [shape.group, "Everyone"])
        with hub_process(tmp_path, tenants_of(shape, provider.issuer), CONFIG) as hub:
            page = sign_in(hub, browser)
            assert page.status_code == 200, page.text
            assert groups_of(hub, shape.user) == ["tenant-nlp"]
            answers_as(provider, shape, ["Everyone"])
            deadline = time.monotonic() + 30
            while "tenant-nlp" in groups_of(hub, shape.user) and time.monotonic() < deadline:
                time.sleep(1.1)
                browser.get(
                    f"{hub.url}/hub/home"
                )  # a request of theirs, older than auth_refresh_age: they are asked about
            assert groups_of(hub, shape.user) == []


def test_somebody_with_too_many_groups_at_entra_is_told_what_to_do(tmp_path: Path, browser: httpx.Client) -> None:
    overage = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example/"}}}
    with oidc_provider() as provider:
        answers_as(provider, ENTRA, [])
        without = {k: v for k, v in ENTRA.in_token([]).items() if k != "groups"}
        provider.change = lambda claims: claims | without | overage
        with hub_process(tmp_path, tenants_of(ENTRA, provider.issuer), CONFIG) as hub:
            page = sign_in(hub, browser)
            assert page.status_code == 403 and "too many groups" in page.text
