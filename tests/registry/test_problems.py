"""What is said of a bad file: file, line, key, what is wrong and what to write instead. Exactly."""

from __future__ import annotations

import pytest

from .files import GOOD, SOURCE, changed, problems

START = "start with `apiVersion: aifactory-hub.io/v1` and `hub: main`"
ROLES = "the roles are viewer, member, admin"
SLICES = "mig-1g.10gb, mig-1g.10gb.me, mig-1g.20gb, mig-2g.20gb, mig-3g.40gb, mig-4g.40gb, mig-7g.80gb"

# name: (what the good file has, what stands there instead, the one line that is said)
CASES: dict[str, tuple[str, str, str]] = {
    # Keys
    "unknown key at the top": ("hub: main", "hub: main\nhubs: x", "3: hubs: unknown key; did you mean hub?"),
    "unknown key in a section": (
        "cohort: factory",
        "cohrt: factory",
        "7: cluster.cohrt: unknown key; did you mean cohort?",
    ),
    "unknown key of a profile": (
        "gpu: none, cpu: 250m",
        "gpu: none, cpus: 1, cpu: 250m",
        "23: profiles.cpu-small.cpus: unknown key; did you mean cpu?",
    ),
    "unknown key of a tenant": (
        "display_name: Language",
        "colour: 5",
        "27: tenants.nlp.colour: unknown key; "
        "the keys here are display_name, vcluster, groups, profiles, quota, borrowing, "
        "lending, notebooks, per_user, weight, limits, sleep_after, retire, template, expires, budgets, volumes, "
        "channel",
    ),
    "unknown key of a vCluster": (
        "{namespace: vc-nlp, name: nlp}",
        "{namespace: vc-nlp, name: nlp, nmae: x}",
        "28: tenants.nlp.vcluster.nmae: unknown key; did you mean name?",
    ),
    "unknown key of a group rule": (
        "group: teams/vision, role: member",
        "group: teams/vision, roles: x, role: member",
        "38: tenants.vision.groups[0].roles: unknown key; did you mean role?",
    ),
    "a key given twice": (
        "hub: main",
        "hub: main\nhub: other",
        "3: hub: given twice, first in line 2; keep one of the two",
    ),
    "a quota given twice": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3, mig-1g.10gb: 2}",
        "40: tenants.vision.quota.mig-1g.10gb: given twice, first in line 40; keep one of the two",
    ),
    "a missing section": (
        "notebook:\n  image: images.example.org/notebook:1\n  storage_class: fast\n",
        "",
        "1: notebook: is missing; add for example `notebook: {image: images.example.org/notebook:1.0}`",
    ),
    "an empty section": (
        "addresses:\n  hub_api: http://hub.example.org:8081/hub/api\n  service: http://hub.example.org/services/aifactory/\n",
        "addresses:\n",
        "13: addresses: is empty; write for example {hub_api: ..., service: ...}",
    ),
    "a missing version": (
        "apiVersion: aifactory-hub.io/v1\n",
        "",
        "1: apiVersion: is missing; add for example `apiVersion: aifactory-hub.io/v1`",
    ),
    "a version from the future": (
        "aifactory-hub.io/v1",
        "aifactory-hub.io/v9",
        "1: apiVersion: 'aifactory-hub.io/v9' is not possible here; write aifactory-hub.io/v1",
    ),
    # Secrets
    "a secret in the file": (
        "client_id: aifactory-hub",
        "client_id: aifactory-hub\n  client_secret: hunter2",
        "12: identity.client_secret: secrets do not belong in this file; "
        "remove it and give the hub AIFACTORY_HUB_CLIENT_SECRET in its environment",
    ),
    "a password in an address": (
        "https://idp.example.org/dex",
        "https://me:hunter2@idp.example.org/dex",
        "10: identity.issuer: the address carries a user name or password; "
        "leave them out, this file is no place for secrets",
    ),
    # Tenants
    "a tenant without a vCluster": (
        "    vcluster: {namespace: vc-vision, name: vision}\n",
        "",
        "35: tenants.vision.vcluster: is missing; add for example `vcluster: {namespace: vc-nlp, name: nlp}`",
    ),
    "a vCluster without a name": (
        "{namespace: vc-vision, name: vision}",
        "{namespace: vc-vision}",
        "36: tenants.vision.vcluster.name: is missing; add for example `name: nlp`",
    ),
    "a vCluster's name that no Service can have": (
        "namespace: vc-vision, name: vision",
        "namespace: vc-vision, name: 1vision",
        "36: tenants.vision.vcluster.name: '1vision' does not start with a letter; use a name such as v1vision",
    ),
    "two tenants in one vCluster": (
        "{namespace: vc-vision, name: vision}",
        "{namespace: vc-nlp, name: nlp}",
        "36: tenants.vision.vcluster.namespace: tenant nlp (line 28) has its vCluster in namespace vc-nlp already; "
        "give each tenant a vCluster in a namespace of its own",
    ),
    "two tenants claim one group": (
        "group: teams/vision,",
        "group: teams/nlp,",
        "38: tenants.vision.groups[0].group: group 'teams/nlp' is claimed by tenant nlp in line 30 already; "
        "let one rule of one tenant claim it",
    ),
    "one tenant claims a group twice": (
        "group: teams/nlp/admins,",
        "group: teams/nlp,",
        "31: tenants.nlp.groups[1].group: group 'teams/nlp' is claimed by this tenant in line 30 already; "
        "let one rule of one tenant claim it",
    ),
    "no groups": (
        "    groups:\n      - {group: teams/vision, role: member}\n",
        "    groups: []\n",
        "37: tenants.vision.groups: is empty; write for example [{group: teams/nlp, role: member}]",
    ),
    "an unknown role": (
        "group: teams/vision, role: member",
        "group: teams/vision, role: membr",
        "38: tenants.vision.groups[0].role: 'membr' is not a role; did you mean member?",
    ),
    "a role like no other": (
        "group: teams/vision, role: member",
        "group: teams/vision, role: 7",
        f"38: tenants.vision.groups[0].role: 7 is not a role; {ROLES}",
    ),
    "a tenant's name in capitals": (
        "  vision:\n",
        "  Vision:\n",
        "35: tenants.Vision: 'Vision' is not a valid name; use lower-case letters, digits and inner dashes, at most 63",
    ),
    "a tenant's name that is a number": (
        "  vision:\n",
        "  2026:\n",
        '35: tenants.2026: 2026 is not text; write a name in quotes, for example "team-7"',
    ),
    "a tenant's name that is too long": (
        "  vision:\n",
        f"  {'v' * 31}:\n",
        f"35: tenants.{'v' * 31}: the name has 31 characters; use 30 at most",
    ),
    "a tenant's name that reads like a role's group": (
        "  vision:\n",
        "  nlp-admin:\n",
        "35: tenants.nlp-admin: the name ends in -admin, which marks the hub groups of a tenant's roles; "
        "use a name such as nlp",
    ),
    "the same for viewers": (
        "  vision:\n",
        "  nlp-viewer:\n",
        "35: tenants.nlp-viewer: the name ends in -viewer, which marks the hub groups of a tenant's roles; "
        "use a name such as nlp",
    ),
    "a tenant that is no mapping": (
        GOOD[GOOD.index("  vision:\n") :],
        "  vision: yes\n",
        "35: tenants.vision: 'yes' is not a mapping; write for example {nlp: {...}}",
    ),
    # Profiles
    "a profile that no card has": (
        "profiles: [mig-1g.10gb]",
        "profiles: [mig-1g.10gb, mig-1g.11gb]",
        "39: tenants.vision.profiles[1]: no card has a profile 'mig-1g.11gb', and `profiles` does not make it; "
        "did you mean mig-1g.10gb?",
    ),
    "a profile like no other": (
        "profiles: [mig-1g.10gb]",
        "profiles: [mig-1g.10gb, ZZZ]",
        "39: tenants.vision.profiles[1]: no card has a profile 'ZZZ', and `profiles` does not make it; "
        f"the profiles are {SLICES}, cpu-small",
    ),
    "a profile listed twice": (
        "profiles: [mig-1g.10gb]",
        "profiles: [mig-1g.10gb, mig-1g.10gb]",
        "39: tenants.vision.profiles[1]: profile 'mig-1g.10gb' is listed twice; remove one of the two",
    ),
    "a GPU profile without any quota": (
        "profiles: [mig-1g.10gb]",
        "profiles: [mig-1g.10gb, mig-3g.40gb]",
        "39: tenants.vision.profiles[1]: tenant vision may hold no nvidia.com/mig-3g.40gb (h100-80gb), "
        "so this profile could never start; add `mig-3g.40gb: 1` to its quota, or remove the profile",
    ),
    "no profiles": (
        "profiles: [mig-1g.10gb]",
        "profiles: []",
        "39: tenants.vision.profiles: is empty; write for example [cpu-small, mig-1g.10gb]",
    ),
    "a site profile that no card has": (
        "  cpu-small: {gpu: none, cpu: 250m, memory: 1Gi}\n",
        "  cpu-small: {gpu: none, cpu: 250m, memory: 1Gi}\n  cpu-large: {cpu: 4, memory: 8Gi}\n",
        "24: profiles.cpu-large: no card of cluster.gpu_models has a slice 'cpu-large'; "
        "for a profile without a GPU add `gpu: none`",
    ),
    "a slice without a GPU": (
        "mig-1g.10gb: {cpu: 500m",
        "mig-1g.10gb: {gpu: none, cpu: 500m",
        "24: profiles.mig-1g.10gb.gpu: mig-1g.10gb is a GPU slice; remove `gpu: none` or rename it",
    ),
    "a GPU that is not none": (
        "gpu: none,",
        "gpu: one,",
        "23: profiles.cpu-small.gpu: 'one' is not possible here; write none, whole or shared",
    ),
    "a profile without a GPU nor memory": (
        "cpu: 250m, memory: 1Gi",
        "cpu: 250m",
        "23: profiles.cpu-small: a profile without a GPU needs cpu and memory; "
        "add for example cpu: 500m and memory: 2Gi",
    ),
    "a limit below the request": (
        "memory: 2Gi, price",
        "memory: 2Gi, memory_limit: 1Gi, price",
        "24: profiles.mig-1g.10gb: memory_limit (1Gi) is below the requested memory (2Gi); "
        "raise the limit or lower memory",
    ),
    "an amount that is none": (
        "memory: 2Gi",
        "memory: 2 GB",
        "24: profiles.mig-1g.10gb.memory: '2 GB' is not an amount of memory; write for example 512Mi or 16Gi",
    ),
    "a price with a currency": (
        "price_per_hour: 0.40",
        "price_per_hour: 0.40 EUR",
        "24: profiles.mig-1g.10gb.price_per_hour: '0.40 EUR' is not a price; "
        "write an amount such as 0.40, without a currency",
    ),
    "a price below nothing": (
        "price_per_hour: 0.40",
        "price_per_hour: -1",
        "24: profiles.mig-1g.10gb.price_per_hour: -1 is not a price; write an amount such as 0.40, without a currency",
    ),
    "a currency that is none": (
        "profiles:\n",
        "billing: {currency: euro}\nprofiles:\n",
        "22: billing.currency: 'euro' is not a currency; write its code of ISO 4217, such as EUR or USD",
    ),
    "approvers of whom there is nobody": (
        "profiles:\n",
        "approvals: {approvers: {security: []}}\nprofiles:\n",
        "22: approvals.approvers.security: is empty, so nobody could approve; write for example [corp/security]",
    ),
    "approvers who are called as the team's administrators": (
        "profiles:\n",
        "approvals: {approvers: {admin: [corp/security]}}\nprofiles:\n",
        "22: approvals.approvers.admin: admin can't be a group of approvers; "
        "give it another name: rules mean the team's administrators by admin",
    ),
    "an emergency group that is none": (
        "profiles:\n",
        "approvals: {approvers: {on-call: [corp/on-call]}, emergency: on-cal}\nprofiles:\n",
        "22: approvals.emergency: there is no group of approvers 'on-cal'; did you mean on-call?",
    ),
    "a contact that can't be followed": (
        "profiles:\n",
        "site: {contact: 'javascript:alert(1)'}\nprofiles:\n",
        "22: site.contact: 'javascript:alert(1)' is neither a mail address nor a web address; "
        "write for example gpu-help@example.org or https://help.example.org",
    ),
    "a help page that is no web address": (
        "profiles:\n",
        "site: {help: wiki}\nprofiles:\n",
        "22: site.help: 'wiki' is not a web address; write it in full, for example https://idp.example.org",
    ),
    "a name that does not fit on a page": (
        "profiles:\n",
        "site: {name: ''}\nprofiles:\n",
        "22: site.name: '' is not a name; write 1 to 40 characters on one line",
    ),
    # Quota
    "a quota that is not a number": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: three}",
        "40: tenants.vision.quota.mig-1g.10gb: 'three' is not a whole number; write how many devices, for example 3",
    ),
    "a quota in quotes": (
        "quota: {mig-1g.10gb: 3}",
        'quota: {mig-1g.10gb: "3"}',
        "40: tenants.vision.quota.mig-1g.10gb: '3' is not a whole number; write how many devices, for example 3",
    ),
    "a quota that is true": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: true}",
        "40: tenants.vision.quota.mig-1g.10gb: True is not a whole number; write how many devices, for example 3",
    ),
    "half a device": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 2.5}",
        "40: tenants.vision.quota.mig-1g.10gb: 2.5 is not a whole number; write how many devices, for example 3",
    ),
    "less than no device": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: -1}",
        "40: tenants.vision.quota.mig-1g.10gb: -1 is below 0; write 0 or more",
    ),
    "a quota without a number": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: }",
        "40: tenants.vision.quota.mig-1g.10gb: nothing is not a whole number; write how many devices, for example 3",
    ),
    "a quota under both names": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3, nvidia.com/mig-1g.10gb: 3}",
        "40: tenants.vision.quota.nvidia.com/mig-1g.10gb: nvidia.com/mig-1g.10gb and mig-1g.10gb are the same; "
        "write one of the two",
    ),
    "a quota for a slice that no card has": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3, mig-1g.1gb: 1}",
        "40: tenants.vision.quota.mig-1g.1gb: no card of cluster.gpu_models has a slice 'mig-1g.1gb'; "
        "did you mean mig-1g.10gb?",
    ),
    "a quota for what is not carved": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3, mig-2g.20gb: 1}",
        "40: tenants.vision.quota.mig-2g.20gb: mig-2g.20gb is not carved on this cluster; "
        "carved are mig-1g.10gb, mig-3g.40gb; add it to cluster.carved, or remove it here",
    ),
    "more quota than there is": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 5}",
        "6: cluster.carved.mig-1g.10gb: quotas add up to 8 (nlp 3, vision 5), but 7 are carved; "
        "lower quotas, or carve more",
    ),
    "more lending than it owns": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3}\n    lending: {mig-1g.10gb: 4}",
        "41: tenants.vision.lending.mig-1g.10gb: 4 of mig-1g.10gb, but tenant vision owns 3; write 3 or less",
    ),
    "more for one person than for all": (
        "borrowing: {mig-1g.10gb: 2}",
        "borrowing: {mig-1g.10gb: 2}\n    per_user: {mig-1g.10gb: 6}",
        "35: tenants.nlp.per_user.mig-1g.10gb: 6 of mig-1g.10gb, but tenant nlp can hold 5; write 5 or less",
    ),
    "a weight of nothing": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3}\n    weight: 0",
        "41: tenants.vision.weight: 0 is not a weight; write a number above 0 such as 1, 2 or 0.5",
    ),
    "a weight that nothing looks at": (
        "quota: {mig-1g.10gb: 3}",
        "quota: {mig-1g.10gb: 3}\n    weight: 2",
        "41: tenants.vision.weight: a weight counts only where Kueue runs with fair sharing; "
        "switch it on (docs/quota.md) and write cluster.fair_sharing: true, or remove the weight",
    ),
    "more borrowing than others own": (
        "borrowing: {mig-1g.10gb: 2}",
        "borrowing: {mig-1g.10gb: 4}",
        "34: tenants.nlp.borrowing.mig-1g.10gb: may borrow 4, but the other tenants own 3 together; write 3 or less",
    ),
    # The rest
    "a time that is none": (
        "deadline: 2h",
        "deadline: 2 hours",
        "21: jobs.deadline: '2 hours' is not a length of time; write seconds, or for example 30m or 24h",
    ),
    "an address without a scheme": (
        "issuer: https://idp.example.org/dex",
        "issuer: idp.example.org/dex",
        "10: identity.issuer: 'idp.example.org/dex' is not a web address; "
        "write it in full, for example https://idp.example.org",
    ),
    "a day that there is not": (
        "client_id: aifactory-hub",
        "client_id: aifactory-hub\n  rebind_until: '2026-02-30'",
        "12: identity.rebind_until: '2026-02-30' is not a day; write year, month and day, for example 2026-12-31",
    ),
    "a moment for a day": (
        "client_id: aifactory-hub",
        "client_id: aifactory-hub\n  rebind_until: tomorrow",
        "12: identity.rebind_until: 'tomorrow' is not a day; write year, month and day, for example 2026-12-31",
    ),
    "a number for a text": (
        "client_id: aifactory-hub",
        "client_id: 7",
        "11: identity.client_id: 7 is not text; write for example aifactory-hub",
    ),
    "a text for a list": (
        "groups_claim: [groups]",
        "groups_claim: groups",
        "12: identity.groups_claim: 'groups' is not a list; write for example [groups]",
    ),
    "a text for true or false": (
        "simulated: true",
        "simulated: perhaps",
        "8: cluster.simulated: 'perhaps' is not true or false; write for example true",
    ),
}


def test_a_date_that_there_is_not_is_a_problem_of_the_file_and_no_traceback() -> None:
    said = problems(changed("client_id: aifactory-hub", "client_id: aifactory-hub\n  rebind_until: 2026-02-30"))
    assert len(said) == 1
    assert "looks like a date or time and is none" in said[0]


@pytest.mark.parametrize(("old", "new", "says"), CASES.values(), ids=CASES)
def test_one_mistake_is_one_line_with_file_line_key_and_remedy(old: str, new: str, says: str) -> None:
    assert problems(changed(old, new)) == [f"{SOURCE}:{says}"]
