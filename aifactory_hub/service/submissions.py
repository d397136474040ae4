"""From a checked request to a stored job: gather, decide, store."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain.approvals import needs_in_words
from ..domain.engines import Published, check_template
from ..domain.images import JobImage
from ..domain.job_spec import JobSpec
from ..domain.jobs import JobPlan, JobRequest, JobState, plan_job
from ..domain.refusals import Refusal, RefusalReason
from ..domain.team_end import review_retirement
from ..domain.tenants import Role
from ..domain.verdicts import Verb
from ..engines.base import EngineUnavailable
from ..engines.installed import Engines
from ..registry.model import Registry
from ..store import JobRecord, Jobs, SnapshotMissing
from ..store.budgets import Asked
from ..store.datasets import Datasets
from ..store.model_registry import ModelRegistry
from .executors import reads
from .images import Images
from .job_gate import JobGate, Judged
from .models.job_data import GivenData
from .request_types import Submission
from .webhooks import Forbidden, check_address


def new_job_id() -> str:
    """A fresh id: a plain DNS label, so that it passes into Kubernetes names unchanged."""
    return f"j{secrets.token_hex(6)}"


def request_digest(submission: Submission, tenant: str) -> str:
    """What a request asks for, as one digest: the same key must always come with the same one."""
    # What is left at its default says nothing: so a service that knows a new field still knows old requests.
    # Where it comes from is a note: the files' digest says already whether they are the same.
    asked = submission.model_dump(mode="json", exclude={"key", "provenance", "server"}, exclude_defaults=True)
    return digest_of(asked | {"tenant": tenant})


def digest_of(asked: Mapping[str, Any]) -> str:
    """One digest for what was asked, whatever the order that it was said in."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The job of a request; ``new`` is False when the same request made it before."""

    job: JobRecord
    new: bool


