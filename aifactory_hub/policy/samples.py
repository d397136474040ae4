"""Views to try rules on: a sample of each target, over which a case lays its own, and the largest that there may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..domain.gate_views import MOST_ENTRIES, image_view
from ..domain.verdicts import Target

_DIGEST = "sha256:" + "0" * 64
_COMMIT = "0" * 40
_LONG = "a" * 200


def sample(target: Target) -> dict[str, Any]:
    """An ordinary view of this target."""
    if target is Target.POD:
        return {"object": _pod(1), "request": {"operation": "CREATE", "namespace": "vc-nlp"}}
    common: dict[str, Any] = {
        "verb": "submit",
        "team": {"name": "nlp", "display_name": "Language"},
        "user": {"name": "ada", "role": "member"},
        "now": datetime(2027, 1, 4, 12, tzinfo=UTC),
    }
    devices = {"known": True, "total": 1, "by_resource": {"nvidia.com/mig-1g.10gb": 1}}
    cost = {"known": True, "currency": "EUR", "hourly": 0.4, "most": 9.6}
    match target:
        case Target.JOB:
            return {**common, "job": _job(), "devices": devices, "cost": cost}
        case Target.SERVER:
            image = image_view(f"images.example.org/notebook@{_DIGEST}")
            server = {"name": "", "profile": "mig-1g.10gb", "image": image}
            return {**common, "verb": "start-server", "server": server, "devices": devices, "cost": cost}
        case Target.DEPLOYMENT:
            return {**common, "verb": "deploy", "deployment": _deployment(), "devices": devices, "cost": cost}
        case Target.MODEL:
            return {**common, "verb": "promote", "model": _model()}
    return {**common, str(target): {}}


def largest(target: Target) -> dict[str, Any]:
    """A view of this target as large as they get."""
    view = sample(target)
    if target is Target.POD:
        return {**view, "object": _pod(20)}
    many = [f"{_LONG}{number}" for number in range(MOST_ENTRIES)]
    model = view.get("model") or view.get("deployment", {}).get("model")
    if model is not None:
        model["formats"] = many
        model["job"]["data"] = [{"name": _LONG, "class": _LONG, "known": "declared"}] * MOST_ENTRIES
    job = view.get("job")
    if job is not None:
        entry = {"name": _LONG, "digest": _DIGEST, "region": _LONG, "class": _LONG}
        job |= dict.fromkeys(("parameters", "environment", "secrets", "outputs"), many)
        job |= {"labels": dict.fromkeys(many, _LONG), "data": [entry] * MOST_ENTRIES}
    return view


def laid_over(sample: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, Any]:
    """The sample with what the case says: mappings are joined, all else takes the place of what was there.

    An image may be given by its name alone.
    """
    found = dict(sample)
    for key, value in view.items():
        before = found.get(key)
        if key == "image" and isinstance(before, Mapping) and isinstance(value, str):
            value = image_view(value)
        joined = isinstance(before, Mapping) and isinstance(value, Mapping)
        found[key] = laid_over(before, value) if joined else value  # type: ignore[arg-type]
    return found


def _job() -> dict[str, Any]:
    return {
        "name": "train",
        "engine": "kubernetes-job",
        "profile": "mig-1g.10gb",
        "nodes": 1,
        "priority": "normal",
        "max_seconds": 86400,
        "retries": 0,
        "image": image_view(f"images.example.org/train@{_DIGEST}"),
        "template": "",
        "parameters": [],
        "environment": ["EPOCHS"],
        "secrets": ["HF_TOKEN"],
        "outputs": [],
        "files": "0" * 64,
        "source": {
            "repository": "https://git.example.org/nlp/train",
            "commit": _COMMIT,
            "branch": "main",
            "dirty": False,
            "signed": False,
        },
        "labels": {},
        "data": [],
        "schedule": "",
        "retry_of": "",
    }


def _model() -> dict[str, Any]:
    return {
        "name": "fraud",
        "version": 3,
        "alias": "prod",
        "before": 2,
        "digest": "0" * 64,
        "size": 1_000_000,
        "files": 2,
        "formats": ["json", "safetensors"],
        "runs_code": False,
        "registered_by": "ada",
        "job": {
            "id": "j000000000000",
            "owner": "ada",
            "profile": "mig-1g.10gb",
            "nodes": 1,
            "template": "",
            "image": f"images.example.org/train@{_DIGEST}",
            "image_digest": "0" * 64,
            "commit": _COMMIT,
            "commit_known": True,
            "commit_evidence": "declared",
            "dirty": False,
            "data": [],
        },
    }


def _deployment() -> dict[str, Any]:
    return {
        "name": "fraud",
        "at": "prod",
        "profile": "mig-1g.10gb",
        "replicas": 1,
        "framework": "auto",
        "recreate": False,
        "example": True,
        "model": _model(),
    }


def _pod(containers: int) -> dict[str, Any]:
    container = {
        "name": "job",
        "image": f"images.example.org/train@{_DIGEST}",
        "command": ["python3", "-m", "aifactory_hub.runner"],
        "env": [{"name": f"VARIABLE_{number}", "value": _LONG} for number in range(20)],
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi", "nvidia.com/mig-1g.10gb": "1"},
            "limits": {"cpu": "2", "memory": "4Gi", "nvidia.com/mig-1g.10gb": "1"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "work", "mountPath": "/aifactory"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "job-1", "namespace": "vc-nlp", "labels": {}, "annotations": {}},
        "spec": {
            "restartPolicy": "Never",
            "nodeSelector": {},
            "tolerations": [],
            "containers": [dict(container, name=f"job-{number}") for number in range(containers)],
            "volumes": [{"name": "work", "emptyDir": {}}],
        },
    }
