"""From identity-provider groups to tenants and roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.tenants import Role, Tenant, hub_groups, tenants_for_groups

from ..support.tenants import make_tenant

TENANTS: dict[str, Tenant] = {
    "nlp": make_tenant("nlp", groups={"teams/nlp": Role.MEMBER, "teams/nlp/admins": Role.ADMIN, "audit": Role.VIEWER}),
    "vision": make_tenant("vision", groups={"teams/vision": Role.MEMBER}),
}

CASES: dict[str, tuple[list[str], dict[str, Role]]] = {
    "no groups": ([], {}),
    "a group that no rule claims": (["teams/robots"], {}),
    "one group": (["teams/vision"], {"vision": Role.MEMBER}),
    "two teams": (["teams/vision", "teams/nlp"], {"nlp": Role.MEMBER, "vision": Role.MEMBER}),
    "the highest role wins": (["teams/nlp", "teams/nlp/admins", "audit"], {"nlp": Role.ADMIN}),
    "a viewer stays a viewer": (["audit"], {"nlp": Role.VIEWER}),
    "a group counts once": (["teams/nlp", "teams/nlp"], {"nlp": Role.MEMBER}),
    "part of a name is no match": (["teams/nl", "teams/nlp/", "Teams/nlp", " teams/nlp"], {}),
}


@pytest.mark.parametrize(("groups", "wanted"), CASES.values(), ids=CASES)
def test_groups_lead_to_tenants(groups: list[str], wanted: dict[str, Role]) -> None:
    assert tenants_for_groups(groups, TENANTS) == wanted


GROUPS = st.lists(st.sampled_from(["teams/nlp", "teams/nlp/admins", "audit", "teams/vision", "other"]))


@given(GROUPS, st.randoms())
def test_the_order_of_groups_and_tenants_never_matters(groups: list[str], random: object) -> None:
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    backwards = dict(reversed(list(TENANTS.items())))
    assert tenants_for_groups(groups, TENANTS) == tenants_for_groups(shuffled, backwards)


@given(GROUPS, GROUPS)
def test_more_groups_never_take_a_role_away(groups: list[str], more: list[str]) -> None:
    before, after = tenants_for_groups(groups, TENANTS), tenants_for_groups(groups + more, TENANTS)
    assert all(after[tenant] >= role for tenant, role in before.items())


@pytest.mark.parametrize(
    ("memberships", "wanted"),
    [
        pytest.param({}, [], id="no tenant, no group"),
        pytest.param({"nlp": Role.MEMBER}, ["tenant-nlp"], id="a member"),
        pytest.param({"nlp": Role.ADMIN}, ["tenant-nlp", "tenant-nlp-admin"], id="an admin is a member too"),
        pytest.param({"nlp": Role.VIEWER}, ["tenant-nlp-viewer"], id="a viewer is no member"),
        pytest.param(
            {"vision": Role.MEMBER, "nlp": Role.VIEWER}, ["tenant-nlp-viewer", "tenant-vision"], id="in order of names"
        ),
    ],
)
def test_hub_groups_of_memberships(memberships: dict[str, Role], wanted: list[str]) -> None:
    assert hub_groups(memberships) == wanted
