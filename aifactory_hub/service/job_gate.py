"""Asks the site's rules about jobs: gathers what they see of one, and what they say to it and to its pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain.gate_views import AskedJob, Person, at_time, job_digest, job_view, pod_view, pods_of
from ..domain.refusals import Refusal
from ..domain.tenants import Role
from ..domain.verdict_json import finding_json
from ..domain.verdicts import Question, Target, Verb, Verdict
from ..engines.installed import Engines
from ..registry.model import Registry
from ..store import JobRecord
from ..store.verdicts import Row, StoredVerdict, Verdicts, verdict_row
from .gates import Gates
from .run_spec import longest, run_spec

_NOT_SHOWN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Judged:
    """What was asked about a job, and what the rules said."""

    question: Question
    verdict: Verdict
    row: Row

    @property
    def refusal(self) -> Refusal | None:
        """Why the job may not go on, with all findings; None when no rule refuses it. A rule may still hold it."""
        against = self.verdict.refusal
        if against is None:
            return None
        findings = tuple(finding_json(finding) for finding in self.verdict.findings)
        return replace(against, findings=findings, verdict=self.row["id"])

    @property
    def row_to_keep(self) -> Row | None:
        """The record of a job that goes on; None where no rules were asked."""
        return self.row if self.verdict.bundle else None


@dataclass(frozen=True, slots=True)
class JobGate:
    """``verdicts`` records what was asked in earnest."""

    gates: Gates
    verdicts: Verdicts
    get_registry: Callable[[], Registry]
    engines: Engines
    clock: Callable[[], float]

    def review(
        self,
        verb: Verb,
        record: JobRecord,
        role: Role | None = None,
        given: Sequence[Mapping[str, str]] = (),
    ) -> Judged:
        """What the rules say to a job, and to the pods that it would have; nothing is recorded. ``role`` is what its
        owner is in the team, None where that is not known; ``given`` is the data that the service gives the job."""
        question = self._question(verb, record, role, given)
        return self._judged(question, record)

    def resume(self, record: JobRecord, last: StoredVerdict | None) -> Judged:
        """What the rules say to a job that is to go on; ``last`` is what they said before."""
        if last is None or not last.question.view:
            return self.review(Verb.RESUME, record)
        view = {**last.question.view, "verb": Verb.RESUME.value}
        return self.again(replace(last.question, verb=Verb.RESUME, view=view), record)

    def again(self, asked: Question, record: JobRecord) -> Judged:
        """What the rules of now say to what was asked before."""
        return self._judged(replace(asked, view=at_time(asked.view, self.clock())), record)

    def record(self, judged: Judged) -> None:
        """Record a verdict by itself; blocks."""
        if judged.row_to_keep is not None:
            self.verdicts.add(judged.row)

    def _judged(self, question: Question, record: JobRecord) -> Judged:
        verdict = self.gates.review(question)
        if self.gates.about(Target.POD):
            of_pods = [self.gates.review(each) for each in self._pods(question, record)]
            found = (*verdict.findings, *(finding for each in of_pods for finding in each.findings))
            verdict = replace(verdict, findings=tuple(dict.fromkeys(found)))
        return Judged(question, verdict, verdict_row(question, verdict, self.clock()))

    def _question(
        self, verb: Verb, record: JobRecord, role: Role | None, given: Sequence[Mapping[str, str]]
    ) -> Question:
        view = {} if not self.gates.bundle else job_view(self._asked(record, role, given), verb.value, self.clock())
        digest = job_digest(record.tenant, record.owner, record.spec)
        return Question(verb, Target.JOB, record.tenant, record.owner, record.id, digest, view)

    def _asked(self, record: JobRecord, role: Role | None, given: Sequence[Mapping[str, str]]) -> AskedJob:
        registry, spec = self.get_registry(), record.spec
        known = spec.profile in registry.catalogue.names
        return AskedJob(
            tenant=registry.tenants[record.tenant],
            person=Person(record.owner, role),
            spec=spec,
            image=spec.image or registry.jobs.image,
            engine=spec.backend or next(iter(self.engines.facts)),
            max_seconds=longest(record, registry),
            profile=registry.catalogue.profile(spec.profile) if known else None,
            schedule=record.schedule,
            retry_of=record.retry_of,
            given=given,
        )

    def _pods(self, question: Question, record: JobRecord) -> list[Question]:
        """One question for each kind of pod that the job's engine renders; none where a template of the team's says
        what the pods are: these the host judges alone."""
        registry = self.get_registry()
        if record.spec.profile not in registry.catalogue.names:
            return []
        profile = registry.catalogue.profile(record.spec.profile)
        spec = run_spec(record, profile, registry, token=_NOT_SHOWN, node_selector=profile.node_labels)
        hidden = replace(spec, secret_files=dict.fromkeys(spec.secret_files, _NOT_SHOWN))
        rendered: list[Any] = self.engines.of(record.spec.backend).render(hidden)
        namespace = registry.tenants[record.tenant].vcluster.namespace
        return [replace(question, target=Target.POD, view=pod_view(pod, namespace)) for pod in pods_of(rendered)]
