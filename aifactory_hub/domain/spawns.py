"""May this server start, where, and with what? Decided before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aifactory_profiles import Catalogue, Profile

from .environment_fit import Sizes, check_pairing
from .environments import Choice, Offering, choose_environment
from .quota import Fits, Usage, check_quota, check_user
from .refusals import Refusal, RefusalReason
from .tenants import Role, Tenant

_NO_ENVIRONMENTS = Offering()


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What the user chose: None where nothing was chosen. ``wait``: in the queue, if nothing is free.

    ``environment`` is a name, or ``name@version``.
    """

    tenant: str | None
    profile: str | None
    wait: bool = False
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """What was gathered of one tenant. ``usage`` is None when the host did not answer; ``unavailable`` is
    why the tenant's vCluster can't take a server now, or None."""

    usage: Usage | None
    unavailable: str | None = None


@dataclass(frozen=True, slots=True)
class SpawnPlan:
    """Where the server goes, what it takes, and whether it may wait for it.

    ``choice`` is what it is made of, None where the site has no environments; ``advice`` is what speaks against it on
    this profile without stopping it.
    """

    tenant: Tenant
    profile: Profile
    wait: bool = False
    choice: Choice | None = None
    advice: str = ""


def choose_tenant(
    asked: str | None, memberships: Mapping[str, Role], tenants: Mapping[str, Tenant]
) -> Tenant | Refusal:
    """The tenant that was asked for, or the only one that the user may use; a refusal names the choices.

    A tenant that exists and one that does not are refused in the same words: names of teams that one is not
    in are not for guessing.
    """
    usable = sorted(t for t, role in memberships.items() if role >= Role.MEMBER and t in tenants)
    if not usable:
        return Refusal(
            RefusalReason.NOT_A_MEMBER,
            "You are in no team that may start servers. Ask a team's admin to add you to the team's group.",
            field="tenant",
        )
    choices = ", ".join(usable)
    if not asked:
        if len(usable) == 1:
            return tenants[usable[0]]
        return Refusal(RefusalReason.CHOICE_MISSING, f"Choose a team: {choices}.", field="tenant")
    if asked not in usable:
        message = f"You can't start servers in team {asked!r}. Your teams: {choices}."
        return Refusal(RefusalReason.NOT_A_MEMBER, message, field="tenant")
    return tenants[asked]


def choose_profile(asked: str | None, tenant: Tenant, catalogue: Catalogue) -> Profile | Refusal:
    """The profile that was asked for, if the tenant has it; a refusal names the tenant's profiles.

    The model may be left out (``mig-1g.10gb`` for ``h100-80gb:mig-1g.10gb``) where the tenant has the slice of one
    model only: what may be meant is then one size.
    """
    choices = ", ".join(tenant.profiles)
    if not asked:
        return Refusal(RefusalReason.CHOICE_MISSING, f"Choose a profile: {choices}.", field="profile")
    meant = [asked] if asked in tenant.profiles else _of_every_model(asked, tenant)
    if len(meant) > 1:
        message = f"Profile {asked!r} is a slice of several GPU models. Say which: {', '.join(meant)}."
        return Refusal(RefusalReason.CHOICE_MISSING, message, field="profile")
    if not meant:
        message = f"Team {tenant.name} has no profile {asked!r}. Its profiles: {choices}."
        return Refusal(RefusalReason.PROFILE_NOT_ALLOWED, message, field="profile")
    return catalogue.profile(meant[0])


def _of_every_model(slice_name: str, tenant: Tenant) -> list[str]:
    return [name for name in tenant.profiles if name.partition(":")[2] == slice_name]


def menu(tenant: Tenant, catalogue: Catalogue) -> tuple[Profile, ...]:
    """The tenant's profiles, in the order in which the registry lists them."""
    return tuple(catalogue.profile(name) for name in tenant.profiles)


def sizes_of(tenant: Tenant, catalogue: Catalogue, driver: tuple[int, ...] | None) -> Sizes:
    """The tenant's menu as environments are held against it."""
    return Sizes(menu(tenant, catalogue), catalogue.cards, driver)


def plan_choice(
    request: SpawnRequest,
    memberships: Mapping[str, Role],
    tenants: Mapping[str, Tenant],
    catalogue: Catalogue,
    offering: Offering = _NO_ENVIRONMENTS,
) -> SpawnPlan | Refusal:
    """What was chosen, if it may be chosen at all: needs no facts about what runs."""
    tenant = choose_tenant(request.tenant, memberships, tenants)
    if isinstance(tenant, Refusal):
        return tenant
    profile = choose_profile(request.profile, tenant, catalogue)
    if isinstance(profile, Refusal):
        return profile
    choice = choose_environment(request.environment, tenant, offering.environments, offering.now)
    if choice is None or isinstance(choice, Refusal):
        return choice or SpawnPlan(tenant, profile, request.wait)
    pairing = check_pairing(choice, profile, sizes_of(tenant, catalogue, offering.driver))
    if isinstance(pairing, Refusal):
        return pairing
    return SpawnPlan(tenant, profile, request.wait, choice, pairing.why)


def admit_plan(
    plan: SpawnPlan, facts: TenantFacts, catalogue: Catalogue, user: str | None = None
) -> SpawnPlan | Refusal:
    """Whether the plan may go ahead given what runs now. What is not known refuses: deny unless allowed.

    What is only taken for now is no refusal for somebody who is ready to wait. ``user`` is held to the tenant's limit
    for one person. Whatever else may speak against a plan, such as a budget, is one more check here that refuses with
    its numbers.
    """
    if facts.unavailable is not None:
        message = f"Team {plan.tenant.name} can't start servers now: {facts.unavailable}"
        return Refusal(RefusalReason.TENANT_UNAVAILABLE, message, field="tenant")
    if facts.usage is None:
        message = "The cluster does not say now what is in use, so nothing new is started. Try again in a minute."
        return Refusal(RefusalReason.QUOTA_UNKNOWN, message, field="profile")
    if user is not None:
        mine = check_user(plan.tenant.name, plan.tenant.quota, facts.usage, plan.profile, user)
        if isinstance(mine, Refusal):
            return mine
    sizes = menu(plan.tenant, catalogue)
    verdict = check_quota(plan.tenant.quota, facts.usage, plan.profile, sizes, notebook=True)
    if isinstance(verdict, Fits) or (plan.wait and verdict.reason is RefusalReason.QUOTA_EXCEEDED):
        return plan
    return verdict
