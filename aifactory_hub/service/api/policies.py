"""The site's rules, what they said, and overrides of soft ones."""

from __future__ import annotations

import secrets
from typing import cast

from ... import constants
from ...domain.formatting import iso_millis
from ...domain.gates import Impact, Override, Rule
from ...domain.verdict_json import severity_word
from ...domain.verdicts import Severity
from ...policy.words import effect
from ...store.verdicts import StoredVerdict
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field, forbidden
from ..executors import metering
from ..impact import DAY, impact_of, impact_words
from ..policy_answer_types import (
    ImpactAnswer,
    OverrideAnswer,
    OverridesAnswer,
    PolicyVerdict,
    PolicyVerdictPage,
    RuleAnswer,
    RulesAnswer,
    RuleSummary,
)
from ..policy_request_types import ImpactQuery, OverrideRequest, VerdictQuery
from .base import Handler, run_sync
from .operations import operation
from .policy_answers import findings_answer

# Seconds that an override counts at most.
LONGEST_OVERRIDE = 30 * DAY
_MOST_HITS = 50
_MOST_OVERRIDES = 200


class OfRules(Handler):
    """What these handlers share."""

    def visible(self, caller: Caller) -> list[Rule]:
        """The rules that the caller may meet: the site's, and those of their teams."""
        teams = {*caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)}
        rules = self.context.gates.rules.current.bundle.rules
        if caller.administers_platform:
            return list(rules)
        return [rule for rule in rules if not rule.teams or rule.teams & teams]

    def rule_for(self, caller: Caller, rule_id: str) -> Rule:
        """Raises ServiceError (404)."""
        for rule in self.visible(caller):
            if rule.id == rule_id:
                return rule
        raise ServiceError(404, "unknown-rule", f"There is no rule {rule_id!r} for your teams.", field="rule")

    def summary(self, rule: Rule) -> RuleSummary:
        """A rule in words."""
        now = self.context.clock()
        return {
            "id": rule.id,
            "title": rule.title,
            "target": rule.target.value,
            "verbs": sorted(verb.value for verb in rule.verbs),
            "teams": sorted(rule.teams),
            "engines": sorted(rule.engines),
            "severity": severity_word(rule.severity),
            "effect": effect(rule),
            "fix": rule.fix,
            "field": rule.field,
            "overridable_by": rule.overridable_by,
            "enforce_from": None if rule.enforce_from is None else iso_millis(rule.enforce_from),
            "enforced": rule.enforced_at(now),
            "needs": [{"role": need.role, "count": need.count} for need in rule.needs],
            "owner": rule.owner or None,
        }


class RuleList(OfRules):
    """All rules."""

    @operation("listPolicies", "The site's rules that are in use, in words.", answer=RulesAnswer)
    async def get(self) -> None:
        """Those that the caller may meet."""
        caller = await self.caller()
        gates = self.context.gates
        trouble = gates.rules.status.trouble if caller.administers_platform else ""
        rules = [self.summary(rule) for rule in self.visible(caller)]
        self.answer({"bundle": gates.bundle, "rules": rules, "trouble": trouble or None})


class RuleOne(OfRules):
    """One rule."""

    @operation("getPolicy", "One rule with its expressions and cases.", answer=RuleAnswer)
    async def get(self, rule_id: str) -> None:
        """As its file has it."""
        rule = self.rule_for(await self.caller(), rule_id)
        said: RuleAnswer = {
            **self.summary(rule),
            "bundle": self.context.gates.bundle,
            "when": rule.condition or None,
            "holds": rule.holds,
            "message": rule.message,
            "variables": dict(rule.variables),
            "cases": [
                {"name": case.name, "expect": "pass" if case.passes else "fail", "message": case.message}
                for case in rule.cases
            ],
            "source": f"{rule.source}:{rule.line}",
        }
        self.answer(said)


class RuleImpact(OfRules):
    """What a rule would have done."""

    @operation(
        "getPolicyImpact",
        "What a rule would have stopped of what was asked in the last days, in the caller's teams.",
        answer=ImpactAnswer,
        query=ImpactQuery,
    )
    async def get(self, rule_id: str) -> None:
        """An administrator of the hub sees all teams."""
        caller = await self.caller()
        rule, days = self.rule_for(caller, rule_id), self.query(ImpactQuery).days
        context = self.context
        registry, engine = context.registry, context.gates.rules.current.engine
        tenants = (
            set(registry.tenants)
            if caller.administers_platform
            else {*caller.tenants(constants.SCOPE_READ, registry.tenants)}
        )
        since, db = context.clock() - days * DAY, context.jobs.db
        found = await metering.run(impact_of, rule, engine, db, registry, since=since, tenants=tenants)
        self.answer(_impact(rule, days, found))


def _impact(rule: Rule, days: int, found: Impact) -> ImpactAnswer:
    return {
        "rule": rule.id,
        "days": days,
        "asked": found.asked,
        "failed": found.failed,
        "unjudged": found.broken,
        "teams": list(found.teams),
        "words": impact_words(found, days),
        "hits": [
            {"job": hit.subject or None, "tenant": hit.tenant, "user": hit.user, "message": hit.message}
            for hit in found.hits[:_MOST_HITS]
        ],
    }


