"""The samples that cases are laid over have the names that real views have, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aifactory_hub.domain.gate_views import AskedJob, Person, job_view, server_view
from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.model_views import AskedModel, model_view
from aifactory_hub.domain.models import ModelVersion
from aifactory_hub.domain.statements import BuildFacts
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.verdicts import Target
from aifactory_hub.policy.samples import largest, sample

from ..support.job_service import make_registry

REGISTRY = make_registry(service="http://service.test/")
TENANT = REGISTRY.tenants["nlp"]
PERSON = Person("ada", Role.MEMBER)
PROFILE = next(iter(TENANT.profiles))


def job() -> dict[str, Any]:
    spec = JobSpec(name="train", command="true", profile=PROFILE)
    profile = REGISTRY.catalogue.profile(PROFILE)
    return job_view(AskedJob(TENANT, PERSON, spec, "image", "kubernetes-job", 60, profile), "submit", 0)


def server() -> dict[str, Any]:
    return server_view(TENANT, PERSON, REGISTRY.catalogue.profile(PROFILE), "image", "start-server", 0)


def model() -> dict[str, Any]:
    version = ModelVersion("v", "m", 1, "d", "r", 1, 1, "j", 1, "", "ada", 0.0)
    facts = BuildFacts("j", 1, "nlp", "ada", {}, {}, [], "hub", "1", None, None, None, {})
    return model_view(AskedModel(TENANT, PERSON, "fraud", version, facts), "promote", 0)


def names(view: Any) -> Any:
    """The names of a view at all depths; lists and texts are leaves."""
    return {key: names(value) for key, value in view.items()} if isinstance(view, Mapping) else None


def without_devices(view: dict[str, Any]) -> dict[str, Any]:
    """Devices are by resource, and the price's currency is the site's: their names are no names of the view."""
    return names({key: value for key, value in view.items() if key not in ("devices", "cost")})  # type: ignore[no-any-return]


@pytest.mark.parametrize(("target", "real"), [(Target.JOB, job), (Target.SERVER, server), (Target.MODEL, model)])
def test_a_sample_is_like_what_rules_really_see(target: Target, real: Any) -> None:
    assert without_devices(sample(target)) == without_devices(real())
    assert without_devices(largest(target)).keys() == without_devices(real()).keys()
