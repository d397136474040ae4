"""What jobs are submitted with, by name: versions of datasets, and of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...domain.datasets import MODEL, MOST_OF_A_JOB, Dataset, DatasetVersion, GivenVersion, matches
from ...domain.models import ModelVersion, VersionState, number_of
from ...domain.refusals import Refusal, RefusalReason
from ...store.datasets import Datasets
from ...store.model_registry import ModelRegistry


@dataclass(frozen=True, slots=True)
class Given:
    """What a job is given. An alias leads to the version of now: what runs later is what was asked for.

    ``seen`` is what the site's rules see of the data: name, digest and class. ``versions`` are all of them by name.
    """

    data: tuple[DatasetVersion, ...] = ()
    models: tuple[ModelVersion, ...] = ()
    seen: tuple[Mapping[str, str], ...] = ()
    versions: tuple[GivenVersion, ...] = ()


class GivenData:
    """Finds what a submission names, and records that a job was given it. Methods block."""

    def __init__(self, datasets: Datasets, models: ModelRegistry, clock: Callable[[], float]) -> None:
        self._datasets = datasets
        self._models = models
        self._clock = clock

    def find(self, tenant: str, wanted: Sequence[str]) -> Given | Refusal:
        """What names such as ``claims@3``, ``claims@latest`` and ``model:fraud@prod`` mean; or which means nothing."""
        if len(wanted) > MOST_OF_A_JOB:
            return _refused(f"data has {len(wanted)} entries: a job takes {MOST_OF_A_JOB} at most.")
        data: dict[str, DatasetVersion] = {}
        models: dict[str, ModelVersion] = {}
        seen: dict[str, Mapping[str, str]] = {}
        versions: dict[str, GivenVersion] = {}
        for text in wanted:
            if text.startswith(MODEL):
                model = self._model(tenant, text)
                if isinstance(model, Refusal):
                    return model
                if models.setdefault(model.model, model) != model:
                    return _refused(f"data has {text!r} and another version of the same model: a job is given one.")
                versions[model.id] = _of_model(text.removeprefix(MODEL).partition("@")[0], model)
                continue
            dataset, version = self._dataset(tenant, text)
            if dataset is None or version is None:
                return _refused(f"data has {text!r}: team {tenant} has no such version. Write <dataset>@<number>.")
            data[version.id] = version
            seen[version.id] = _seen(dataset, version)
            versions[version.id] = _of_dataset(dataset, version)
        return Given(tuple(data.values()), tuple(models.values()), tuple(seen.values()), tuple(versions.values()))

    def give(self, job: str, owner: str, given: Given) -> None:
        """Record, before the job is stored, what it is given."""
        now = self._clock()
        self._datasets.give(job, given.data, now)
        for version in given.models:
            self._models.note_use(version.id, owner, job, now)

    def of_job(self, job: str) -> Given:
        """What a job was given."""
        found = self._datasets.of_jobs([job])
        data = tuple(each.version for each in found)
        seen = tuple(_seen(each.dataset, each.version) for each in found)
        versions = [_of_dataset(each.dataset, each.version) for each in found]
        models = self._models.given_to(job)
        for version in models:
            model = self._models.model(version.model)
            versions.append(_of_model(version.model if model is None else model.name, version))
        return Given(data, tuple(models), seen, tuple(versions))

    def digests(self, job: str) -> str:
        """All that a job was given, as text: each version with its digest, in order; empty for nothing."""
        found = self._datasets.of_jobs([job])
        data = [f"{each.dataset.name}@{each.version.number} {each.version.digest}" for each in found]
        models = [f"{MODEL}{each.model}@{each.number} {each.digest}" for each in self._models.given_to(job)]
        return ", ".join(sorted([*data, *models]))

    def _dataset(self, tenant: str, text: str) -> tuple[Dataset | None, DatasetVersion | None]:
        name, at, place = text.partition("@")
        dataset = self._datasets.find(tenant, name) if at else None
        versions = [] if dataset is None else self._datasets.versions(dataset.id)
        found = next((version for version in versions if place == "latest" or matches(version, place)), None)
        return dataset, found

    def _model(self, tenant: str, text: str) -> ModelVersion | Refusal:
        name, _, place = text.removeprefix(MODEL).partition("@")
        model, found = self._models.find(tenant, name), None
        if model is not None and (number := number_of(place)) is not None:
            found = self._models.of_number(model.id, number)
        elif model is not None and (led := self._models.alias(model.id, place).version) is not None:
            found = self._models.version(led)
        if found is None:
            return _refused(f"data has {text!r}: team {tenant} has no such version. Write model:<model>@<alias>.")
        if found.state is VersionState.QUARANTINED:
            return Refusal(RefusalReason.QUARANTINED, f"{text} is quarantined: {found.why}.", field="data")
        return found


def _seen(dataset: Dataset, version: DatasetVersion) -> Mapping[str, str]:
    return {"name": dataset.name, "digest": version.digest, "class": dataset.data_class.value}


def _of_dataset(dataset: Dataset, version: DatasetVersion) -> GivenVersion:
    return GivenVersion(dataset.name, version.number, version.digest, version.kind)


def _of_model(name: str, version: ModelVersion) -> GivenVersion:
    return GivenVersion(f"{MODEL}{name}", version.number, version.digest)


def _refused(message: str) -> Refusal:
    return Refusal(RefusalReason.BAD_FIELD, message, field="data")
