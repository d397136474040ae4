"""What the site's rules see of a deployment before a version is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aifactory_profiles import Profile

from .deployments import ServingPlan
from .gate_views import common_view, cost_view, devices_view
from .model_views import AskedModel, model_view

# A deployment has no end of its own, so its cost is that of an hour.
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class AskedDeployment:
    """A version that shall answer under a name. ``at`` is the alias that the deployment follows, or a number."""

    model: AskedModel
    name: str
    at: str
    plan: ServingPlan
    profile: Profile


def deployment_view(asked: AskedDeployment, verb: str, now: float) -> dict[str, Any]:
    """The view of the target ``deployment``: how it is served, and the model as rules of models see it. No command and
    nothing of the example request."""
    plan, model = asked.plan, asked.model
    return {
        **common_view(model.tenant, model.person, verb, now),
        "deployment": {
            "name": asked.name,
            "at": asked.at,
            "profile": asked.profile.name,
            "replicas": plan.replicas,
            "framework": plan.framework.value,
            "recreate": plan.recreate,
            "example": plan.example is not None,
            "model": model_view(model, verb, now)["model"],
        },
        "devices": devices_view(asked.profile, plan.replicas),
        "cost": cost_view(asked.profile, plan.replicas, _HOUR, 1),
    }
