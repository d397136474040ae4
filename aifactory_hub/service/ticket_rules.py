"""The site's rules once more before a job's ticket is filed: if they changed since the job was taken in."""

from __future__ import annotations

from dataclasses import dataclass

from ..admission import AdmissionUnavailable
from ..domain.gates import new_needs
from ..domain.refusals import Refusal
from ..domain.tickets import TicketRequest
from ..domain.verdicts import Need, Verb
from ..store import JobRecord, Jobs
from ..store.verdicts import StoredVerdict
from .executors import reconciling
from .job_approvals import JobApprovals
from .job_gate import JobGate, Judged


@dataclass(frozen=True, slots=True)
class JobRulesPolicy:
    """A TicketPolicy. A queued job that a new rule forbids ends with the rule's words; what runs goes on.

    What was approved when the job was taken in is not approved again, unless the rules now ask for more.
    """

    gate: JobGate
    jobs: Jobs
    approvals: JobApprovals

    async def review(self, request: TicketRequest) -> Refusal | None:
        """See TicketPolicy. Raises AdmissionUnavailable while somebody has to approve."""
        bundle = self.gate.gates.bundle
        if request.kind != "job" or request.running or not bundle:
            return None
        last = await reconciling.run(self.gate.verdicts.last_of, request.owner)
        if last is not None and last.verdict.bundle == bundle and last.outcome != "refused":
            return None
        job = await reconciling.run(self.jobs.get, request.owner)
        if job is None:
            return None
        judged = self._judged(job, last)
        if judged.verdict.refusal is None:
            await self._approved(job, judged, last)
        await reconciling.run(self.gate.record, judged)
        return judged.verdict.refusal

    def _judged(self, job: JobRecord, last: StoredVerdict | None) -> Judged:
        """By what was known when it was asked first: who asked, and what they were in the team then."""
        if last is None or not last.question.view:
            return self.gate.review(Verb.SUBMIT if job.schedule is None else Verb.SCHEDULE, job)
        return self.gate.again(last.question, job)

    async def _approved(self, job: JobRecord, judged: Judged, last: StoredVerdict | None) -> None:
        before: tuple[Need, ...] = () if last is None else last.verdict.needs
        needs = new_needs(before, judged.verdict.needs)
        if needs and not await self.approvals.granted(job, judged.verdict):
            who = " and ".join(f"{need.count} of {need.role}" for need in needs)
            raise AdmissionUnavailable(f"a rule of this site changed since it was submitted: it waits for {who}")