class VerdictList(Handler):
    """What the rules said."""

    @operation(
        "listVerdicts",
        "What the rules said to what was asked in a team, the newest first: to its admins all, to others their own.",
        answer=PolicyVerdictPage,
        query=VerdictQuery,
    )
    async def get(self, tenant: str) -> None:
        """In pages."""
        caller, asked = await self.caller(), self.query(VerdictQuery)
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        own = asked.mine or not (caller.administers(chosen) or caller.administers_platform)
        verdicts = self.context.verdicts
        last = None if asked.before is None else await run_sync(verdicts.get, asked.before)
        if asked.before is not None and (last is None or last.question.tenant != chosen):
            raise bad_field("before", f"There is no verdict {asked.before!r} in team {chosen}.")
        user = caller.name if own else None
        found = await run_sync(verdicts.newest, chosen, limit=asked.limit + 1, user=user, before=last)
        page = [_verdict(each) for each in found[: asked.limit]]
        self.answer({"verdicts": page, "next": page[-1]["id"] if len(found) > asked.limit else None})


def _verdict(kept: StoredVerdict) -> PolicyVerdict:
    question = kept.question
    return {
        "id": kept.id,
        "at": iso_millis(kept.at),
        "tenant": question.tenant,
        "user": question.user,
        "verb": question.verb.value,
        "target": question.target.value,
        "subject": question.subject,
        "digest": question.digest,
        "bundle": kept.verdict.bundle,
        "outcome": kept.outcome,
        "findings": findings_answer(kept.verdict),
        "view": {key: value for key, value in question.view.items() if key != "now"},
    }


class Overrides(OfRules):
    """Who let a soft rule pass, and why."""

    @operation("listOverrides", "A team's overrides of soft rules, the newest first.", answer=OverridesAnswer)
    async def get(self, tenant: str) -> None:
        """To everybody in the team."""
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        found = await run_sync(self.context.verdicts.overrides, tenant=chosen, most=_MOST_OVERRIDES)
        self.answer({"overrides": [self._told(each) for each in found]})

    @operation(
        "overrideRule",
        "Let one soft rule pass for exactly what was asked and refused, with a reason and until a time.",
        answer=OverrideAnswer,
        body=OverrideRequest,
        statuses=(201,),
    )
    async def post(self, tenant: str) -> None:
        """Who has the role that the rule names may, with their own sign-in: a notebook's token may not, because any
        program in the notebook has it. Nobody overrides for themselves."""
        caller = await self.caller(fresh=True)
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        asked = await self.body(OverrideRequest, caller.name)
        kept = await run_sync(self.context.verdicts.get, asked.verdict)
        if kept is None or kept.question.tenant != chosen:
            raise bad_field("verdict", f"There is no verdict {asked.verdict!r} in team {chosen}.")
        rule = self._soft_rule(caller, kept, asked.rule)
        self._check_person(caller, kept, rule)
        override = self._override(caller, kept, asked)
        await run_sync(self.context.verdicts.add_override, override)
        self.context.gates.count(override)
        self.answer(self._told(override), 201)

    def _soft_rule(self, caller: Caller, kept: StoredVerdict, rule_id: str) -> Rule:
        """Raises ServiceError for a rule that nobody can override."""
        rule = self.rule_for(caller, rule_id)
        if all(finding.rule != rule_id for finding in kept.verdict.findings):
            raise bad_field("rule", f"Rule {rule_id!r} says nothing in verdict {kept.id}.")
        if rule.severity is not Severity.SOFT or rule.overridable_by is None:
            message = f"Rule {rule_id!r} is {severity_word(rule.severity)}: nobody can override it. {effect(rule)}"
            raise ServiceError(409, "not-overridable", message, field="rule")
        return rule

    def _check_person(self, caller: Caller, kept: StoredVerdict, rule: Rule) -> None:
        by_session = "Authorization" not in self.request.headers
        if not (by_session or caller.administers_platform):
            raise forbidden("Override with your own sign-in, in the browser: a token may be a program's.")
        if not caller.administers_platform and (
            rule.overridable_by != "admin" or not caller.administers(kept.question.tenant)
        ):
            whom = "an administrator of the hub" if rule.overridable_by == "platform" else "one of the team's admins"
            raise forbidden(f"Rule {rule.id!r} can be overridden by {whom}.")
        if caller.name == kept.question.user:
            raise forbidden("Nobody overrides a rule for their own request: ask somebody else with the role.")

    def _override(self, caller: Caller, kept: StoredVerdict, asked: OverrideRequest) -> Override:
        now, question = self.context.clock(), kept.question
        if not now < asked.until <= now + LONGEST_OVERRIDE:
            days = LONGEST_OVERRIDE // DAY
            raise bad_field("until", f"until is {asked.until}: name a second between now and {days} days from now.")
        return Override(
            id=f"o{secrets.token_hex(6)}",
            rule=asked.rule,
            tenant=question.tenant,
            user=question.user,
            digest=question.digest,
            by=caller.name,
            reason=asked.reason,
            made_at=now,
            until=float(asked.until),
            verdict=kept.id,
        )

    def _told(self, override: Override) -> OverrideAnswer:
        said = {
            **{name: getattr(override, name) for name in ("id", "verdict", "rule", "tenant", "user", "digest")},
            "by": override.by,
            "reason": override.reason,
            "made": iso_millis(override.made_at),
            "until": iso_millis(override.until),
            "counts": override.until > self.context.clock(),
        }
        return cast("OverrideAnswer", said)