class Submissions:
    """Takes jobs in. What runs them is the reconciler, which finds them in the database."""

    def __init__(
        self,
        get_registry: Callable[[], Registry],
        jobs: Jobs,
        engines: Engines,
        images: Images,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str] = new_job_id,
        gate: JobGate,
        data: GivenData | None = None,
        asked: Callable[[JobRecord], Asked | None] = lambda record: None,
        missing_secrets: Callable[[str, str, Sequence[str]], list[str]] = lambda tenant, owner, names: list(names),
    ) -> None:
        """``missing_secrets`` says which names of secrets mean nothing for an owner in a team; by default all."""
        self._get_registry = get_registry
        self._jobs = jobs
        self._engines = engines
        self._images = images
        self._clock = clock
        self._new_id = new_id
        self.gate = gate
        # What a job asks of its team's budgets.
        self._asked = asked
        self._missing_secrets = missing_secrets
        self.data = data or GivenData(Datasets(jobs.db), ModelRegistry(jobs.db), clock)

    async def submit(
        self, owner: str, tenant: str, submission: Submission, *, role: Role | None = None
    ) -> SubmitResult | Refusal:
        """The job of this request, new or the one that the same key made before; or why not.

        ``role`` is what the owner is in the team, for the site's rules; None where nobody knows.
        """
        published = await self.published(tenant, submission)
        plan = self.plan(tenant, submission, published)
        # Most come once, and the database says when one does not. Asked before are those that would be refused today.
        if isinstance(plan, Refusal):
            return await reads.run(self.submit_now, owner, tenant, submission, plan=plan)
        if submission.data or submission.secrets:
            return await reads.run(self.submit_now, owner, tenant, submission, plan=plan, role=role)
        record = self.record(plan, owner, submission)
        judged = self.gate.review(Verb.SUBMIT, record, role)
        if judged.refusal is not None:
            return await reads.run(self.submit_now, owner, tenant, submission, plan=plan, role=role)
        record = _held(record, judged)
        try:
            stored = await self._jobs.take(record, judged.row_to_keep, self._asked(record))
        except SnapshotMissing:
            return _no_manifest(record)
        return _same(stored, record)

    async def published(self, tenant: str, submission: Submission) -> list[Published] | None:
        """What the team has published for the request's engine; None when there is no such thing or it is not known:
        a team whose vCluster is silent can submit all the same."""
        return await self.published_for(tenant, submission.engine)

    async def published_for(self, tenant: str, name: str | None) -> list[Published] | None:
        """What the team has published for the engine of this name; None as in ``published``."""
        engine = self._engines.facts.get(name or "")
        if engine is None or engine.publishes is None:
            return None
        try:
            return await self._engines.of(engine.name).published(tenant)
        except EngineUnavailable:
            return None

    async def retry(self, job: JobRecord, key: str, *, role: Role | None = None) -> SubmitResult | Refusal:
        """A new job that asks for what an ended one asked, if it may still be submitted; the ended one stays as it
        is."""
        published = await self.published_for(job.tenant, job.spec.backend)
        plan = self._plan(job.tenant, job.spec.request, job.spec.notify, published)
        return await reads.run(self._retry, job, key, plan, role)

    def submit_now(
        self,
        owner: str,
        tenant: str,
        submission: Submission,
        *,
        schedule: str | None = None,
        plan: JobPlan | Refusal | None = None,
        role: Role | None = None,
        verb: Verb | None = None,
    ) -> SubmitResult | Refusal:
        """See submit; blocks. ``plan`` None: not made yet. ``verb`` None: the rules are asked about a submission, or
        about a schedule's."""
        earlier = self._jobs.find_by_key(tenant, owner, submission.key)
        if earlier is not None:
            return _same_request(earlier, request_digest(submission, tenant), new=False)
        if plan is None:
            plan = self.plan(tenant, submission)
        if isinstance(plan, Refusal):
            return plan
        given = self.data.find(tenant, submission.data)
        if isinstance(given, Refusal):
            return given
        if (refused := self.secret_problem(tenant, owner, submission.secrets)) is not None:
            return refused
        asked = replace(self.record(plan, owner, submission), schedule=schedule)
        verb = verb or (Verb.SUBMIT if schedule is None else Verb.SCHEDULE)
        judged = self.gate.review(verb, asked, role, given.seen)
        if judged.refusal is not None:
            return self._refused(judged)
        record = _held(asked, judged)
        self.data.give(record.id, record.owner, given)
        try:
            return _same(self._jobs.add(record, judged.row_to_keep, self._asked(record)), record)
        except SnapshotMissing:
            return _no_manifest(record)

    def data_problem(self, tenant: str, wanted: Sequence[str]) -> Refusal | None:
        """Which of these versions of datasets there is not; None when there are all. Blocks."""
        found = self.data.find(tenant, wanted)
        return found if isinstance(found, Refusal) else None

    def secret_problem(self, tenant: str, owner: str, names: Sequence[str]) -> Refusal | None:
        """Which of these secrets there is not; None when there are all. Blocks."""
        missing = self._missing_secrets(tenant, owner, names)
        if not missing:
            return None
        message = f"There is no secret {' and no secret '.join(missing)} of yours or of team {tenant}."
        return Refusal(
            RefusalReason.SECRET_MISSING, f"{message} Set it with `aifactory-hub secret set`.", field="secrets"
        )

    def _retry(self, job: JobRecord, key: str, plan: JobPlan | Refusal, role: Role | None) -> SubmitResult | Refusal:
        digest = digest_of({"retry": job.id})
        earlier = self._jobs.find_by_key(job.tenant, job.owner, key)
        if earlier is not None:
            return _same_request(earlier, digest, new=False)
        if isinstance(plan, Refusal):
            return plan
        asked = JobRecord(
            id=self._new_id(),
            tenant=job.tenant,
            owner=job.owner,
            spec=job.spec,
            key=key,
            request_digest=digest,
            submitted_at=self._clock(),
            retry_of=job.id,
        )
        if (refused := self.secret_problem(job.tenant, job.owner, job.spec.secrets)) is not None:
            return refused
        given = self.data.of_job(job.id)
        judged = self.gate.review(Verb.RETRY, asked, role, given.seen)
        if judged.refusal is not None:
            return self._refused(judged)
        record = _held(asked, judged)
        self.data.give(record.id, record.owner, given)
        try:
            if job.spec.input_sha256 is None or job.inputs_dropped_at is None:
                return _same(self._jobs.add(record, judged.row_to_keep, self._asked(record)), record)
        except SnapshotMissing:
            pass
        message = f"The files that job {job.id} ran with are not kept any more: submit it with its files."
        return Refusal(RefusalReason.BAD_FIELD, message, field="files")

    def _refused(self, judged: Judged) -> Refusal:
        """The refusal of what the site's rules stop, recorded."""
        against = judged.refusal
        assert against is not None
        self.gate.record(judged)
        return against

    def plan(
        self, tenant: str, submission: Submission, published: Sequence[Published] | None = None
    ) -> JobPlan | Refusal:
        """What would run, or why it may not. ``published`` None: not known, so not looked at."""
        return self._plan(tenant, _request(submission), submission.notify, published)

    def _plan(
        self, tenant: str, request: JobRequest, notify: Sequence[str], published: Sequence[Published] | None
    ) -> JobPlan | Refusal:
        registry = self._get_registry()
        if tenant not in registry.tenants:  # it was removed since the caller's teams were read
            message = f"Team {tenant} was removed from this hub."
            return Refusal(RefusalReason.NOT_A_MEMBER, message, field="tenant")
        if (ended := review_retirement(registry.tenants[tenant], self._clock())) is not None:
            return ended
        for url in notify:
            try:
                check_address(url, registry.jobs.webhook_hosts)
            except Forbidden as error:
                return Refusal(RefusalReason.BAD_FIELD, f"No message may go to {url!r}: {error}.", field="notify")
        facts = self._engines.facts
        plan = plan_job(request, registry.tenants[tenant], registry.catalogue, facts)
        if published is None or isinstance(plan, Refusal):
            return plan
        return check_template(plan.engine, request.template or "", request.parameters, published) or plan

    def image(self, plan: JobPlan, owner: str, submission: Submission) -> JobImage:
        """What the job would run in."""
        return self._images.of(plan.tenant.name, owner, submission.server)

    def record(self, plan: JobPlan, owner: str, submission: Submission) -> JobRecord:
        """The job as it would be stored."""
        return JobRecord(
            id=self._new_id(),
            tenant=plan.tenant.name,
            owner=owner,
            key=submission.key,
            request_digest=request_digest(submission, plan.tenant.name),
            submitted_at=self._clock(),
            spec=_spec(plan, submission, self.image(plan, owner, submission)),
        )


