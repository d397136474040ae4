"""What makes the provisioner look at a team: a change of one of its objects, heard from one watch of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .. import constants
from ..clusters import KubeApi
from ..clusters.decoding import Metadata
from ..clusters.listwatch import Change, ListWatch
from ..registry.changes import LABEL_REGISTRY
from ..registry.render_provisioner import LABEL_PROVISIONED

# Called with the namespace ("" for an object of the cluster) and the name of what changed.
Bell = Callable[[str, str], None]


class _Metadata(Metadata):
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class _Status(msgspec.Struct, gc=False):
    readyReplicas: int = 0


class _Shape(msgspec.Struct, gc=False):
    """What of an object counts: not its status, which changes all the time, but for the pods that are ready."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    subjects: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _WithStatus(_Shape):
    status: _Status = msgspec.field(default_factory=_Status)


_Item = tuple[str, str, Any]
_OURS = (
    "/api/v1/namespaces",
    "/api/v1/resourcequotas",
    "/api/v1/limitranges",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/kueue.x-k8s.io/v1beta2/cohorts",
    "/apis/kueue.x-k8s.io/v1beta2/clusterqueues",
    "/apis/kueue.x-k8s.io/v1beta2/localqueues",
)
_PROVISIONED = (
    "/api/v1/services",
    "/api/v1/serviceaccounts",
    "/apis/apps/v1/statefulsets",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
)
_TICKETS = "/apis/batch/v1/jobs"


class Doorbells:
    """One watch of each kind for all teams of ``hub``. Secrets are not watched: their changes are found by looking."""

    def __init__(self, api: KubeApi, hub: str, ring: Bell) -> None:
        self._ring = ring
        labels = {
            **dict.fromkeys(_OURS, f"{LABEL_REGISTRY}={hub}"),
            **dict.fromkeys(_PROVISIONED, f"{LABEL_PROVISIONED}={hub}"),
            _TICKETS: f"{constants.LABEL_HUB}={hub},{constants.LABEL_OWNER_KIND}",
        }
        self._watches = [
            ListWatch(
                api,
                path,
                _WithStatus if path.endswith("statefulsets") else _Shape,
                _item,
                params={"labelSelector": selector},
                on_change=self._changed,
            )
            for path, selector in labels.items()
        ]

    def start(self) -> None:
        for watch in self._watches:
            watch.start()

    async def stop(self) -> None:
        for watch in self._watches:
            await watch.stop()

    def _changed(self, change: Change[_Item]) -> None:
        item = change.after or change.before
        if item is not None:
            self._ring(item[0], item[1])


def _item(shape: _Shape) -> _Item:
    metadata = shape.metadata
    ready = shape.status.readyReplicas if isinstance(shape, _WithStatus) else 0
    kept = (metadata.uid, tuple(sorted(metadata.labels.items())), hash(bytes(shape.spec)), hash(bytes(shape.subjects)))
    return metadata.namespace, metadata.name, (*kept, ready)
