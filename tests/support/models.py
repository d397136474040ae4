"""Jobs that have given back a model, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.models import ModelVersion
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.service.api.context import Context
from aifactory_hub.service.models.registrar import Wish
from aifactory_hub.store import Artifact

from .job_service import RunningService

MODEL = {"model/weights.safetensors": b"weights", "model/config.json": b"{}", "report.txt": b"fine"}


def give_back(context: Context, job: str, files: Mapping[str, bytes]) -> None:
    """Files of the job's, as its runner sends them."""
    for name, content in files.items():
        with context.files.incoming(len(content)) as incoming:
            incoming.write(content)
            incoming.keep(context.files.artifact(job, name))
        digest = hashlib.sha256(content).hexdigest()
        context.jobs.put_artifact(job, Artifact(name, len(content), digest, 1.0))


async def trained(
    service: RunningService, files: Mapping[str, bytes] | None = None, *, who: str = "ada", key: str = "k", **asked: Any
) -> str:
    """The id of a job that succeeded and gave these files back."""
    async with service.http(who) as http:
        body = {"command": "python train.py", "profile": "mig-1g.10gb", "key": key, **asked}
        answer = await http.post("/jobs", json=body)
        assert answer.status_code in (200, 201), answer.text
        job: str = answer.json()["id"]
    await service.reconciler.settle()
    give_back(service.context, job, MODEL if files is None else files)
    tenant = service.context.jobs.get(job)
    assert tenant is not None
    service.engine.end(tenant.tenant, job, 0)
    await service.reconciler.settle()
    return job


def damage(context: Context, job: str, name: str) -> None:
    """Flip one byte of a file where it is kept."""
    path = context.files.own_folder(context.files.artifact(job, name))
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))


def plant(context: Context, job_id: str, model: str, files: Mapping[str, bytes], *, by: str = "ada") -> ModelVersion:
    """A version of a job that may go on, past what asks whether it has ended."""
    job = context.jobs.get(job_id)
    assert job is not None
    give_back(context, job_id, files)
    desk, wish = context.models, Wish(job, model, "", "", by)
    ended = replace(wish, job=replace(job, state=JobState.SUCCEEDED))
    draught = desk.registration.registrar.plan(ended)
    assert not isinstance(draught, Refusal), draught
    added = desk.registration.registrar.register(draught, desk.facts_of_job(job, job.attempt))
    assert not isinstance(added, Refusal), added
    return added[0]
