"""Runs of pipelines, for people."""

from __future__ import annotations

from collections.abc import Sequence

from ... import constants
from ...domain.refusals import Refusal
from ...pipeline_file import BadPipeline, PipelineFile, read_pipeline
from ...store.pipeline_runs import PipelineRun
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field, forbidden, from_refusal
from ..pipeline_answer_types import PipelineCheckAnswer, PipelineRunAnswer, PipelineRunPage
from ..pipeline_request_types import (
    PipelineCheckRequest,
    PipelineRetryRequest,
    PipelineRunQuery,
    PipelineRunRequest,
)
from ..pipelines.starter import Started
from .base import Handler, run_sync
from .operations import operation
from .pipeline_answers import bad_pipeline_answer, checked_answer, run_answer


def _unknown(run_id: str) -> ServiceError:
    message = f"There is no pipeline run {run_id!r} in your teams."
    return ServiceError(404, "unknown-pipeline-run", message, field="id")


class OfPipelines(Handler):
    """What handlers of pipelines share."""

    async def run_for(self, caller: Caller, run_id: str) -> PipelineRun:
        """The run, if it is in a tenant that the token may read. Raises ServiceError (404) for all others."""
        found: PipelineRun | None = await run_sync(self.context.pipelines.runs.get, run_id)
        known = self.context.registry.tenants
        if found is None or found.tenant not in caller.tenants(constants.SCOPE_READ, known):
            raise _unknown(run_id)
        return found

    async def answers_for(self, runs: Sequence[PipelineRun]) -> list[PipelineRunAnswer]:
        """The answers for these runs, with the states of their jobs."""
        steps = await run_sync(self.context.pipelines.runs.steps, [run.id for run in runs])
        ids = [step.job_id for of_run in steps.values() for step in of_run if step.job_id is not None]
        states = await run_sync(self.context.jobs.states, ids) if ids else {}
        simulated = self.context.registry.cluster.simulated
        return [run_answer(run, steps[run.id], states, simulated=simulated) for run in runs]

    async def answer_run(self, run_id: str, status: int = 200) -> None:
        """Answer with one run as it is now. Raises ServiceError (404) for one that was just removed."""
        run = await run_sync(self.context.pipelines.runs.get, run_id)
        if run is None:
            raise _unknown(run_id)
        self.answer((await self.answers_for([run]))[0], status)

    async def answer_started(self, started: Started | Refusal) -> None:
        """Answer with a run that was to be started. Raises ServiceError."""
        if isinstance(started, Refusal):
            raise from_refusal(started)
        await self.answer_run(started.run.id, 201 if started.new else 200)

    async def read_file(self, caller: Caller, text: str) -> PipelineFile:
        """The pipeline of a file's text. Raises BadPipeline."""
        return await self.context.parsing.run(caller.name, read_pipeline, text.encode())


class PipelineRunList(OfPipelines):
    """The runs of a team's pipelines, and the door for new ones."""

    @operation(
        "listPipelineRuns",
        "A team's runs of pipelines, the newest first.",
        answer=PipelineRunPage,
        query=PipelineRunQuery,
    )
    async def get(self, tenant: str) -> None:
        """The newest first, in pages."""
        caller = await self.caller()
        asked = self.query(PipelineRunQuery)
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        last = None if asked.before is None else await self.run_for(caller, asked.before)
        newest = self.context.pipelines.runs.newest
        found = await run_sync(newest, chosen, limit=asked.limit + 1, before=last, trigger=asked.trigger)
        page = await self.answers_for(found[: asked.limit])
        self.answer({"runs": page, "next": page[-1]["id"] if len(found) > asked.limit else None})

    @operation(
        "startPipelineRun",
        "Start a pipeline: 201 for a new run, 200 for the one that the same key made before.",
        answer=PipelineRunAnswer,
        body=PipelineRunRequest,
        statuses=(200, 201),
    )
    async def post(self, tenant: str) -> None:
        """Every step is checked as a submitted job is, before anything is started."""
        caller = await self.caller(fresh=True)
        asked = await self.body(PipelineRunRequest, caller.name)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        try:
            file = await self.read_file(caller, asked.pipeline)
        except BadPipeline as error:
            raise bad_field("pipeline", f"The pipeline file can't be used: {error}.") from error
        started = await run_sync(
            self.context.pipelines.starter.start,
            caller.name,
            chosen,
            asked.key,
            file,
            files=asked.files,
            cause={"kind": "hand", "by": caller.name},
            role=caller.roles.get(chosen),
            cache=asked.cache,
        )
        await self.answer_started(started)


