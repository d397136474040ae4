"""From a release to what its engine is told to run: pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from aifactory_profiles import Profile

from ... import constants
from ...domain.deployments import Deployment, Release
from ...domain.names import label_value, slug
from ...engines.base import RunSpec
from ...engines.serving.base import ServeSpec
from ...registry.model import Registry

SERVER = ("python3", "-m", "aifactory_hub.inference")


def release_token(key: bytes, release: str) -> str:
    """The token with which the release's pods fetch its files, and nothing else. Derived, so that a service that was
    killed between two steps makes the same one again."""
    return hmac.new(key, f"release-token:{release}".encode(), hashlib.sha256).hexdigest()


def ticket_name(release: str) -> str:
    """The name of the one ticket of all replicas."""
    return f"release-{release}"


def serve_spec(
    deployment: Deployment,
    release: Release,
    registry: Registry,
    profile: Profile,
    *,
    model: str,
    version: int,
    token: str,
    node_selector: Mapping[str, str],
) -> ServeSpec:
    """What is to run for a release: the same values give the same objects."""
    plan = release.plan
    told = {
        "id": release.id,
        "model": model,
        "version": version,
        "framework": plan.framework.value,
        "command": plan.command,
    }
    run = RunSpec(
        tenant=deployment.tenant,
        run_id=release.id,
        image=registry.jobs.image,
        argv=SERVER,
        environment={
            "AIFACTORY_SERVICE_URL": registry.addresses.service,
            "AIFACTORY_TENANT": deployment.tenant,
            "AIFACTORY_DEPLOYMENT": deployment.name,
        },
        # The command goes with the token: a person may have put a secret into it.
        secret_files={"token": token, "release.json": json.dumps(told)},
        requests=profile.requests,
        limits=profile.limits,
        node_selector={**profile.node_labels, **node_selector},
        tolerations=registry.isolation.tolerations if profile.requests.devices else (),
        labels={constants.LABEL_USER: slug(release.by), constants.LABEL_PROFILE: label_value(profile.name)},
        nodes=plan.replicas,
        kind=constants.KIND_DEPLOYMENT,
    )
    return ServeSpec(run, deployment.name, release.digest)
