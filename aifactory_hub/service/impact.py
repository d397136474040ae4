"""What a rule would have said to what was asked in the last days: recorded questions, and jobs from before there were
any. Blocks."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Engine

from ..domain.gate_views import AskedJob, Person, job_view
from ..domain.gates import Impact, Rule, impact
from ..domain.verdicts import Question, Target, Verb
from ..policy.engine import Engine as RuleEngine
from ..registry.model import Registry
from ..store.asked_jobs import AskedBefore, asked_before
from ..store.verdicts import Verdicts

# Requests that are looked at, the newest.
MOST_ASKED = 20_000
DAY = 86_400


def impact_of(
    rule: Rule, engine: RuleEngine, db: Engine, registry: Registry, *, since: float, tenants: Collection[str]
) -> Impact:
    """Of these teams alone."""
    asked = (each for each in questions(db, rule.target, registry, since) if each.tenant in tenants)
    return impact(rule, asked, engine.evaluate)


def questions(db: Engine, target: Target, registry: Registry, since: float) -> Iterator[Question]:
    """All questions about a target since then."""
    yield from Verdicts(db).since(since, target, most=MOST_ASKED)
    if target is Target.JOB:
        for job in asked_before(db, since, most=MOST_ASKED):
            if job.tenant in registry.tenants:
                yield _question(job, registry)


def _question(job: AskedBefore, registry: Registry) -> Question:
    verb = Verb.SCHEDULE if job.schedule is not None else Verb.SUBMIT if job.retry_of is None else Verb.RETRY
    known = job.spec.profile in registry.catalogue.names
    most = registry.jobs.deadline
    asked = AskedJob(
        tenant=registry.tenants[job.tenant],
        person=Person(job.owner),
        spec=job.spec,
        image=job.spec.image or registry.jobs.image,
        engine=job.spec.backend or registry.jobs.engines[0],
        max_seconds=min(most, job.spec.max_seconds or most),
        profile=registry.catalogue.profile(job.spec.profile) if known else None,
        schedule=job.schedule,
        retry_of=job.retry_of,
    )
    return Question(verb, Target.JOB, job.tenant, job.owner, job.id, "", job_view(asked, verb.value, job.at))


def impact_words(found: Impact, days: int) -> str:
    """As a sentence."""
    requests = "request" if found.asked == 1 else "requests"
    teams = f" of {len(found.teams)} {'team' if len(found.teams) == 1 else 'teams'}" if found.teams else ""
    words = f"It would have stopped {found.failed} of {found.asked} {requests}{teams} in the last {days} days."
    if found.broken:
        words += f" {found.broken} could not be judged: what the rule asks for is not known of them."
    return words
