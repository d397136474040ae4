"""Does what a step of a pipeline asks of the service itself: registers a version, lets an alias lead to it, deploys it.

Each act can be repeated: the same files are the same version, and an alias that leads there already stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...domain.approvals import needs_in_words
from ...domain.models import MoveKind
from ...domain.pipeline_acts import best_job
from ...domain.pipelines import DeployAct, PromoteAct, RegisterAct, Step, step_of
from ...domain.refusals import Refusal
from ...domain.verdicts import Need, Target, Verb
from ...signing.keys import CustodyError
from ...store import BlobsUnavailable, JobRecord, Jobs
from ...store.pipeline_runs import PipelineRun, RunStep
from ..approvals import ApprovalDesk
from ..background.schedules import Membership
from ..deployments.desk import Coming, DeploymentDesk, DeployWish
from ..deployments.rules import deploy_subject
from ..executors import reads
from ..models.aliases import MoveWish
from ..models.desk import ModelDesk
from ..models.registrar import Wish
from ..models.registration import NeedsApproval, register_subject


@dataclass(frozen=True, slots=True)
class Did:
    """What the step did, for people, and as data."""

    words: str
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waits:
    """What it waits for; empty where it is tried again in a moment. ``held``: people have to approve it."""

    words: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Why it can't be done."""

    words: str


Outcome = Did | Waits | Failed


@dataclass(frozen=True, slots=True)
class Acts:
    """For one event loop. ``carry_out`` is asked again for what waits."""

    desk: ModelDesk
    approvals: ApprovalDesk
    jobs: Jobs
    membership: Membership
    deployments: DeploymentDesk

    async def carry_out(self, run: PipelineRun, step: Step, steps: Mapping[str, RunStep]) -> Outcome:
        """Do it in the name of the run's owner, or say what it waits for, or why it can't be done."""
        try:
            if isinstance(step.act, RegisterAct):
                return await self._register(run, step, step.act, steps)
            if isinstance(step.act, DeployAct):
                return await self._deploy(run, step, step.act, steps)
            assert isinstance(step.act, PromoteAct)
            return await self._promote(run, step, step.act, steps)
        except (CustodyError, BlobsUnavailable) as error:  # nothing is known, so nothing is said
            return Waits(f"it is tried again: {error}")

    async def _register(self, run: PipelineRun, step: Step, act: RegisterAct, steps: Mapping[str, RunStep]) -> Outcome:
        job = await self._job(act, steps)
        if not isinstance(job, JobRecord):
            return job
        going = await self._progress(steps[step.name], register_subject(act.model, job.id), Verb.REGISTER)
        if going is not None:
            return going
        role = await self.membership.role(run.owner, run.tenant)
        wish = Wish(job, act.model, act.files, act.note or f"pipeline {run.name}, run {run.id}", run.owner, role)
        made = await self.desk.registration.register(wish, self.approvals)
        if isinstance(made, Refusal):
            return Failed(made.message)
        if isinstance(made, NeedsApproval):
            return _held(made.needs)
        facts = {"model": act.model, "version": made.version.number, "id": made.version.id}
        return Did(f"{act.model} {made.version.number}" + ("" if made.new else ", which was there before"), facts)

    async def _job(self, act: RegisterAct, steps: Mapping[str, RunStep]) -> JobRecord | Outcome:
        """The job whose files are meant."""
        of_it = [each for key, each in steps.items() if step_of(key) == act.step]
        chosen = of_it[0].key
        if act.best is not None:
            best = best_job(act.best, [each.standing for each in of_it])
            if isinstance(best, str):
                return Failed(best)
            chosen = best.key
        job_id = steps[chosen].job_id
        job = None if job_id is None else await reads.run(self.jobs.get, job_id)
        if job is None:
            return Failed(f"the job of {chosen} is not known any more")
        return Waits() if job.live else job  # what it left is being put in order

    async def _promote(self, run: PipelineRun, step: Step, act: PromoteAct, steps: Mapping[str, RunStep]) -> Outcome:
        made = steps[act.step].result
        version = None if made is None else await reads.run(self.desk.registry.version, made["id"])
        model = None if version is None else await reads.run(self.desk.registry.model, version.model)
        if version is None or model is None:
            return Failed(f"the version that {act.step} registered is not known any more")
        going = await self._progress(steps[step.name], f"{version.id}@{act.alias}", Verb.PROMOTE)
        if going is not None:
            return going
        reason = act.reason or f"pipeline {run.name}, run {run.id}"
        role = await self.membership.role(run.owner, run.tenant)
        wish = MoveWish(model, act.alias, MoveKind.PROMOTE, version, run.owner, reason, role)
        moved = await self.desk.aliases.lead(wish, self.approvals)
        if isinstance(moved, Refusal):
            return Failed(moved.message)
        if moved.needs:
            return _held(moved.needs)
        facts = {"model": model.name, "version": version.number, "id": version.id, "alias": act.alias}
        return Did(f"{model.name}@{act.alias} leads to version {version.number}", facts)

    async def _deploy(self, run: PipelineRun, step: Step, act: DeployAct, steps: Mapping[str, RunStep]) -> Outcome:
        """Done once it answers: so that what needs this step may ask it."""
        made = steps[act.step].result
        version = None if made is None else await reads.run(self.desk.registry.version, made["id"])
        model = None if version is None else await reads.run(self.desk.registry.model, version.model)
        if made is None or version is None or model is None:
            return Failed(f"the version that {act.step} registered is not known any more")
        role = await self.membership.role(run.owner, run.tenant)
        at = made.get("alias") or str(version.number)
        wish = DeployWish(run.tenant, act.name, model, at, act.plan, run.owner, role)
        going = await self._progress(steps[step.name], deploy_subject(version.id, act.name), Verb.DEPLOY)
        if going is not None:
            return going
        state = await self.deployments.bring(wish, version)
        if isinstance(state, Refusal):
            return Failed(state.message)
        if isinstance(state, Coming):
            return Waits(state.words, held=state.held)
        facts = {"model": model.name, "version": version.number, "id": version.id, "alias": made.get("alias")}
        return Did(f"{act.name} answers with {model.name} {version.number}", {**facts, "deployment": act.name})

    async def _progress(self, step: RunStep, subject: str, verb: Verb) -> Outcome | None:
        """What its approval says to a step that waits for it; None where the act is worth trying."""
        if step.result is None or not step.result.get("held"):
            return None
        target = Target.DEPLOYMENT if verb is Verb.DEPLOY else Target.MODEL
        going = await self.approvals.progress(target.value, subject, verb.value)
        if going.against is not None:
            return Failed(going.against)
        return Waits(step.reason or "", held=True) if going.waits else None


def _held(needs: tuple[Need, ...]) -> Waits:
    return Waits(f"held until {needs_in_words(needs)} approves it", held=True)
