"""The hub of the tests of leaving, signing out and the hub's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..support.hub_process import hub_process
from ..support.oidc_provider import oidc_provider
from ..support.still_servers import STILL
from .leaving import POLICY, TWO_TENANTS, Site

PAGES = """\
idle: {{action: stop, after: 1s}}
approvals: {{approvers: {{security: [corp/security]}}}}
site: {{name: "GPU <Hub>", help: "https://wiki.example.org/gpu?a=1&b=2", contact: gpu-help@example.org}}
profiles: {{mig-1g.10gb: {{price_per_hour: 0.40}}}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with oidc_provider(refresh=True) as provider:
        folder = tmp_path_factory.mktemp("hub")
        text = TWO_TENANTS.replace("username_claim: name}}", POLICY)
        text = text.replace("tenants:\n", f"{PAGES}tenants:\n", 1).format(issuer=provider.issuer)
        with hub_process(folder, text, STILL) as hub:
            yield Site(hub, provider)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    running.provider.sane()
    running.provider.refresh = True
    yield running
    running.close()