class PipelineCheck(OfPipelines):
    """What would happen to a pipeline."""

    @operation(
        "checkPipeline",
        "What is wrong with a pipeline file, and what would become of each step now; nothing is started.",
        answer=PipelineCheckAnswer,
        body=PipelineCheckRequest,
    )
    async def post(self, tenant: str) -> None:
        """A pipeline that would be refused is an answer here, not an error."""
        caller = await self.caller()
        asked = await self.body(PipelineCheckRequest, caller.name)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        simulated = self.context.registry.cluster.simulated
        try:
            file = await self.read_file(caller, asked.pipeline)
        except BadPipeline as error:
            self.answer(bad_pipeline_answer(error, simulated=simulated))
            return
        check, role = self.context.pipelines.starter.check, caller.roles.get(chosen)
        checked = await run_sync(check, caller.name, chosen, file.pipeline, role=role)
        self.answer(checked_answer(file.pipeline.name, checked, simulated=simulated))


class PipelineRunOne(OfPipelines):
    """One run."""

    @operation("getPipelineRun", "One run of a pipeline with its steps, as it is now.", answer=PipelineRunAnswer)
    async def get(self, run_id: str) -> None:
        """Its state now."""
        run = await self.run_for(await self.caller(), run_id)
        await self.answer_run(run.id)

    @operation(
        "cancelPipelineRun",
        "Ask for a run to end: what runs is stopped, and nothing more begins. Nothing changes for one that has ended.",
        answer=PipelineRunAnswer,
        statuses=(202,),
    )
    async def delete(self, run_id: str) -> None:
        """Its owner may, and the tenant's admins."""
        caller = await self.caller(fresh=True)
        run = await self.run_for(caller, run_id)
        if not caller.tenants(constants.SCOPE_CANCEL, [run.tenant]):
            raise forbidden("This token may not cancel pipelines.")
        if run.owner != caller.name and not caller.administers(run.tenant):
            raise forbidden(f"Run {run.id} is {run.owner}'s: its owner and the team's admins can cancel it.")
        await run_sync(self.context.pipelines.runs.ask_cancel, run.id, by=caller.name, now=self.context.clock())
        await self.answer_run(run.id, 202)


class PipelineRetry(OfPipelines):
    """Run a pipeline again."""

    @operation(
        "retryPipelineRun",
        "Run an ended pipeline again from a step on, as a new run: 201, or 200 for the one that the same key made.",
        answer=PipelineRunAnswer,
        body=PipelineRetryRequest,
        statuses=(200, 201),
    )
    async def post(self, run_id: str) -> None:
        """Its owner alone may: the new jobs are theirs. What succeeded before that step is taken over as it is."""
        caller = await self.caller(fresh=True)
        asked = await self.body(PipelineRetryRequest, caller.name)
        run = await self.run_for(caller, run_id)
        if not caller.tenants(constants.SCOPE_SUBMIT, [run.tenant]):
            raise forbidden("This token may not start pipelines.")
        if run.owner != caller.name:
            raise forbidden(f"Run {run.id} is {run.owner}'s: its owner alone can run it again.")
        if not run.state.final:
            message = f"Run {run.id} has not ended: cancel it first, or wait."
            raise ServiceError(409, "pipeline-run-goes-on", message, field="id")
        again, role = self.context.pipelines.starter.again, caller.roles.get(run.tenant)
        await self.answer_started(await run_sync(again, run, asked.key, asked.step, role))
