"""What a person may start: the choice, and the admission of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from aifactory_hub.domain.quota import Holder, Quota, Usage
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.spawns import (
    SpawnPlan,
    SpawnRequest,
    TenantFacts,
    admit_plan,
    choose_profile,
    menu,
    plan_choice,
)
from aifactory_hub.domain.tenants import Role
from aifactory_profiles import Profile, load_catalogue

from ..support.tenants import LARGE, SMALL, make_catalogue, make_tenant

CATALOGUE = make_catalogue()
TENANTS = {
    "nlp": make_tenant("nlp"),
    "vision": make_tenant("vision", profiles=("mig-1g.10gb",), quota={SMALL: 1}),
}
ONE_TEAM = {"nlp": Role.MEMBER}
TWO_TEAMS = {"nlp": Role.ADMIN, "vision": Role.MEMBER}


@dataclass(frozen=True)
class Choice:
    """A request and what becomes of it: a (tenant, profile) or a refusal."""

    tenant: str | None
    profile: str | None
    memberships: dict[str, Role] = field(default_factory=lambda: ONE_TEAM)
    plan: tuple[str, str] | None = None
    reason: RefusalReason | None = None
    says: str = ""


CHOICES = {
    "a member chooses": Choice("nlp", "mig-1g.10gb", plan=("nlp", "mig-1g.10gb")),
    "the only team need not be named": Choice(None, "cpu-small", plan=("nlp", "cpu-small")),
    "an empty field is no choice": Choice("", "cpu-small", plan=("nlp", "cpu-small")),
    "one of two teams": Choice("vision", "mig-1g.10gb", TWO_TEAMS, plan=("vision", "mig-1g.10gb")),
    "two teams and none named": Choice(
        None, "mig-1g.10gb", TWO_TEAMS, reason=RefusalReason.CHOICE_MISSING, says="Choose a team: nlp, vision."
    ),
    "no profile named": Choice(
        "vision", None, TWO_TEAMS, reason=RefusalReason.CHOICE_MISSING, says="Choose a profile: mig-1g.10gb."
    ),
    "somebody else's team": Choice(
        "vision",
        "mig-1g.10gb",
        reason=RefusalReason.NOT_A_MEMBER,
        says="You can't start servers in team 'vision'. Your teams: nlp.",
    ),
    "a team that does not exist, in the same words": Choice(
        "robots",
        "mig-1g.10gb",
        reason=RefusalReason.NOT_A_MEMBER,
        says="You can't start servers in team 'robots'. Your teams: nlp.",
    ),
    "a viewer starts nothing": Choice(
        "nlp", "cpu-small", {"nlp": Role.VIEWER}, reason=RefusalReason.NOT_A_MEMBER, says="in no team that may start"
    ),
    "a member of a team that left the registry": Choice(
        "old", "cpu-small", {"old": Role.MEMBER}, reason=RefusalReason.NOT_A_MEMBER, says="in no team that may start"
    ),
    "a profile of another team": Choice(
        "vision",
        "mig-3g.40gb",
        TWO_TEAMS,
        reason=RefusalReason.PROFILE_NOT_ALLOWED,
        says="Team vision has no profile 'mig-3g.40gb'. Its profiles: mig-1g.10gb.",
    ),
    "a profile of the card that the team's menu lacks": Choice(
        "nlp", "mig-7g.80gb", reason=RefusalReason.PROFILE_NOT_ALLOWED, says="no profile 'mig-7g.80gb'"
    ),
}


TWO_MODELS = load_catalogue(["h100-80gb", "a100-40gb"])


def _asked(profile: str, *offered: str) -> Profile | Refusal:
    return choose_profile(profile, make_tenant("nlp", profiles=offered), TWO_MODELS)


def test_the_model_may_be_left_out_where_the_team_has_the_slice_of_one() -> None:
    found = _asked("mig-1g.10gb", "mig-3g.40gb", "a100-40gb:mig-1g.10gb")
    assert isinstance(found, Profile) and found.name == "a100-40gb:mig-1g.10gb"


def test_a_slice_of_two_models_is_not_guessed() -> None:
    refused = _asked("mig-1g.10gb", "h100-80gb:mig-1g.10gb", "a100-40gb:mig-1g.10gb")
    assert isinstance(refused, Refusal) and refused.reason is RefusalReason.CHOICE_MISSING
    assert "h100-80gb:mig-1g.10gb, a100-40gb:mig-1g.10gb" in refused.message


def test_a_part_of_a_name_is_no_name() -> None:
    for part in ("1g.10gb", "a100-40gb", "a100-40gb:", ":mig-1g.10gb"):
        refused = _asked(part, "a100-40gb:mig-1g.10gb")
        assert isinstance(refused, Refusal) and refused.reason is RefusalReason.PROFILE_NOT_ALLOWED


@pytest.mark.parametrize("case", CHOICES.values(), ids=CHOICES)
def test_what_becomes_of_a_choice(case: Choice) -> None:
    verdict = plan_choice(SpawnRequest(case.tenant, case.profile), case.memberships, TENANTS, CATALOGUE)
    if case.plan is not None:
        assert isinstance(verdict, SpawnPlan)
        assert (verdict.tenant.name, verdict.profile.name) == case.plan
        return
    assert isinstance(verdict, Refusal)
    assert verdict.reason is case.reason
    assert case.says in verdict.message


def plan(profile: str) -> SpawnPlan:
    return SpawnPlan(TENANTS["nlp"], CATALOGUE.profile(profile))


def test_a_plan_with_room_is_admitted_as_it_is() -> None:
    wanted = plan("mig-1g.10gb")
    assert admit_plan(wanted, TenantFacts(Usage()), CATALOGUE) == wanted


def test_a_full_quota_refuses_and_names_what_fits_instead() -> None:
    verdict = admit_plan(plan("mig-1g.10gb"), TenantFacts(Usage({SMALL: 1})), CATALOGUE)
    assert isinstance(verdict, Refusal)
    assert verdict.reason is RefusalReason.QUOTA_EXCEEDED
    assert (verdict.flavor, verdict.resource, verdict.asked, verdict.used, verdict.limit) == (*SMALL, 1, 1, 1)
    assert verdict.fits_now == ("cpu-small", "mig-3g.40gb")


def test_unknown_usage_refuses_even_what_takes_no_device() -> None:
    verdict = admit_plan(plan("cpu-small"), TenantFacts(None), CATALOGUE)
    assert isinstance(verdict, Refusal)
    assert verdict.reason is RefusalReason.QUOTA_UNKNOWN


def test_an_unavailable_tenant_refuses_with_its_reason_before_anything_else() -> None:
    facts = TenantFacts(None, unavailable="its vCluster does not answer")
    verdict = admit_plan(plan("mig-1g.10gb"), facts, CATALOGUE)
    assert isinstance(verdict, Refusal)
    assert verdict.reason is RefusalReason.TENANT_UNAVAILABLE
    assert verdict.message == "Team nlp can't start servers now: its vCluster does not answer"


def test_the_menu_keeps_the_registry_s_order() -> None:
    tenant = make_tenant("nlp", profiles=("mig-3g.40gb", "cpu-small"), quota={LARGE: 1})
    assert [profile.name for profile in menu(tenant, CATALOGUE)] == ["mig-3g.40gb", "cpu-small"]


def test_a_person_at_her_team_s_limit_is_refused_though_she_would_wait() -> None:
    tenant = replace(make_tenant("nlp"), quota=Quota({SMALL: 5}, per_user={SMALL: 1}))
    mine = Usage({SMALL: 1}, (Holder("server", "a", "ada", {SMALL: 1}),))
    wanted = SpawnPlan(tenant, CATALOGUE.profile("mig-1g.10gb"), wait=True)
    verdict = admit_plan(wanted, TenantFacts(mine), CATALOGUE, "ada")
    assert isinstance(verdict, Refusal) and verdict.reason is RefusalReason.USER_LIMIT
    assert admit_plan(wanted, TenantFacts(mine), CATALOGUE, "bob") == wanted
