"""What doctor says of the address at which browsers reach the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aifactory_hub.doctor import ask_for_sign_in, public_finding
from aifactory_hub.doctor.public_address import PublicAddress
from aifactory_hub.domain.doctor import Verdict

from ..support.hub_process import CONFIG, TENANTS, HubProcess, hub_process
from ..support.oidc_provider import oidc_provider

OUTSIDE = "https://hub.example.org/"


def tenants(issuer: str, public: str | None) -> str:
    text = TENANTS.format(issuer=issuer)
    return text if public is None else text.replace("addresses: {", f'addresses: {{public: "{public}", ')


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose tenants.yaml names another address than the one at which it is asked."""
    folder = tmp_path_factory.mktemp("hub")
    with oidc_provider() as provider, hub_process(folder, tenants(provider.issuer, OUTSIDE), CONFIG) as process:
        yield process


async def test_a_hub_that_sends_browsers_back_elsewhere_is_found(hub: HubProcess) -> None:
    finding = public_finding(await ask_for_sign_in(f"{hub.url}/"))
    assert finding.verdict is Verdict.BAD
    assert f"{OUTSIDE}hub/oauth_callback" in finding.seen and hub.url in finding.todo


async def test_a_hub_that_sends_browsers_back_to_where_they_came_from_is_good(tmp_path: Path) -> None:
    with oidc_provider() as provider, hub_process(tmp_path, tenants(provider.issuer, None), CONFIG) as process:
        assert public_finding(await ask_for_sign_in(f"{process.url}/")).verdict is Verdict.GOOD


async def test_an_address_at_which_something_else_answers_is_wrong(hub: HubProcess) -> None:
    finding = public_finding(await ask_for_sign_in(f"{hub.url}/elsewhere/"))
    assert finding.verdict is Verdict.BAD and "no hub answers" in finding.seen


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[/"])
async def test_an_address_that_does_not_answer_here_is_a_warning(url: str) -> None:
    finding = public_finding(await ask_for_sign_in(url))
    assert finding.verdict is Verdict.WARNING and url in finding.seen


def test_no_address_is_a_warning_with_what_to_do() -> None:
    finding = public_finding(None)
    assert finding.verdict is Verdict.WARNING and "addresses.public" in finding.todo


def test_the_right_address_is_good() -> None:
    seen = PublicAddress(OUTSIDE, status=302, callback=f"{OUTSIDE}hub/oauth_callback")
    assert public_finding(seen).verdict is Verdict.GOOD
