"""The job that a step of a pipeline becomes: its request, and the files that it gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from ...client.api import notebook_command
from ...domain.cache_inputs import chosen
from ...domain.datasets import GivenVersion
from ...domain.globs import path_fits
from ...domain.pipeline_conditions import Values, value_of
from ...domain.pipeline_reader import text_of
from ...domain.pipeline_runs import Standing
from ...domain.pipelines import Pipeline, Step, StepJob, jobs_of, step_of
from ...domain.step_cache_reasons import changed_files
from ...runner.checkpoints import PREFIX as CHECKPOINTS
from ...store import Artifact, BlobMissing, FilesMissing, FileStore, JobRecord, Jobs
from ...store.pipeline_runs import PipelineRun, RunStep
from ...untrusted.json_text import BadJson
from ...untrusted.manifests import ManifestFile, read_manifest
from ..request_types import Submission
from ..snapshot_writer import SnapshotWriter, SourceFile, TooMuch

_LONGEST_NAME = 255


class CantRun(Exception):
    """Why a step can't be submitted, however often it is tried."""


def submission_of(
    name: str,
    job: StepJob,
    *,
    key: str,
    files: str | None,
    values: Values,
    provenance: Mapping[str, Any] | None = None,
    data: Sequence[GivenVersion] | None = None,
) -> Submission:
    """The request for a step's job. ``values`` are the metrics of the steps that it needs; ``data`` the versions that
    it is given, by default those that the file names. Raises CantRun."""
    step = job.step
    asked: dict[str, Any] = {
        "name": f"{name}: {job.key}"[:_LONGEST_NAME],
        "key": key,
        "profile": step.profile,
        "environment": {**step.environment, **_measured(step, values), **_varied(job)},
        "outputs": None if step.outputs is None else list(step.outputs),
        "retries": step.retries,
        "max_seconds": step.max_seconds,
        "nodes": step.nodes,
        "files": files,
        "data": list(step.data) if data is None else [version.reference for version in data],
        "sweep_parameters": dict(job.values),
        "provenance": None if provenance is None else dict(provenance),
    }
    try:
        return Submission.model_validate(asked | _work(job))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise CantRun(f"{place}: {problem['msg'].removeprefix('Value error, ')}") from error


def needed(step: Step, steps: Mapping[str, RunStep]) -> dict[str, list[Standing]]:
    """How the jobs of each step stand that ``step`` needs."""
    return {need: [each.standing for each in steps.values() if step_of(each.key) == need] for need in step.needs}


def provenance_of(run: PipelineRun, job: StepJob) -> dict[str, Any]:
    """Where the job comes from, for its record."""
    told = {name: run.cause[name] for name in ("commit", "repository", "ref") if run.cause.get(name)}
    if told and run.cause.get("by"):
        told["pushed_by"] = run.cause["by"]
    return (
        {**told, "dirty": False, "pipeline": {"run": run.id, "name": run.name, "step": job.key}}
        if told
        else {"pipeline": {"run": run.id, "name": run.name, "step": job.key}}
    )


def _work(job: StepJob) -> dict[str, Any]:
    step = job.step
    if step.notebook is not None:
        return {"command": notebook_command(step.notebook, {**step.parameters, **job.values})}
    if step.template is not None:
        given = {name: text_of(value) for name, value in {**step.parameters, **job.values}.items()}
        return {"template": step.template, "engine": step.engine, "parameters": given}
    return {"command": step.command, "engine": step.engine}


def _measured(step: Step, values: Values) -> dict[str, str]:
    found = {variable: value_of(reference, values) for variable, reference in step.metrics.items()}
    return {variable: repr(value) for variable, value in found.items() if value is not None}


def _varied(job: StepJob) -> dict[str, str]:
    return {} if job.step.command == "" else {name: text_of(value) for name, value in job.values.items()}


