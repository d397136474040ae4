"""The hub groups of memberships."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.tenants import Role, administered, hub_groups, seen


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


def test_who_administers_what() -> None:
    groups = hub_groups({"nlp": Role.ADMIN, "vision": Role.MEMBER, "gone": Role.ADMIN})
    assert administered(groups, ["vision", "nlp"]) == ["nlp"]


def test_who_belongs_where_in_whichever_role() -> None:
    groups = hub_groups({"nlp": Role.ADMIN, "vision": Role.VIEWER, "gone": Role.MEMBER})
    assert seen(groups, ["vision", "audio", "nlp"]) == ["vision", "nlp"]
