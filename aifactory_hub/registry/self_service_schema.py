"""The section ``self_service`` of ``tenants.yaml``: which teams people may ask for, and what needs whom."""

from __future__ import annotations

from typing import Literal

from .limits_schema import LimitsSection
from .scalars import Counts, Label, Pods, Seconds, Several, ShortText, Text
from .section import Section, key


class ApprovalStepSection(Section):
    above: Counts = key(
        "What is more than this needs these approvers; whatever is asked for when left out.",
        "{mig-1g.10gb: 1}",
        default={},
    )
    approvers: dict[Label, Several] = key(
        "Groups of approvers, and how many people of each.", "{platform: 1}", min_length=1
    )


class TemplateSection(Section):
    description: ShortText | None = key("What it is for.", "a small team for a trial", default=None)
    profiles: list[str] = key("Menu of the team, in this order.", "[cpu-small, mig-1g.10gb]", min_length=1)
    groups: list[Text] = key("Patterns of the groups that may be named as the team's.", "['teams/*']", min_length=1)
    most: Counts = key("The most devices that it may own.", "{mig-1g.10gb: 3}", default={})
    most_borrowed: Counts = key("The most idle devices of others that it may borrow.", "{mig-1g.10gb: 2}", default={})
    approval: list[ApprovalStepSection] = key(
        "Who approves what; what needs nobody is granted at once.",
        "[{above: {mig-1g.10gb: 1}, approvers: {platform: 1}}]",
    )
    lasts: Seconds | None = key(
        "How long it lasts at most, until somebody asks for more time; for ever when left out.", "90d", default=None
    )
    sleep_after: Seconds | None = key("As of a team.", "2h", default=None)
    notebooks: Literal["own", "borrow"] = key("As of a team.", "borrow", default="own")
    per_user: Counts = key("As of a team.", "{mig-1g.10gb: 2}", default={})
    limits: LimitsSection | None = key("As of a team.", "{cpu: 64, memory: 512Gi}", default=None)


class SelfServiceSection(Section):
    ask: Literal["member", "admin"] = key(
        "What one has to be in some team to ask for another one.", "admin", default="member"
    )
    teams_per_person: Pods = key("How many teams one person may have asked for.", "5", default=3)
    notice: Seconds = key("How long before its end a team's people are told.", "14d", default=14 * 86400)
    templates: dict[Label, TemplateSection] = key(
        "Kinds of teams that may be asked for; nobody may ask for one when left out.",
        "{small: {profiles: [cpu-small], groups: ['teams/*'], approval: []}}",
        default={},
    )