@dataclass(frozen=True, slots=True)
class StepFiles:
    """Puts together what a step's job gets: the run's own files, and those that needed steps gave back."""

    jobs: Jobs
    files: FileStore
    writer: SnapshotWriter

    def size(self, pipeline: Pipeline, step: Step, steps: Mapping[str, RunStep]) -> int:
        """How many bytes would have to be kept for it at most."""
        return sum(artifact.size for _, _, artifact in self._given(pipeline, step, steps))

    def gather(
        self, run: PipelineRun, pipeline: Pipeline, step: Step, steps: Mapping[str, RunStep], *, now: float
    ) -> str | None:
        """What the job names the files by; None without any. Of two files with one name that of the step counts which
        stands later among the needs. Raises CantRun."""
        given = {
            file.name: SourceFile(file, _chunks_of(self.files, job_id, artifact.name))
            for job_id, file, artifact in self._given(pipeline, step, steps)
        }
        if not given:
            return run.files
        with _said_of_files():
            return self.writer.keep(run.tenant, run.owner, list(given.values()), kept=self._own(run), now=now)

    def digest(self, run: PipelineRun, pipeline: Pipeline, step: Step, steps: Mapping[str, RunStep]) -> str | None:
        """What ``gather`` would name the files by; nothing is written. Raises CantRun."""
        given = {file.name: file for _, file, _ in self._given(pipeline, step, steps)}
        if not given:
            return run.files
        with _said_of_files():
            return self.writer.digest(list(given.values()), self._own(run))

    def deciding(self, run: PipelineRun, pipeline: Pipeline, step: Step, steps: Mapping[str, RunStep]) -> str | None:
        """The same of those files alone that decide whether an earlier result of a step with ``inputs`` counts. Raises
        CantRun."""
        with _said_of_files():
            given = {file.name: file for _, file, _ in self._given(pipeline, step, steps)}
            return self.writer.digest(list(given.values()), self._chosen(run, step))

    def changed(
        self, run: PipelineRun, pipeline: Pipeline, step: Step, steps: Mapping[str, RunStep], earlier: JobRecord
    ) -> tuple[str, ...]:
        """What of the files that decide is not as an ``earlier`` job of the step had it; empty where that is not known
        any more."""
        digest = earlier.spec.input_sha256
        try:
            before = () if digest is None else self._listed(earlier.tenant, earlier.owner, digest)
            own = self._chosen(run, step)
        except (BlobMissing, FilesMissing, BadJson):
            return ()
        given = {file.name: file for _, file, _ in self._given(pipeline, step, steps)}
        now = {**{file.name: file for file in own}, **given}
        had = chosen([file.name for file in before], step) | now.keys()
        return changed_files(_contents(f for f in before if f.name in had), _contents(now.values()))

    def _own(self, run: PipelineRun) -> Sequence[ManifestFile]:
        """The files that the run was started with."""
        return () if run.files is None else self._listed(run.tenant, run.owner, run.files)

    def _chosen(self, run: PipelineRun, step: Step) -> Sequence[ManifestFile]:
        """Those of them that decide."""
        own = self._own(run)
        names = chosen([file.name for file in own], step)
        return [file for file in own if file.name in names]

    def _listed(self, tenant: str, owner: str, digest: str) -> Sequence[ManifestFile]:
        text, _ = self.writer.snapshots.manifest(tenant, owner, digest)
        return read_manifest(text.encode())

    def _given(
        self, pipeline: Pipeline, step: Step, steps: Mapping[str, RunStep]
    ) -> Iterator[tuple[str, ManifestFile, Artifact]]:
        """Job, file as it is to be named, and artifact."""
        for need in step.needs:
            wanted = step.files.get(need)
            for job in jobs_of(replace(pipeline, steps=(pipeline.step(need),))):
                job_id, folder = steps[job.key].job_id, f"{job.key}/" if job.step.matrix else ""
                for artifact in [] if job_id is None else self.jobs.artifacts(job_id):
                    hidden = artifact.name.startswith(CHECKPOINTS)
                    if not hidden and (wanted is None or any(path_fits(artifact.name, each) for each in wanted)):
                        file = ManifestFile(folder + artifact.name, artifact.sha256, artifact.size)
                        yield str(job_id), file, artifact


@contextmanager
def _said_of_files() -> Iterator[None]:
    """Puts what is wrong with a step's files into words. Raises CantRun."""
    try:
        yield
    except TooMuch as error:
        raise CantRun(f"its files can't travel: {error}") from error
    except BadJson as error:
        raise CantRun(f"its files can't be put together: {error.problem}") from error
    except (BlobMissing, FilesMissing) as error:
        raise CantRun("files that it needs are not kept any more") from error


def _contents(files: Iterable[ManifestFile]) -> dict[str, str]:
    return {file.name: f"{file.sha256} {file.executable}" for file in files}


def _chunks_of(files: FileStore, job_id: str, name: str) -> Any:
    def chunks() -> Iterator[bytes]:
        reading = files.open(files.artifact(job_id, name))
        try:
            while chunk := reading.next():
                yield chunk
        finally:
            reading.close()

    return chunks
