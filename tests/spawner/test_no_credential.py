"""A hub that has no credential for its host cluster."""

from __future__ import annotations

from pathlib import Path

import httpx

from ..support.hub_process import CONFIG, TENANTS, hub_process
from ..support.oidc_provider import oidc_provider


def test_the_spawn_page_says_that_the_hub_is_not_connected_and_the_log_says_why(tmp_path: Path) -> None:
    with oidc_provider() as provider, hub_process(tmp_path, TENANTS.format(issuer=provider.issuer), CONFIG) as hub:
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=30) as browser:
            browser.get(f"{hub.url}/hub/oauth_login?next=%2Fhub%2Fhome")
            page = browser.get(f"{hub.url}/hub/spawn")
        assert page.status_code == 503
        assert "This hub is not connected to its cluster" in page.text
        assert "no server can start: no kubeconfig is given and no service account is mounted" in hub.log
        assert "Traceback" not in hub.log
