"""An identity provider whose certificate no public authority has signed, as companies have them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..support.certificates import server_tls
from ..support.hub_process import TENANTS, hub_process
from ..support.oidc_provider import OidcProvider, oidc_provider


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(tls=server_tls()) as running:
        yield running


def sign_in(provider: OidcProvider, folder: Path, **settings: str) -> httpx.Response:
    """What a browser that trusts the authority gets at its sign-in."""
    with (
        hub_process(folder, TENANTS.format(issuer=provider.issuer), **settings) as hub,
        httpx.Client(follow_redirects=True, trust_env=False, timeout=20, verify=trusting(provider)) as browser,
    ):
        return browser.get(f"{hub.url}/hub/oauth_login?next=%2Fhub%2Fhome")


def trusting(provider: OidcProvider) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    assert provider.tls is not None
    context.load_verify_locations(cadata=provider.tls.ca)
    return context


def test_people_sign_in_when_the_hub_knows_the_company_s_authority(provider: OidcProvider, tmp_path: Path) -> None:
    assert provider.tls is not None
    authority = tmp_path / "ca.crt"
    authority.write_text(provider.tls.ca)
    page = sign_in(provider, tmp_path, AIFACTORY_HUB_CA_FILE=str(authority))
    assert (page.status_code, page.url.path) == (200, "/hub/home")
    assert "/userinfo" in provider.asked


def test_without_it_nobody_is_signed_in(provider: OidcProvider, tmp_path: Path) -> None:
    page = sign_in(provider, tmp_path)
    assert page.status_code == 503
    assert provider.asked == []