def _held(record: JobRecord, judged: Judged) -> JobRecord:
    """The job as the rules let it be stored: held where they need an approval."""
    needs = judged.verdict.needs
    if not needs:
        return record
    return replace(record, state=JobState.HELD, reason=f"held until {needs_in_words(needs)} approves it")


def _spec(plan: JobPlan, submission: Submission, image: JobImage) -> JobSpec:
    return JobSpec(
        name=plan.name,
        command=plan.command,
        profile=plan.profile.name,
        environment=plan.environment,
        outputs=None if submission.outputs is None else tuple(submission.outputs),
        input_sha256=submission.files,
        priority=submission.priority.value,
        max_seconds=submission.max_seconds,
        max_retries=submission.retries,
        retry_backoff=submission.retry_backoff,
        sweep=submission.sweep,
        sweep_parameters=submission.sweep_parameters,
        secrets=tuple(submission.secrets),
        provenance=submission.provenance,
        notify=tuple(submission.notify),
        # Also of one that asks for none: the site may name another first engine while this one's job goes on.
        backend=plan.engine.name,
        # The site's own may change until it starts; the notebook's is the one of now.
        image=image.name if image.why is None else None,
        nodes=plan.nodes,
        template=submission.template,
        parameters=submission.parameters,
    )


def _request(submission: Submission) -> JobRequest:
    return JobRequest(
        command=submission.command,
        profile=submission.profile,
        name=submission.name,
        environment=submission.environment,
        engine=submission.engine,
        nodes=submission.nodes,
        template=submission.template,
        parameters=submission.parameters,
        files=submission.files is not None,
    )


def _no_manifest(record: JobRecord) -> Refusal:
    message = f"There is no manifest {record.spec.input_sha256} of yours: send the files and it, then submit."
    return Refusal(RefusalReason.BAD_FIELD, message, field="files")


def _same(stored: JobRecord, record: JobRecord) -> SubmitResult | Refusal:
    """What became of a record: the same request may have come twice at once, and the other one was first."""
    return _same_request(stored, record.request_digest, new=stored.id == record.id)


def _same_request(job: JobRecord, digest: str, *, new: bool) -> SubmitResult | Refusal:
    if job.request_digest == digest:
        return SubmitResult(job, new)
    message = f"The key {job.key!r} was used before, for job {job.id}, with another request. Take a new key."
    return Refusal(RefusalReason.IDEMPOTENCY_CONFLICT, message, field="key")
