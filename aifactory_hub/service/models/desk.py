"""The parts of the registry of models that handlers use, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.models import ModelFacts, ModelVersion, VersionState
from ...domain.refusals import Refusal, RefusalReason
from ...domain.statements import BuildFacts
from ...registry import Registry
from ...signing.keys import Custody
from ...store import FileStore, JobRecord, Jobs
from ...store.datasets import Datasets
from ...store.model_registry import ModelRegistry
from ..gates import Gates
from .aliases import Aliases
from .build_facts import build_facts
from .checks import Checks
from .lineage import LineageReader, material_of, model_material
from .recovery import Recovery
from .registrar import Registrar
from .registration import Registration
from .signatures import Signatures


@dataclass(frozen=True)
class ModelDesk:
    """Takes versions in, looks at them, moves aliases, and tells what came from what (``lineage`` makes a reader)."""

    registry: ModelRegistry
    signatures: Signatures
    registration: Registration
    checks: Checks
    aliases: Aliases
    recovery: Recovery
    facts_of_job: Callable[[JobRecord, int], BuildFacts]
    datasets: Datasets
    lineage: Callable[[], LineageReader]

    def against_reading(self, model: ModelFacts, version: ModelVersion) -> Refusal | None:
        """Why nobody may read the version's files; None when people may."""
        if version.state is not VersionState.QUARANTINED:
            return None
        message = f"Version {version.number} of {model.name} is quarantined: {version.why}."
        return Refusal(RefusalReason.QUARANTINED, message, field="version")


def assemble_models(
    *,
    get_registry: Callable[[], Registry],
    registry: ModelRegistry,
    jobs: Jobs,
    files: FileStore,
    gates: Gates,
    clock: Callable[[], float],
    tell: Callable[[ModelFacts, ModelVersion, str], None],
    custody: Custody,
) -> ModelDesk:
    """The parts. ``tell`` is called with a version that was quarantined, and why."""
    signatures = Signatures(registry, custody, clock)

    datasets = Datasets(jobs.db)

    def facts_of_job(job: JobRecord, attempt: int) -> BuildFacts:
        data = [material_of(each) for each in datasets.of_jobs([job.id])]
        for version in registry.given_to(job.id):
            model = registry.model(version.model)
            assert model is not None  # a foreign key holds it
            data.append(model_material(model, version))
        return build_facts(job, attempt, get_registry(), data)

    def facts_of(version: ModelVersion) -> BuildFacts | None:
        job = jobs.get(version.job)
        return None if job is None else facts_of_job(job, version.attempt)

    checks = Checks(registry, files, signatures, facts_of, tell, clock)
    return ModelDesk(
        registry=registry,
        signatures=signatures,
        registration=Registration(
            Registrar(registry, jobs, files, signatures, clock), gates, facts_of_job, get_registry, clock
        ),
        checks=checks,
        aliases=Aliases(registry, checks, signatures, gates, get_registry, clock),
        recovery=Recovery(registry, checks, signatures, clock),
        facts_of_job=facts_of_job,
        datasets=datasets,
        lineage=lambda: LineageReader(registry, jobs, datasets, facts_of_job),
    )
