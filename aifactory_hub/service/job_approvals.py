"""Jobs that a rule holds: nothing of them exists on the cluster until people have approved."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ..domain.approvals import (
    Approval,
    ApprovalState,
    changed_parts,
    digest_of_parts,
    needs_in_words,
)
from ..domain.budgets import HELD_BY
from ..domain.job_parts import job_parts
from ..domain.jobs import JobState
from ..domain.verdicts import Target, Verb, Verdict
from ..engines.base import EngineUnavailable
from ..store import JobRecord, Jobs
from .approvals import Asking, Desk, granted_words, reasons_of, refused_words
from .executors import reconciling
from .job_gate import JobGate, Judged
from .models.job_data import GivenData

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobApprovals:
    """Takes held jobs forward."""

    desk: Desk
    jobs: Jobs
    gate: JobGate
    given: GivenData

    async def advance(self, job: JobRecord) -> bool:
        """One step for a job that is held; whether one was taken.

        The rules are asked again each time: they may have changed while the job was held. Raises EngineUnavailable
        while nobody can say what the job would run.
        """
        judged = await reconciling.run(self._judge, job)
        verdict = judged.verdict
        if verdict.refusal is not None:
            await reconciling.run(self.gate.record, judged)
            await self.withdraw(job, "a rule refuses it now")
            return await self._end(job, JobState.FAILED, verdict.refusal.message)
        if not verdict.needs:
            await reconciling.run(self.gate.record, judged)
            await self.withdraw(job, "no rule holds it any more")
            now, by_budget = self.gate.clock(), (job.reason or "").startswith(HELD_BY)
            why = "its budget has room for it" if by_budget else "no rule holds it any more"
            await reconciling.run(self.jobs.set_state, job.id, JobState.PENDING, why, now=now)
            return True
        over = await self._over(job)
        if over is not None:
            return await self._end(job, JobState.CANCELLED, f"its approval was not given: {over.why}")
        return await self._count(job, judged, await self.desk.current(await self._asking(job, verdict)))

    async def granted(self, job: JobRecord, verdict: Verdict) -> bool:
        """Whether people have approved what the rules of now ask for besides; the votes are used thereby.

        For a job that is not held any more: it waits for its ticket. Raises EngineUnavailable as ``advance``.
        """
        approval = await self.desk.current(await self._asking(job, verdict))
        standing = await self.desk.standing(approval, await self.desk.votes(approval))
        if standing.refused is not None:
            await self.desk.end(approval, ApprovalState.REFUSED, refused_words(standing.refused))
        return standing.granted and await self.desk.end(approval, ApprovalState.USED, granted_words(standing))

    async def changed(self, job: JobRecord) -> str | None:
        """Why the approval that let the job go is not one of what would run now; None when it is, or none was needed.

        Raises EngineUnavailable while nobody can say what would run.
        """
        used = [one for one in await self._of(job) if one.state is ApprovalState.USED]
        if not used:
            return None
        parts = await self._parts(job)
        if digest_of_parts(parts) == used[0].digest:
            return None
        changed = ", ".join(changed_parts(used[0].parts, parts))
        return f"what was approved has changed since: {changed}. Submit the job again to have it approved"

    async def withdraw(self, job: JobRecord, why: str) -> None:
        """Nobody need vote on it any more."""
        for approval in await self._of(job):
            if approval.state is ApprovalState.OPEN:
                await self.desk.end(approval, ApprovalState.WITHDRAWN, why)

    async def _over(self, job: JobRecord) -> Approval | None:
        """The approval by which the job's fate is decided: killed before the job's end was stored, it comes again."""
        newest = next(iter(await self._of(job)), None)
        over = newest is not None and newest.state in (ApprovalState.REFUSED, ApprovalState.EXPIRED)
        return newest if over else None

    def _judge(self, job: JobRecord) -> Judged:
        """What the rules of now say to what was asked when the job was submitted; blocks."""
        last = self.gate.verdicts.last_of(job.id)
        if last is None or not last.question.view:
            return self.gate.review(_verb(job), job)
        return self.gate.again(last.question, job)

    async def _count(self, job: JobRecord, judged: Judged, approval: Approval) -> bool:
        """Let the job go, end it, or say who is still needed."""
        standing = await self.desk.standing(approval, await self.desk.votes(approval))
        if standing.refused is not None:
            return await self.desk.end(approval, ApprovalState.REFUSED, refused_words(standing.refused))
        if standing.granted:
            words, notify = granted_words(standing), self.desk.config.notify
            # Before the job is let go: its ticket asks whether these are the rules that it was judged by.
            await reconciling.run(self.gate.record, judged)
            let_go = self.desk.store.let_go
            return await reconciling.run(let_go, approval, words, now=self.gate.clock(), notify=notify)
        if approval.expires_at <= self.gate.clock():
            return await self.desk.end(approval, ApprovalState.EXPIRED, "nobody decided in time")
        await self.desk.remind(approval)
        reason = f"held until {needs_in_words(standing.missing)} approves it"
        if job.reason != reason:
            await reconciling.run(self.jobs.set_state, job.id, JobState.HELD, reason, now=self.gate.clock())
        return False

    async def _asking(self, job: JobRecord, verdict: Verdict) -> Asking:
        parts = await self._parts(job)
        return Asking(
            job.tenant,
            Target.JOB.value,
            job.id,
            _verb(job).value,
            job.spec.name,
            digest_of_parts(parts),
            parts,
            verdict.needs,
            reasons_of(verdict.findings),
            job.owner,
            await reconciling.run(self._excluded, job, verdict),
        )

    def _excluded(self, job: JobRecord, verdict: Verdict) -> tuple[str, ...]:
        """Who has a part in the job beside its owner: who pushed its commit, and who overrode a rule for it. Blocks."""
        pushed = (job.spec.provenance or {}).get("pushed_by")
        names = {pushed} if isinstance(pushed, str) else set()
        used = {finding.override for finding in verdict.findings if finding.override}
        if used:
            names |= {one.by for one in self.gate.verdicts.overrides(tenant=job.tenant) if one.id in used}
        return tuple(sorted(names - {job.owner}))

    async def _parts(self, job: JobRecord) -> Mapping[str, str]:
        image = job.spec.image or self.gate.get_registry().jobs.image
        data = await reconciling.run(self.given.digests, job.id)
        return job_parts(job.spec, image=image, template=await self._template(job), data=data)

    async def _template(self, job: JobRecord) -> str | None:
        """The version of the published template that the job runs. Raises EngineUnavailable."""
        if job.spec.template is None:
            return None
        published = await self.gate.engines.of(job.spec.backend).published(job.tenant)
        found = [one for one in published if one.name == job.spec.template]
        if not found:
            return "(not there)"
        if found[0].version is None:
            raise EngineUnavailable("the team's vCluster does not say which version of the template it has")
        return found[0].version

    async def _of(self, job: JobRecord) -> list[Approval]:
        return await reconciling.run(self.desk.store.of_subject, Target.JOB.value, job.id)

    async def _end(self, job: JobRecord, state: JobState, reason: str) -> bool:
        log.info("job %s of %s in %s: %s (%s)", job.id, job.owner, job.tenant, state, reason)
        finish = self.jobs.finish
        await reconciling.run(finish, job.id, state, reason=reason, exit_code=None, now=self.gate.clock())
        return True


def _verb(job: JobRecord) -> Verb:
    if job.schedule is not None:
        return Verb.SCHEDULE
    return Verb.SUBMIT if job.retry_of is None else Verb.RETRY
