"""One job, one step: gather what is known, let domain.jobs decide, do it. Every step may be repeated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aifactory_profiles import Device, Profile

from ... import constants
from ...admission import AdmissionRefused, AdmissionUnavailable, GatedAdmission, NotAdmitted, UserLimitReached
from ...domain.formatting import moment
from ...domain.jobs import EndKind, JobDecision, JobRun, JobState, JobStep, after_attempt, decide_job
from ...domain.logs import shortened
from ...domain.tickets import Ticket, TicketRequest, TicketState
from ...engines.base import EngineRefused, EngineUnavailable
from ...engines.installed import Engines
from ...registry.model import Registry
from ...store import FileStore, JobRecord, Jobs, LogSpool, Schedules, Snapshots
from ...store.secrets import SecretMissing, Secrets
from ..auth.runner_tokens import job_token, token_hash
from ..budgets import Budgets
from ..executors import reconciling
from ..job_approvals import JobApprovals
from ..room import Room
from ..run_spec import longest, run_spec, times

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepParts:
    """What steps are done with."""

    get_registry: Callable[[], Registry]
    jobs: Jobs
    schedules: Schedules
    files: FileStore
    snapshots: Snapshots
    spool: LogSpool
    room: Room
    admission: GatedAdmission
    engines: Engines
    approvals: JobApprovals
    budgets: Budgets
    secrets: Secrets
    token_key: bytes
    clock: Callable[[], float]
    database: str

    @property
    def registry(self) -> Registry:
        """As it is now: whoever waits for something between two looks may find another one."""
        return self.get_registry()


class JobSteps:
    """Takes jobs forward. Nothing is remembered here: a new process goes on from the database and the cluster."""

    def __init__(self, step_parts: StepParts) -> None:
        self._w = step_parts

    async def advance(self, job: JobRecord, tickets: Mapping[str, Ticket] | None) -> bool:
        """One step for a live job; whether one was taken, so that there may be another at once.

        ``tickets`` are all of the job's tenant by name, None when the quota engine does not answer.
        """
        if job.tenant not in self._w.registry.tenants:
            await self._note(job, job.state, f"team {job.tenant} is not in tenants.yaml any more")
            return False
        if job.state.final:
            return await self._clean(job)
        if job.current.kind is not None:
            return await self._end_attempt(job)
        if job.state is JobState.HELD and job.cancel_asked_at is None:
            return await self._held(job)
        ticket = None if tickets is None else tickets.get(job.ticket_name) or _no_ticket(job)
        run, silence = await self._run(job)
        created = job.current.run_created_at is not None
        if run is not None and run.exists and not created:
            await self._confirm(job, run)
        if run is not None and run.exists:
            await self._note_run(job, run)
        decision = decide_job(
            job.state,
            cancel_asked=job.cancel_asked_at is not None,
            run_created=created or (run is not None and run.exists),
            ticket=ticket,
            run=run,
            suspend_asked=job.suspend_asked_at is not None,
            held_back=self._held_back(job),
            retries_left=job.spec.max_retries - job.retries_used,
            starting_for=self._starting_for(job, run),
            start_timeout=self._w.registry.jobs.start_timeout,
        )
        if decision.unknown is not None:
            await self._note_unknown(job, silence or decision.unknown)
            return False
        try:
            moved = await self._apply(job, decision, ticket)
        except (AdmissionUnavailable, EngineUnavailable) as error:
            await self._note_unknown(job, str(error))
            return False
        # The queue may answer for a job whose vCluster is silent.
        await self._note_unknown(job, silence)
        return moved

    async def _held(self, job: JobRecord) -> bool:
        """One step for a job that waits for an approval, or for room in a budget: that comes first."""
        why = await reconciling.run(self._w.budgets.reserve, job)
        if why is not None:
            await self._note(job, JobState.HELD, why)
            return False
        try:
            moved = await self._w.approvals.advance(job)
        except EngineUnavailable as error:
            await self._note_unknown(job, str(error))
            return False
        await self._note_unknown(job, None)
        return moved

    def _starting_for(self, job: JobRecord, run: JobRun | None) -> float:
        """Seconds for which the attempt, or the step that it is stuck at, has had its devices and not begun."""
        now = self._w.clock()
        since = job.current.starting_at
        if run is not None and run.blocked_after is not None:
            since = (job.current.run_created_at or now) + run.blocked_after
        return 0.0 if since is None else now - since

    def _now(self, job: JobRecord) -> float:
        """Never before what has happened to the job already: this machine's clock may be set back."""
        known = (job.current.queued_at, job.current.starting_at, job.current.running_at)
        return max(self._w.clock(), job.submitted_at, *(at for at in known if at is not None))

    def _held_back(self, job: JobRecord) -> str | None:
        """Why the attempt may not begin yet."""
        if job.not_before is None or job.not_before <= self._w.clock():
            return None
        return f"retry {job.retries_used} of {job.spec.max_retries} at {moment(job.not_before)}"

    async def _run(self, job: JobRecord) -> tuple[JobRun | None, str | None]:
        """The job's run, or why it is not known. Where none was ever intended nobody needs to be asked."""
        if job.current.run_intended_at is None:
            return JobRun(exists=False), None
        try:
            return await self._w.engines.of(job.spec.backend).get(job.tenant, job.run_id), None
        except EngineUnavailable as error:
            return None, str(error)
        except Exception as error:
            # An engine reads what the team's API sends, and nothing of that may look like the end of a run.
            log.exception("job %s: engine %s failed to read its run", job.id, job.spec.backend)
            return None, f"the engine can't read what the vCluster of team {job.tenant} says ({type(error).__name__})"

    async def _apply(self, job: JobRecord, decision: JobDecision, ticket: Ticket | None) -> bool:
        state = decision.state
        try:
            match decision.step:
                case JobStep.WAIT:
                    await self._note(job, state, _shown(job, decision))
                    return False
                case JobStep.FILE_TICKET:
                    if state is not job.state:
                        await self._note(job, state, job.reason)
                    if decision.reason is not None:
                        log.warning("job %s of %s in %s: %s", job.id, job.owner, job.tenant, decision.reason)
                    low = await reconciling.run(self._w.budgets.lowered, job.tenant, job.owner)
                    await self._w.admission.request(self._ticket_request(job, low=low))
                case JobStep.HOLD_TICKET:
                    await self._w.admission.hold(job.tenant, job.ticket_name)
                case JobStep.CREATE_RUN:
                    await self._note(job, state, decision.reason, ticket.devices if ticket else None)
                    await self._create_run(job, ticket)
                case JobStep.STOP_RUN:
                    await self._note(job, state, f"stopping: {_why(job, decision)}")
                    await self._keep_log(job)
                    await self._w.engines.of(job.spec.backend).delete(job.tenant, job.run_id)
                case JobStep.END_ATTEMPT:
                    await self._begin_ending(job, decision)
                case JobStep.FINISH:
                    await self._finish(job, decision)
        except UserLimitReached as error:
            await self._note(job, state, str(error))
            return False
        except NotAdmitted:
            return False  # it lost its place since it was looked at; the next look says to whom
        except (AdmissionRefused, EngineRefused) as error:
            await self._end(job, JobState.FAILED, str(error), None)
        return True

    async def _create_run(self, job: JobRecord, ticket: Ticket | None) -> None:
        """The intention is recorded first and the run's name derives from the job's id: a crash anywhere in
        here is followed by a look for the run, and by creating it under the same name if it is not there."""
        changed = await self._w.approvals.changed(job)
        if changed is not None:
            raise EngineRefused(changed)
        token = job_token(self._w.token_key, job.run_id)
        now = self._w.clock()
        intend = self._w.jobs.attempts.intend_run
        await reconciling.run(intend, job.id, job.attempt, token_hash=token_hash(token), now=now)
        await self._w.admission.hold(job.tenant, job.ticket_name)
        profile = self._profile(job)
        selector = {**profile.node_labels, **(ticket.node_selector if ticket else {})}
        secrets = await self._secrets_of(job)
        spec = run_spec(job, profile, self._w.registry, token=token, node_selector=selector, secrets=secrets)
        await self._confirm(job, await self._w.engines.of(job.spec.backend).create(spec))

    async def _secrets_of(self, job: JobRecord) -> Mapping[str, str]:
        """The values of the secrets that the job lists. One that is gone ends the job: it never runs without it."""
        if not job.spec.secrets:
            return {}
        whose = {"tenant": job.tenant, "owner": job.owner, "job": job.id}
        give = partial(self._w.secrets.give, job.spec.secrets, **whose, attempt=job.attempt, now=self._w.clock())
        try:
            return await reconciling.run(give)
        except SecretMissing as error:
            raise EngineRefused(str(error)) from error

    async def _confirm(self, job: JobRecord, run: JobRun) -> None:
        confirm = self._w.jobs.attempts.confirm_run
        await reconciling.run(confirm, job.id, job.attempt, uid=run.uid, now=self._w.clock())

    async def _finish(self, job: JobRecord, decision: JobDecision) -> None:
        await self._keep_log(job)
        if job.state is JobState.HELD:
            await self._w.approvals.withdraw(job, _why(job, decision) or "the job was cancelled")
        report = job.current.report or {}
        said = report.get("problem")
        exit_code = decision.exit_code
        if exit_code is None and decision.state is JobState.FAILED:
            exit_code = report.get("exit_code")
        await self._end(job, decision.state, said or _why(job, decision), exit_code)

    async def _end(self, job: JobRecord, state: JobState, reason: str | None, exit_code: int | None) -> None:
        log.info("job %s of %s in %s: %s (%s)", job.id, job.owner, job.tenant, state, reason or "no reason given")
        finish = self._w.jobs.finish
        await reconciling.run(finish, job.id, state, reason=reason, exit_code=exit_code, now=self._now(job))

    async def _begin_ending(self, job: JobRecord, decision: JobDecision) -> None:
        """Recorded before anything is removed: a run that is gone then tells nobody that it failed."""
        kind = decision.kind
        assert kind is not None  # decide_job sets it with END_ATTEMPT
        log.info("job %s of %s in %s: attempt %d ends: %s", job.id, job.owner, job.tenant, job.attempt, decision.reason)
        said = (job.current.report or {}).get("problem") if kind is EndKind.RETRY else None
        reason = said or decision.reason
        await reconciling.run(
            self._w.jobs.begin_ending,
            job.id,
            kind,
            reason=reason,
            exit_code=decision.exit_code,
            shown=f"ending attempt {job.attempt}: {reason}",
            now=self._now(job),
        )

    async def _end_attempt(self, job: JobRecord) -> bool:
        """Remove what the attempt has on the cluster, keep its log, and let the job go on."""
        ended = job.current
        if ended.kind is None or not await self._remove(job):
            return False
        onward = after_attempt(
            ended.kind,
            reason=ended.reason,
            retries_used=job.retries_used,
            base=job.spec.retry_backoff,
            now=self._w.clock(),
        )
        await reconciling.run(self._w.jobs.next_attempt, job, onward, now=self._now(job))
        return True

    async def _clean(self, job: JobRecord) -> bool:
        """After the end."""
        if not await self._remove(job):
            return False
        await reconciling.run(self._w.jobs.mark_cleaned, job.id, now=self._w.clock())
        return True

    async def _remove(self, job: JobRecord) -> bool:
        """The attempt's run goes, then, once no pod is left, its ticket: the order keeps the quota true.
        Whether nothing is left."""
        try:
            if job.current.run_intended_at is not None:
                await self._keep_log(job)
                await self._w.engines.of(job.spec.backend).delete(job.tenant, job.run_id)
                if not await self._w.engines.of(job.spec.backend).pods_gone(job.tenant, job.run_id):
                    return False
            await self._w.admission.release(job.tenant, job.ticket_name)
        except (AdmissionUnavailable, EngineUnavailable) as error:
            log.info("job %s: cleaning up waits: %s", job.id, error)
            return False
        return True

    async def _keep_log(self, job: JobRecord) -> None:
        """Store what the pod printed, unless its runner has brought the log: afterwards nobody can ask for it.

        Asked of the database again, because the runner may have come since the job was read.
        """
        if job.current.run_intended_at is None:
            return
        current = await reconciling.run(self._w.jobs.get, job.id)
        if current is None or current.attempt != job.attempt or current.current.log_size is not None:
            return
        limit = await self._w.room.log_limit(job.tenant, job.owner, self._w.registry.jobs.max_log)
        try:
            text = await self._w.engines.of(job.spec.backend).logs(job.tenant, job.run_id, limit_bytes=limit)
        except EngineUnavailable as error:
            log.warning("job %s: its log can't be had now: %s", job.id, error)
            text = ""
        # A pod that is gone has no log any more; what its runner sent while it ran is here.
        content = text.encode() or await reconciling.run(self._printed, job.run_id, limit)
        if content:
            await reconciling.run(self._store_log, job, content, limit)

    def _printed(self, run_id: str, limit: int) -> bytes:
        tail = self._w.spool.tail(run_id, most=limit)
        return shortened(tail, self._w.spool.size(run_id))

    def _store_log(self, job: JobRecord, content: bytes, limit: int) -> None:
        with self._w.files.incoming(limit) as incoming:
            incoming.write(content[-limit:])
            kept = incoming.keep(self._w.files.log(job.id, job.attempt))
        self._w.jobs.attempts.record_log(job.id, job.attempt, size=kept.size, sha256=kept.sha256)

    async def _note(
        self, job: JobRecord, state: JobState, reason: str | None, devices: Mapping[Device, int] | None = None
    ) -> None:
        if (job.state, job.reason) != (state, reason) and not job.state.final:
            set_state = self._w.jobs.set_state
            await reconciling.run(set_state, job.id, state, reason, devices=devices, now=self._now(job))

    async def _note_run(self, job: JobRecord, run: JobRun) -> None:
        """What is out of sight for a moment stays as it was seen."""
        steps = tuple(step.to_json() for step in run.steps) or job.current.steps
        nodes = tuple(sorted({*job.current.nodes, *run.nodes}))
        if (steps, nodes) != (job.current.steps, job.current.nodes):
            set_run = self._w.jobs.attempts.set_run
            await reconciling.run(set_run, job.id, job.attempt, steps=steps, nodes=nodes)

    async def _note_unknown(self, job: JobRecord, why: str | None) -> None:
        """Record since when the cluster can't be asked about the job, or that it can be again."""
        if why != job.unreachable:
            await reconciling.run(self._w.jobs.set_unreachable, job.id, why, now=self._w.clock())

    def _profile(self, job: JobRecord) -> Profile:
        """Raises EngineRefused when the profile was taken away since: what it was made of is not known any more."""
        catalogue = self._w.registry.catalogue
        if job.spec.profile not in catalogue.names:
            raise EngineRefused(f"Profile {job.spec.profile} is not in tenants.yaml any more. Submit with another one.")
        return catalogue.profile(job.spec.profile)

    def _ticket_request(self, job: JobRecord, *, low: bool) -> TicketRequest:
        """``low``: a budget lets it go after all others."""
        profile = self._profile(job)
        return TicketRequest(
            tenant=job.tenant,
            name=job.ticket_name,
            kind="job",
            owner=job.id,
            user=job.owner,
            profile=profile.name,
            resources=times(profile.requests, job.spec.nodes),
            priority=constants.PRIORITY_LOWERED if low else constants.JOB_PRIORITIES[job.spec.priority],
            node_labels=profile.node_labels,
            flavor=profile.flavor,
            max_seconds=longest(job, self._w.registry),
            database=self._w.database,
            running=job.current.run_created_at is not None,
        )


def _why(job: JobRecord, decision: JobDecision) -> str | None:
    """The decision's reason; of a cancelled job also who asked for it, and their word to its owner."""
    if decision.state is JobState.CANCELLED or (decision.step is JobStep.STOP_RUN and job.cancel_asked_by):
        word = f": {job.cancel_word}" if job.cancel_word else ""
        return f"cancelled by {job.cancel_asked_by}{word}"
    return decision.reason


def _shown(job: JobRecord, decision: JobDecision) -> str | None:
    """The decision's reason; of a job that was preempted and queues again also that."""
    if decision.state is JobState.QUEUED and job.earlier and job.earlier[-1].kind is EndKind.PREEMPTED:
        return f"preempted and queued again; {decision.reason}"
    return decision.reason


def _no_ticket(job: JobRecord) -> Ticket:
    return Ticket(job.tenant, job.ticket_name, uid="", state=TicketState.GONE)
