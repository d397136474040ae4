"""From a stored job to what its engine is told to run: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from aifactory_profiles import Profile, Resources

from .. import constants
from ..domain.names import label_value, slug
from ..engines.base import RunSpec
from ..registry.model import Registry
from ..store import JobRecord

_NO_SECRETS: Mapping[str, str] = MappingProxyType({})
RUNNER = ("python3", "-m", "aifactory_hub.runner")


def run_spec(
    job: JobRecord,
    profile: Profile,
    registry: Registry,
    *,
    token: str,
    node_selector: Mapping[str, str],
    secrets: Mapping[str, str] = _NO_SECRETS,
) -> RunSpec:
    """What is to run for a job: the same values give the same run, and nothing is asked or stored.

    ``secrets`` are the values of those that the job lists; left out where only the form of the run matters.
    """
    task = {
        "id": job.id,
        "command": job.spec.command,
        "environment": dict(job.spec.environment),
        "outputs": None if job.spec.outputs is None else list(job.spec.outputs),
        "input_sha256": job.spec.input_sha256,
        "max_artifacts": registry.jobs.max_artifacts,
        "max_files": constants.MOST_ARTIFACTS,
        "max_log": registry.jobs.max_log,
        **({"secrets": dict(secrets)} if secrets else {}),
    }
    return RunSpec(
        tenant=job.tenant,
        run_id=job.run_id,
        image=job.spec.image or registry.jobs.image,
        argv=RUNNER,
        environment={
            "AIFACTORY_SERVICE_URL": registry.addresses.service,
            "AIFACTORY_JOB_ID": job.id,
            "AIFACTORY_TENANT": job.tenant,
            "AIFACTORY_PROFILE": profile.name,
            "AIFACTORY_ATTEMPT": str(job.attempt),
        },
        # The command and its environment go with the token: a person's variables may be secrets too.
        secret_files={"token": token, "job.json": json.dumps(task)},
        requests=profile.requests,
        limits=profile.limits,
        node_selector=dict(node_selector),
        # GPU nodes are tainted so that nothing else lands on them.
        tolerations=registry.isolation.tolerations if profile.requests.devices else (),
        labels={
            constants.LABEL_USER: slug(job.owner),
            constants.LABEL_PROFILE: label_value(profile.name),
        },
        deadline_seconds=longest(job, registry),
        nodes=job.spec.nodes,
        template=job.spec.template,
        parameters=dict(job.spec.parameters),
    )


def times(each: Resources, nodes: int) -> Resources:
    """What so many nodes take together: one ticket for all, so that none waits for another while it holds devices."""
    devices = {name: count * nodes for name, count in each.devices.items()}
    return Resources(each.cpu_millicores * nodes, each.memory_bytes * nodes, devices)


def longest(job: JobRecord, registry: Registry) -> int:
    """Seconds that an attempt of the job may run."""
    most = registry.jobs.deadline
    return min(most, job.spec.max_seconds or most)
