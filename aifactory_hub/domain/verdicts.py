"""What is asked of the site's rules before something changes, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any

from .refusals import Refusal, RefusalReason


class Verb(StrEnum):
    """What somebody is about to do. Stable: rules and records name it."""

    SUBMIT = "submit"
    RETRY = "retry"
    RESUME = "resume"
    SCHEDULE = "schedule"
    TRIGGER = "trigger"
    START_SERVER = "start-server"
    REGISTER = "register"
    PROMOTE = "promote"
    ROLL_BACK = "roll-back"
    DEPLOY = "deploy"


class Target(StrEnum):
    """What a rule is about: each has a view of its own."""

    JOB = "job"
    POD = "pod"
    MODEL = "model"
    DEPLOYMENT = "deployment"
    SERVER = "server"
    TENANT = "tenant"


class Severity(IntEnum):
    """Ordered. ADVISORY is said and never stops; SOFT stops until somebody with the role overrides it; nobody
    overrides HARD."""

    ADVISORY = 1
    SOFT = 2
    HARD = 3


@dataclass(frozen=True, slots=True)
class Need:
    """So many people have to approve: ``role`` is ``admin`` (one of the team's) or the name of a group of approvers in
    tenants.yaml. Several needs are joined by "and", and one person meets one of them only."""

    role: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """May this be done now? ``view`` is what rules see, ``digest`` covers everything that decides what would run.

    ``subject`` is the id of what it is about, such as a job's or a model version's; empty for what has none yet.
    ``title`` names it for people.
    A view holds names of environment variables, never their values, and no tokens or contents of files.
    """

    verb: Verb
    target: Target
    tenant: str
    user: str
    subject: str
    digest: str
    view: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says against it, for a person: ``message`` and how to mend it, ``fix``.

    ``field`` is the field of the request that the form shows it beside. ``overridable_by`` is the role that may
    override it, ``override`` the id of an override that did. ``enforced`` is False while the rule is only tried. A rule
    with ``needs`` does not refuse: it holds what is asked until they are met.
    """

    rule: str
    severity: Severity
    message: str
    fix: str = ""
    field: str | None = None
    overridable_by: str | None = None
    enforced: bool = True
    needs: tuple[Need, ...] = ()
    override: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether it stops what is asked."""
        stops = self.enforced and self.severity is not Severity.ADVISORY and not self.needs
        return stops and (self.override is None or self.severity is Severity.HARD)

    def overridden_by(self, override: str) -> Finding:
        """The finding, as it is once somebody overrode it."""
        return replace(self, override=override)


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the rules say. ``bundle`` is the digest of the rules that were asked; empty where a site has none."""

    bundle: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def refusal(self) -> Refusal | None:
        """Why it may not be done: what the strictest rule says. None: no rule refuses it."""
        against = [finding for finding in self.findings if finding.refuses]
        if not against:
            return None
        worst = max(against, key=lambda finding: finding.severity)
        message = f"{worst.message} (rule {worst.rule})" + (f" {worst.fix}" if worst.fix else "")
        return Refusal(RefusalReason.POLICY, message, field=worst.field)

    @property
    def needs(self) -> tuple[Need, ...]:
        """Who has to approve first, each role once with the largest count that a rule asks for."""
        counts: dict[str, int] = {}
        for finding in self.findings:
            for need in finding.needs if finding.enforced else ():
                counts[need.role] = max(need.count, counts.get(need.role, 0))
        return tuple(Need(role, count) for role, count in sorted(counts.items()))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is said and does not stop it."""
        return tuple(finding for finding in self.findings if not finding.refuses and not finding.needs)
