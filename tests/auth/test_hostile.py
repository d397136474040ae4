"""A hostile provider: what each attack does to us and to the stock authenticator, really run; and the page's table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.hub_process import TENANTS, HubProcess, hub_process
from ..support.oidc_provider import OidcProvider, oidc_provider
from .hostile import ATTACKS, REDIRECTS, STOCK, STOCK_ID_TOKEN, outcome, redirected

PAGE = Path(__file__).parents[2] / "docs" / "sign-in.md"
HUBS = ("ours", "stock, userinfo", "stock, ID token")


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture(scope="module")
def hubs(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, HubProcess]]:
    text = TENANTS.format(issuer=provider.issuer)
    folders = [tmp_path_factory.mktemp("hub") for _ in HUBS]
    stock = {"ISSUER": provider.issuer}
    with (
        hub_process(folders[0], text) as ours,
        hub_process(folders[1], text, STOCK, **stock) as userinfo,
        hub_process(folders[2], text, STOCK_ID_TOKEN, **stock) as id_token,
    ):
        yield dict(zip(HUBS, (ours, userinfo, id_token), strict=True))


@pytest.fixture(scope="module")
def table(hubs: dict[str, HubProcess], provider: OidcProvider) -> dict[str, tuple[str, ...]]:
    """Attack -> what became of it at each hub."""
    numbers = iter(range(10_000))
    return {
        attack.name: tuple(outcome(attack, hub, provider, next(numbers)) for hub in hubs.values()) for attack in ATTACKS
    }


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_we_refuse_every_attack_in_words_and_let_honest_people_in(
    attack: object, table: dict[str, tuple[str, ...]]
) -> None:
    ours = table[attack.name][0]  # type: ignore[attr-defined]
    if attack.honest:  # type: ignore[attr-defined]
        assert ours == "signed in"
    else:
        assert ours.startswith("refused (4"), ours


def test_the_page_tells_what_was_measured(table: dict[str, tuple[str, ...]]) -> None:
    rows = {name: f"| {name} | {' | '.join(outcomes)} |" for name, outcomes in table.items()}
    written = re.search(r"<!-- attacks -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert written is not None
    assert written[1].strip().splitlines()[2:] == list(rows.values()), "\n" + "\n".join(rows.values())


@pytest.mark.parametrize("after", REDIRECTS)
def test_a_sign_in_ends_at_this_hub(hubs: dict[str, HubProcess], provider: OidcProvider, after: str) -> None:
    end = redirected(hubs["ours"], provider, after)
    assert end.startswith("/")
    assert not end.startswith(("//", "/\\"))
