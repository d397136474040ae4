"""Rights are rendered from the tenants, and narrowed to one of them for a server."""

from __future__ import annotations

import pytest

from aifactory_hub.auth.roles import keep_tenant, load_roles, server_token_scopes
from aifactory_hub.constants import JOB_SCOPES, SCOPE_READ

FORBIDDEN = ("admin:", "tokens", "groups", "servers", "access:servers", "inherit", "self", "proxy", "shutdown")


def scopes_of(role: str) -> set[str]:
    return {scope for r in load_roles(["nlp", "vision"]) if r["name"] == role for scope in r["scopes"]}


def test_a_member_may_use_jobs_in_her_tenant_only() -> None:
    assert scopes_of("tenant-nlp-member") == {
        "access:services!service=aifactory",
        *(f"{scope}!group=tenant-nlp" for scope in JOB_SCOPES),
    }


def test_a_viewer_may_only_read() -> None:
    assert scopes_of("tenant-nlp-viewer") == {
        "access:services!service=aifactory",
        f"{SCOPE_READ}!group=tenant-nlp",
    }


@pytest.mark.parametrize("role", load_roles(["nlp", "vision"]), ids=lambda role: role["name"])
def test_no_role_can_reach_servers_tokens_or_groups(role: dict[str, list[str]]) -> None:
    assert not [scope for scope in role["scopes"] if scope.startswith(FORBIDDEN)]


def test_every_scope_of_a_tenants_role_is_narrowed_to_it() -> None:
    for role in load_roles(["nlp"]):
        if "groups" in role:
            assert all("!group=tenant-nlp" in s or s.startswith("access:services!") for s in role["scopes"])


def test_a_servers_token_keeps_its_own_tenant_and_nothing_of_another() -> None:
    held = ["access:servers!server=ada/", "users:activity!user=ada", "access:services!service=aifactory"]
    jobs = [f"{scope}!group=tenant-{tenant}" for scope in JOB_SCOPES for tenant in ("nlp", "vision", "nlp2")]
    kept = keep_tenant([*held, *jobs], "nlp")
    assert kept == sorted([*held, *(f"{scope}!group=tenant-nlp" for scope in JOB_SCOPES)])


def test_a_job_scope_for_all_tenants_does_not_survive_the_narrowing() -> None:
    assert keep_tenant(JOB_SCOPES, "nlp") == []


def test_a_server_asks_for_no_right_over_users_tokens_or_groups() -> None:
    assert set(server_token_scopes()) == {
        "access:servers!server",
        "users:activity!user",
        "access:services!service=aifactory",
        *JOB_SCOPES,
    }
