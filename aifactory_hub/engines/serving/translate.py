"""Between releases and Kubernetes: a Deployment, a Service of its own, and the one of the deployment's name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import constants
from ...domain.blocked_pods import wait_of_pod
from ...domain.names import slug
from ...domain.pods import PodFact
from ...domain.release_steps import Served
from ..objects import Object, labels_of, pod_spec, run_name
from .base import ServeSpec

PORT = 8080
# How often a pod is asked whether it is ready, and how often that may fail before no request goes there; in seconds.
_PROBE_EVERY, _PROBE_FAILURES = 2, 3
# After so many seconds of silence the server is started anew; while it fetches files it is alive, and not ready.
_LIVE_EVERY, _LIVE_FAILURES = 20, 6
# Time to answer what was asked before the pod ends, in seconds.
_GRACE = 30


def release_name(release: str) -> str:
    """The name of a release's Deployment, Service and Secret."""
    return run_name(release, constants.KIND_DEPLOYMENT)


def service_name(deployment: str) -> str:
    """The name under which a deployment answers inside the team's vCluster."""
    return f"model-{slug(deployment)}"


def render_deployment(spec: ServeSpec, hub: str) -> Object:
    """The release's Deployment: its pods get no traffic before their files were checked and read."""
    name, labels = release_name(spec.run.run_id), _labels(spec, hub)
    pod = pod_spec(spec.run)
    pod["restartPolicy"] = "Always"
    pod["terminationGracePeriodSeconds"] = _GRACE
    [container] = pod["containers"]
    container["env"] += [{"name": "AIFACTORY_HOST", "value": "0.0.0.0"}, {"name": "AIFACTORY_PORT", "value": str(PORT)}]  # noqa: S104
    container["ports"] = [{"name": "http", "containerPort": PORT}]
    container["readinessProbe"] = _probe("ready", _PROBE_EVERY, _PROBE_FAILURES)
    container["livenessProbe"] = _probe("live", _LIVE_EVERY, _LIVE_FAILURES)
    template = {
        "metadata": {"labels": labels, "annotations": {constants.ANNOTATION_FILES: spec.digest}},
        "spec": pod,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": spec.run.nodes,
            "revisionHistoryLimit": 0,
            # A release never changes: what is put back after a change by hand must not need more than its ticket has.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {constants.LABEL_RELEASE: name}},
            "template": template,
        },
    }


def render_own_service(spec: ServeSpec, hub: str) -> Object:
    """The Service that leads to this release alone, also before it serves."""
    return _service(release_name(spec.run.run_id), spec, hub)


def render_service(spec: ServeSpec, hub: str) -> Object:
    """The Service of the deployment's name, leading to this release."""
    return _service(service_name(spec.deployment), spec, hub)


def read_served(spec: ServeSpec, found: Object, led: Object | None, pods: Iterable[PodFact], hub: str) -> Served:
    """What the Deployment, the Service of the deployment's name and the pods on the host say."""
    pods = list(pods)
    status = found.get("status") or {}
    ready = min(int(status.get("readyReplicas") or 0), spec.run.nodes)
    why = next((wait.reason for pod in pods if (wait := wait_of_pod(pod)).reason), None)
    selector = ((led or {}).get("spec") or {}).get("selector") or {}
    return Served(
        exists=True,
        ready=ready,
        reason=why or "",
        changed=changes(render_deployment(spec, hub), found),
        leads=selector == {constants.LABEL_RELEASE: release_name(spec.run.run_id)},
    )


def changes(wanted: Object, found: Object) -> str:
    """What of a Deployment is not as it was made, for people; empty where all that counts is."""
    differ = [
        word
        for word, place in (("replicas", _replicas), ("image", _image), ("command", _command), ("files", _files))
        if place(wanted) != place(found)
    ]
    return f"{' and '.join(differ)} changed by hand" if differ else ""


def _replicas(obj: Object) -> object:
    return (obj.get("spec") or {}).get("replicas")


def _container(obj: Object) -> Mapping[str, object]:
    containers = (((obj.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or []
    return containers[0] if len(containers) == 1 else {}


def _image(obj: Object) -> object:
    return _container(obj).get("image")


def _command(obj: Object) -> object:
    return _container(obj).get("command")


def _files(obj: Object) -> object:
    metadata = ((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return (metadata.get("annotations") or {}).get(constants.ANNOTATION_FILES)


def _labels(spec: ServeSpec, hub: str) -> dict[str, str]:
    return {**labels_of(spec.run, hub), constants.LABEL_RELEASE: release_name(spec.run.run_id)}


def _service(name: str, spec: ServeSpec, hub: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels_of(spec.run, hub)},
        "spec": {
            "type": "ClusterIP",
            "selector": {constants.LABEL_RELEASE: release_name(spec.run.run_id)},
            "ports": [{"name": "http", "port": 80, "targetPort": PORT}],
        },
    }


def _probe(what: str, every: int, failures: int) -> Object:
    return {
        "httpGet": {"path": f"/v2/health/{what}", "port": PORT},
        "periodSeconds": every,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }
