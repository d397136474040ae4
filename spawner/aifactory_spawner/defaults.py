"""Defaults of JupyterHub's and kubespawner's traits, for a site that configures nothing. All can be configured."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyterhub.traitlets import Callable
from traitlets import Bool, Dict, Float, HasTraits, Instance, Integer, default

from aifactory_hub import constants
from aifactory_hub.auth.roles import server_token_scopes
from aifactory_hub.domain.names import slug
from aifactory_hub.registry import Registry, RegistryProvider

from .team_choice import TeamChoice

HOME = "/home/jovyan"
# The user of the notebook image.
UID = 1000
# JupyterLab ends in a second or two; Kubernetes' default of 30 would hold a GPU for a kernel that does not listen.
GRACE_SECONDS = 5
# How long an evicted or ended server may go unnoticed; asking costs one small read.
POLL_INTERVAL = 10
# A notebook's first start reads a few hundred megabytes from the image.
HTTP_TIMEOUT = 120
# Seconds by which the hub gives up on a start later than we do.
START_MARGIN = 30


class RegistryTrait(HasTraits):
    """The registry, for the defaults that follow from it."""

    get_registry = Callable(None, allow_none=True, config=True, help="Returns the tenant registry; set by configure().")

    registry_provider = Instance(
        RegistryProvider, None, allow_none=True, config=True, help="Follows tenants.yaml; set by configure()."
    )

    def _given(self, name: str, value: Any) -> Any:
        """The registry's value as a trait's default, which ``follow_registry`` replaces when it changes."""
        self.__dict__.setdefault("_given_defaults", {})[name] = value
        return value

    def follow_registry(self) -> None:
        """Give each trait that has the registry's value of before its value of now."""
        for name, value in list(self.__dict__.get("_given_defaults", {}).items()):
            now = self.trait_defaults(name)
            if getattr(self, name) == value:
                setattr(self, name, now)

    @property
    def _provider(self) -> RegistryProvider:
        provider: RegistryProvider | None = self.registry_provider
        return RegistryProvider(self._registry) if provider is None else provider

    @property
    def _registry(self) -> Registry:
        registry: Registry = self.get_registry()
        return registry


class GivenOptions(Dict):
    """The options of a start, whatever JSON a REST call sent.

    JupyterHub 5 stores them before it hands them over: a spawner that did not take them could never be made again.
    """

    def validate(self, obj: Any, value: Any) -> Any:
        """Anything: the start refuses what can't be read."""
        return value


class TeamChoiceDefaults(RegistryTrait):
    """Defaults of JupyterHub's traits for a spawner that has a ``team_choice``; to be mixed in before ``Spawner``."""

    team_choice: TeamChoice

    user_options = GivenOptions()

    @default("server_token_scopes")
    def _default_server_token_scopes(self) -> list[str]:
        return server_token_scopes()

    @default("start_timeout")
    def _default_start_timeout(self) -> int:
        # We give up ourselves, with a message that says why: a start that may wait for quota later than another.
        notebook = self._registry.notebook
        seconds = notebook.queue_timeout + notebook.start_timeout + START_MARGIN
        return int(self._given("start_timeout", seconds))

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Any:
        # They are read when the server starts; the hub would warn that nobody does.
        return lambda spawner, options: None

    @default("options_form")
    def _default_options_form(self) -> Any:
        return self.team_choice.show_menu

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return self.team_choice.read_menu


class LifeTraits(HasTraits):
    """The settings that decide how servers and orphans end."""

    preemption_grace = Integer(
        60,
        min=0,
        config=True,
        help="""
        Seconds between telling the owner of a server that its quota is taken back, and stopping it.

        As long as it runs, whoever gets the quota waits.
        """,
    )
    remove_orphans = Bool(
        False,
        config=True,
        help="""
        Remove pods that carry this hub's identity and belong to no server of the hub and to no ticket.

        Otherwise they are only counted (aifactory_orphan_pods) and named in the log.
        """,
    )
    orphan_delay = Float(
        600.0, min=0, config=True, help="Seconds for which a pod must have had no server before it is removed."
    )


class PodDefaults(RegistryTrait):
    """To be mixed in before KubeSpawner."""

    def start(self) -> Any:
        """As kubespawner's, by what tenants.yaml says now: this spawner may have been made before it changed."""
        self.follow_registry()
        return super().start()

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
        return str(self._given("image", self._registry.notebook.image))

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
        return str(self._given("storage_capacity", self._registry.notebook.storage))

    @default("storage_class")
    def _default_storage_class(self) -> str | None:
        storage_class: str | None = self._given("storage_class", self._registry.notebook.storage_class)
        return storage_class

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
