"""From identity-provider groups to tenants and roles: rules one by one, and what holds for all of them."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.mapping import ExactRule, Match, PatternRule, Rule, TenantMapping, normalised, pattern_problem
from aifactory_hub.domain.rule_trace import trace
from aifactory_hub.domain.tenants import Role, hub_groups

from ..support.tenants import make_tenant

TENANTS = {
    "nlp": make_tenant("nlp", groups={"teams/nlp": Role.MEMBER, "teams/nlp/admins": Role.ADMIN, "audit": Role.VIEWER}),
    "vision": make_tenant("vision", groups={"teams/vision": Role.MEMBER}),
}
WORDS = {"admins": Role.ADMIN, "viewers": Role.VIEWER}
TEAMS = PatternRule("/t/(?P<tenant>[a-z0-9-]+)(/(?P<role>[a-z]+))?", None, Role.MEMBER, WORDS, "the pattern")
RULES: list[Rule] = [
    TEAMS,
    ExactRule("3f2b5c1e", "vision", Role.ADMIN, "the id"),
    ExactRule("lost", "robots", Role.ADMIN, "a stray rule"),
    PatternRule("(?i)audit-[0-9]+", "nlp", Role.VIEWER),
]
MAPPING = TenantMapping.of(TENANTS, RULES)

CASES: dict[str, tuple[list[str], dict[str, Role]]] = {
    "no groups": ([], {}),
    "a group that no rule claims": (["teams/robots"], {}),
    "one group": (["teams/vision"], {"vision": Role.MEMBER}),
    "two teams": (["teams/vision", "teams/nlp"], {"nlp": Role.MEMBER, "vision": Role.MEMBER}),
    "the highest role wins": (["teams/nlp", "teams/nlp/admins", "audit"], {"nlp": Role.ADMIN}),
    "a viewer stays a viewer": (["audit"], {"nlp": Role.VIEWER}),
    "part of a name is no match": (["teams/nl", "teams/nlp/", "Teams/nlp", " teams/nlp"], {}),
    "an id": (["3f2b5c1e"], {"vision": Role.ADMIN}),
    "a pattern": (["/t/nlp"], {"nlp": Role.MEMBER}),
    "a pattern with a role": (["/t/nlp/admins"], {"nlp": Role.ADMIN}),
    "a word that means nothing": (["/t/nlp/guests"], {}),
    "a pattern fits a whole name": (["/t/nlp/admins/x", "x/t/nlp", "/t/nlp\n", "/t/NLP", "/t/"], {}),
    "a pattern invents no tenant": (["/t/robots", "/t/robots/admins"], {}),
    "nor does an exact rule": (["lost"], {}),
    "exact and pattern together": (["/t/nlp/viewers", "teams/nlp"], {"nlp": Role.MEMBER}),
    "a pattern for one tenant": (["AUDIT-7"], {"nlp": Role.VIEWER}),
    "letters that look like others": (["/t/nl\u0440", "teams/n\uff4cp"], {}),
}


@pytest.mark.parametrize(("groups", "wanted"), CASES.values(), ids=CASES)
def test_groups_lead_to_tenants(groups: list[str], wanted: dict[str, Role]) -> None:
    assert MAPPING.roles(groups) == wanted


def test_each_rule_that_fits_is_told_with_what_it_gives_or_why_it_gives_nothing() -> None:
    assert MAPPING.matches(["/t/nlp/guests", "/t/robots", "lost", "other", "teams/nlp"]) == [
        Match("/t/nlp/guests", "the pattern", "nlp", None, "it says nothing of the role 'guests'"),
        Match("/t/robots", "the pattern", None, None, "there is no tenant 'robots'"),
        Match("lost", "a stray rule", None, None, "there is no tenant 'robots'"),
        Match("teams/nlp", "rule 1 of tenant nlp", "nlp", Role.MEMBER),
    ]
    assert list(trace(MAPPING, ["/t/robots", "teams/nlp/admins"])) == [
        "group /t/robots: nothing, there is no tenant 'robots' (the pattern)",
        "group teams/nlp/admins: admin of nlp (rule 2 of tenant nlp)",
        "tenant nlp: admin",
        "hub groups: tenant-nlp, tenant-nlp-admin",
    ]


PARTS = st.sampled_from(
    ["/t/", "teams/", "nlp", "vision", "robots", "/admins", "/viewers", "audit", "-7", "3f2b5c1e", "X"]
)
NAMES = st.one_of(st.lists(PARTS, max_size=4).map("".join), st.text(max_size=12))
GROUPS = st.lists(NAMES, max_size=8)


@given(GROUPS)
def test_no_group_makes_a_tenant_that_is_not_in_the_registry(groups: list[str]) -> None:
    assert set(MAPPING.roles(groups)) <= set(TENANTS)


@given(GROUPS, GROUPS)
def test_removing_groups_never_adds_a_role(groups: list[str], more: list[str]) -> None:
    fewer, all_of_them = MAPPING.roles(groups), MAPPING.roles(groups + more)
    assert all(all_of_them[tenant] >= role for tenant, role in fewer.items())


@given(GROUPS, st.randoms(use_true_random=False))
def test_the_order_of_groups_tenants_and_rules_never_matters(groups: list[str], order: random.Random) -> None:
    shuffled, rules = list(groups), list(RULES)
    order.shuffle(shuffled)
    order.shuffle(rules)
    assert TenantMapping.of(dict(reversed(TENANTS.items())), rules).roles(shuffled) == MAPPING.roles(groups)


@given(GROUPS)
def test_what_is_told_of_the_rules_is_what_they_give(groups: list[str]) -> None:
    told: dict[str, Role] = {}
    for match in MAPPING.matches(groups):
        if match.tenant is not None and match.role is not None:
            told[match.tenant] = max(match.role, told.get(match.tenant, match.role))
    assert TenantMapping.of(TENANTS, RULES).roles(groups) == told


def test_half_a_character_leads_nowhere() -> None:
    assert MAPPING.roles(["/t/\ud800", "\ud800"]) == {}
    assert MAPPING.matches(["/t/\ud800"]) == []


def test_more_names_than_are_remembered_lead_where_each_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aifactory_hub.domain.mapping._REMEMBERED", 3)
    mapping = TenantMapping.of(TENANTS, RULES)
    for _ in range(2):
        assert mapping.roles(["/t/nlp", "a", "b", "c", "d"]) == {"nlp": Role.MEMBER}
        assert mapping.roles(["a", "/t/vision"]) == {"vision": Role.MEMBER}


EXACT = TenantMapping.of(TENANTS, [rule for rule in RULES if isinstance(rule, ExactRule)])


@given(NAMES)
def test_without_a_pattern_only_the_very_names_of_the_rules_lead_anywhere(group: str) -> None:
    assert bool(EXACT.roles([group])) == (
        group in {"teams/nlp", "teams/nlp/admins", "audit", "teams/vision", "3f2b5c1e"}
    )


@given(st.text(max_size=6), st.text(max_size=6))
def test_a_pattern_leads_two_names_to_one_tenant_only_by_what_it_captures(one: str, other: str) -> None:
    tenants = {tenant for name in (one, other) for tenant in MAPPING.roles([f"/t/{name}"])}
    for name in (one, other):
        for tenant in MAPPING.roles([f"/t/{name}"]):
            assert name.split("/")[0] == tenant
    assert tenants <= set(TENANTS)


NAME = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not name.endswith(("-admin", "-member", "-viewer"))
)


@given(st.sets(NAME, min_size=2, max_size=4))
def test_no_two_memberships_share_a_hub_group_that_tells_them_apart(names: set[str]) -> None:
    for one, other in itertools.permutations(names, 2):
        for role in Role:
            assert not set(hub_groups({one: role})) & {f"tenant-{other}", f"tenant-{other}-admin"}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (PatternRule("(a", "nlp", Role.MEMBER), "can't be used: missing )"),
        (PatternRule("a(?=b)", "nlp", Role.MEMBER), "can't be used: invalid perl operator"),
        (PatternRule("((a{100}){100}){100}", "nlp", Role.MEMBER), "can't be used"),
        (PatternRule("/t/(?P<team>x)", "nlp", Role.MEMBER), "captures team"),
        (PatternRule("/t/x", None, Role.MEMBER), "says no tenant"),
        (PatternRule("/t/(?P<tenant>x)", "nlp", Role.MEMBER), "both captures the tenant and names one"),
        (PatternRule("/t/(?P<role>x)", "nlp", Role.MEMBER), "nothing says what its words mean"),
        (PatternRule("/t/x", "nlp", Role.MEMBER, WORDS), "captures no role"),
        (PatternRule("/t/x", "nlp"), "says no role"),
        (PatternRule(".*", "nlp", Role.MEMBER), "fits any name"),
        (PatternRule("(?P<tenant>[a-z0-9-]+)", None, Role.MEMBER), "fits any name"),
        (PatternRule("(?P<tenant>[a-z]{3})", None, Role.MEMBER), "fits any name"),
        (PatternRule("/teams/x|.+", "nlp", Role.MEMBER), "fits any name"),
        (PatternRule("[^/]+/.*", "nlp", Role.MEMBER), "fits any name"),
        (PatternRule("(abc)?", "nlp", Role.MEMBER), "fits an empty name"),
    ],
    ids=lambda value: value.pattern if isinstance(value, PatternRule) else None,
)
def test_a_bad_pattern_is_named(rule: PatternRule, said: str) -> None:
    problem = pattern_problem(rule)
    assert problem is not None
    assert said in problem[0]
    assert problem[1]


@pytest.mark.parametrize("pattern", ["/t/(?P<tenant>.+)", "(?P<tenant>[a-z]+)-users", r"CN=(?P<tenant>\w+),OU=ai"])
def test_a_good_pattern_has_no_problem(pattern: str) -> None:
    assert pattern_problem(PatternRule(pattern, None, Role.MEMBER)) is None


def test_many_patterns_with_as_many_beginnings_lead_where_each_leads() -> None:
    names = [f"team{number}" for number in range(100)]
    rules = [PatternRule(f"/{name}/(?P<tenant>{name})", None, Role.MEMBER) for name in names]
    mapping = TenantMapping(rules, names)
    assert mapping.roles([f"/{name}/{name}" for name in names]) == dict.fromkeys(names, Role.MEMBER)


def test_a_pattern_that_would_hang_a_backtracking_engine_does_not() -> None:
    rule = PatternRule("/t/(?P<tenant>(a+)+)b", None, Role.MEMBER)
    assert TenantMapping([rule], ["a"]).roles(["/t/" + "a" * 100_000]) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [("/Teams/NLP", "teams/nlp"), ("teams/nlp/", "teams/nlp"), ("ﬁrst", "first"), ("STRASSE", "straße")],
)
def test_names_that_a_person_takes_for_one_are_normalised_alike(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


ODD_NAMES = [
    "xteams/nlp", "teams/nlp\nteams/vision", "\nteams/nlp", "teams/nlp\n", "teams/nlp\r\n", "TEAMS/NLP", "teams/nlp ",
    "teams/nlp\x00", "teams/nlp/", "teams//nlp", "\uff54eams/nlp", "teams/nlp\u200b", "/teams/nlp", "teams/nlp/admins/",
    "teams/nlp\r\nSet-Cookie: x=1",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_only_resembles_a_group_leads_nowhere(name: str) -> None:
    rules: list[Rule] = [
        ExactRule("teams/nlp", "nlp", Role.MEMBER),
        PatternRule("teams/v[a-z]+", "vision", Role.MEMBER),
    ]
    mapping = TenantMapping(rules, ["nlp", "vision"])
    assert mapping.roles([name]) == {}
    assert mapping.claimed([name, "teams/nlp", name, "teams/vision"]) == ["teams/nlp", "teams/vision"]
