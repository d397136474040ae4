"""What is said of bad rules from groups to tenants: file, line, key, what is wrong and what to write instead."""

from __future__ import annotations

import pytest

from aifactory_hub.registry import read_registry

from .files import SOURCE, changed, problems

START = "  groups_claim: [groups]"
FIRST = f"{SOURCE}:14: identity.tenant_mapping[0]"

# name: (the rules, each on a line of its own from line 14 on, what is said)
CASES: dict[str, tuple[list[str], list[str]]] = {
    "an unknown tenant": (
        ["{group: x, tenant: npl, role: member}"],
        [f"{FIRST}.tenant: there is no tenant 'npl'; did you mean nlp?"],
    ),
    "an invalid pattern": (
        ["{pattern: '/t/(', tenant: nlp, role: member}"],
        [
            f"{FIRST}.pattern: the pattern can't be used: missing ): /t/(; "
            "write an RE2 pattern, for example /teams/(?P<tenant>[a-z0-9-]+)"
        ],
    ),
    "a pattern that fits anything": (
        ["{pattern: '(?P<tenant>.*)', role: admin}"],
        [
            f"{FIRST}.pattern: the pattern fits any name, even 'z'; "
            "add what the names have in common, for example /teams/"
        ],
    ),
    "a group that a tenant claims": (
        ["{group: teams/nlp, tenant: vision, role: admin}"],
        [
            f"{FIRST}.group: group 'teams/nlp' is claimed by tenant nlp in line 32 already; "
            "let one rule of one tenant claim it"
        ],
    ),
    "an id given twice": (
        ["{id: 3f, tenant: nlp, role: member}", "{group: 3f, tenant: nlp, role: admin}"],
        [
            f"{SOURCE}:15: identity.tenant_mapping[1].group: group '3f' is claimed by this tenant in line 14 already; "
            "let one rule of one tenant claim it"
        ],
    ),
    "a pattern given twice": (
        ["{pattern: /t/x, tenant: nlp, role: member}", "{pattern: /t/x, tenant: vision, role: admin}"],
        [f"{SOURCE}:15: identity.tenant_mapping[1].pattern: the pattern stands in line 14 already; remove one"],
    ),
    "two names that look alike": (
        ["{group: /Teams/NLP, tenant: vision, role: member}"],
        [
            f"{FIRST}.group: group '/Teams/NLP' looks like 'teams/nlp' in line 32; "
            "give the two the same tenant and role, or rename one"
        ],
    ),
    "a rule without a group": (
        ["{tenant: nlp, role: member}"],
        [
            f"{FIRST}: the rule says no group; write one of `group`, `id` or `pattern`, "
            "for example `pattern: '/teams/(?P<tenant>[a-z0-9-]+)'`"
        ],
    ),
    "a rule with two": (
        ["{group: x, id: y, tenant: nlp, role: member}"],
        [f"{FIRST}: the rule has group and id; write one of `group`, `id` or `pattern`"],
    ),
    "an exact rule without tenant and role": (
        ["{group: x}"],
        [
            f"{FIRST}: the rule says no tenant; add for example `tenant: nlp`",
            f"{FIRST}: the rule says no role; add for example `role: member`",
        ],
    ),
    "a name with a space that nobody sees": (
        ["{group: 'x ', tenant: nlp, role: member}"],
        [f"{FIRST}.group: 'x ' has spaces at an end, or a character that can't be seen; remove it"],
    ),
    "a role that is none": (
        ["{pattern: '/t/(?P<tenant>.+)/(?P<role>.+)', roles: {boss: owner}}"],
        [f"{FIRST}.roles.boss: 'owner' is not a role; the roles are viewer, member, admin"],
    ),
}


@pytest.mark.parametrize(("rules", "said"), CASES.values(), ids=CASES)
def test_a_bad_rule_is_refused_with_its_line(rules: list[str], said: list[str]) -> None:
    written = "".join(f"\n    - {rule}" for rule in rules)
    found = problems(changed(START, f"{START}\n  tenant_mapping:{written}"))
    assert [line for line in found if "the pattern captures a role" not in line] == said


def test_a_tenant_may_be_reached_by_a_shared_rule_alone() -> None:
    rule = "{pattern: '/t/(?P<tenant>[a-z]+)', role: member}"
    text = changed(START, f"{START}\n  tenant_mapping: [{rule}]")
    text = text.replace("    groups:\n      - {group: teams/vision, role: member}\n", "")
    mapping = read_registry(text, SOURCE).mapping()
    assert {tenant: role.label for tenant, role in mapping.roles(["/t/vision"]).items()} == {"vision": "member"}


@pytest.mark.parametrize("ending", ["admin", "member", "viewer"])
def test_a_role_word_can_not_end_a_tenants_name(ending: str) -> None:
    found = problems(changed("  vision:\n", f"  vision-{ending}:\n"))
    assert found == [
        f"{SOURCE}:35: tenants.vision-{ending}: the name ends in -{ending}, "
        "which marks the hub groups of a tenant's roles; use a name such as vision"
    ]
