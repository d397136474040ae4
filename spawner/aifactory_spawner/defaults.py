"""What a notebook pod is when the site says nothing else: defaults of kubespawner's traits, all configurable."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from traitlets import HasTraits, default

from aifactory_hub import constants
from aifactory_hub.domain.names import slug
from aifactory_hub.registry import Registry

HOME = "/home/jovyan"
# The user of the notebook image.
UID = 1000
# JupyterLab ends in a second or two; Kubernetes' default of 30 would hold a GPU for a kernel that does not listen.
GRACE_SECONDS = 5
# How long an evicted or ended server may go unnoticed; asking costs one small read.
POLL_INTERVAL = 10
# A notebook's first start reads a few hundred megabytes from the image.
HTTP_TIMEOUT = 120


class PodDefaults(HasTraits):
    """Mixed into the spawner before KubeSpawner."""

    @property
    def _registry(self) -> Registry:
        registry: Registry = self.get_registry()
        return registry

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return ["python3", "-m", "jupyterhub.singleuser"]

    @default("port")
    def _default_port(self) -> int:
        return 8888

    @default("default_url")
    def _default_default_url(self) -> str:
        return "/lab"

    @default("working_dir")
    def _default_working_dir(self) -> str:
        return HOME

    @default("image")
    def _default_image(self) -> str:
        return self._registry.notebook.image

    @default("image_pull_policy")
    def _default_image_pull_policy(self) -> str:
        return "IfNotPresent"

    @default("http_timeout")
    def _default_http_timeout(self) -> int:
        return HTTP_TIMEOUT

    @default("poll_interval")
    def _default_poll_interval(self) -> int:
        return POLL_INTERVAL

    @default("hub_connect_url")
    def _default_hub_connect_url(self) -> str:
        # Pods reach the hub by another address than the hub's own processes.
        address = urlsplit(self._registry.addresses.hub_api)
        return f"{address.scheme}://{address.netloc}"

    @default("uid")
    def _default_uid(self) -> int:
        return UID

    @default("gid")
    def _default_gid(self) -> int:
        return UID

    @default("fs_gid")
    def _default_fs_gid(self) -> int:
        return UID

    @default("container_security_context")
    def _default_container_security_context(self) -> dict[str, Any]:
        # What Pod Security "restricted" asks for. kubespawner adds `uid` and `gid`, which these would replace.
        return {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    @default("extra_pod_config")
    def _default_extra_pod_config(self) -> dict[str, Any]:
        return {"terminationGracePeriodSeconds": GRACE_SECONDS}

    @default("storage_pvc_ensure")
    def _default_storage_pvc_ensure(self) -> bool:
        return True

    @default("storage_capacity")
    def _default_storage_capacity(self) -> str:
        return self._registry.notebook.storage

    @default("storage_class")
    def _default_storage_class(self) -> str | None:
        return self._registry.notebook.storage_class

    @default("storage_access_modes")
    def _default_storage_access_modes(self) -> list[str]:
        return ["ReadWriteOnce"]

    @default("storage_extra_labels")
    def _default_storage_extra_labels(self) -> dict[str, str]:
        owner = self.user.name
        return {constants.LABEL_HUB: self._registry.hub, constants.LABEL_USER: slug(owner)}

    @default("volumes")
    def _default_volumes(self) -> list[dict[str, Any]]:
        return [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]

    @default("volume_mounts")
    def _default_volume_mounts(self) -> list[dict[str, Any]]:
        return [{"name": "home", "mountPath": HOME}]

    @default("events_enabled")
    def _default_events_enabled(self) -> bool:
        return False
