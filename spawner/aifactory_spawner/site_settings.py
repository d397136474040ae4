"""What each setting of kubespawner and JupyterHub's spawner does here: works, is replaced, or is refused.

A setting that would have no effect, or a wrong one, ends the hub's start with the reason: nobody should believe in a
line that does nothing. docs/reference/kubespawner.md is made from this table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Refused:
    """A setting that ends the hub's start. ``instead`` says where the same is set, if anywhere.

    ``harmless`` accepts values that say what is so anyway.
    """

    because: str
    instead: str = "Leave it out"
    harmless: Callable[[Any], bool] = lambda _: False


def _is(*values: Any) -> Callable[[Any], bool]:
    return lambda value: any(type(value) is type(known) and value == known for known in values)


_NAMES = "names of pods, claims and namespaces are fixed, so that two people's can not collide"
_NO_DNS = "names of pods resolve inside the vCluster only, and the hub is outside"
_NO_TLS = "connections between hub and notebooks have no certificates of their own"
_NO_FORM = "the menu is made of the teams' profiles"
_IN_TENANTS = "Write them into tenants.yaml"
_PROFILE = "the profile sets it"
_IN_PROFILES = "Set cpu, memory and their limits under `profiles` in tenants.yaml"
_API = "each team's API address, authority and credential are read from its objects on the host"
_NO_USER_NAMESPACES = "the namespace of a server is fixed by its team's vCluster"
_SLOW = "the start page shows each step as it happens"
_HUB_ADDRESS = "pods reach the hub at `addresses.hub_api` of tenants.yaml"
_RESTRICTED = "Pod Security `restricted` of a team's namespace refuses such a pod"

REFUSED: Mapping[str, Refused] = {
    "additional_profile_form_template_paths": Refused(_NO_FORM, _IN_TENANTS, _is([])),
    "after_pod_created_hook": Refused(
        "it would run when the container runs, with rights to make nothing but pods and claims, and what it made would "
        "be owned by a pod of another cluster",
        "Use modify_pod_hook, or have the team's admin make the objects",
        _is(None),
    ),
    "allow_privilege_escalation": Refused(_RESTRICTED, harmless=_is(False, None)),
    "apply_user_options": Refused(_NO_FORM, "Use pre_spawn_hook to change a start"),
    "cpu_guarantee": Refused(_PROFILE, _IN_PROFILES, _is(None)),
    "cpu_limit": Refused(_PROFILE, _IN_PROFILES, _is(None)),
    "delete_grace_period": Refused(
        "a server is stopped by deleting its pod, which has its own time to end",
        "Set terminationGracePeriodSeconds in extra_pod_config",
    ),
    "delete_pvc": Refused("volumes may hold a team's only copy, so the hub deletes none", harmless=_is(False)),
    "delete_stopped_pods": Refused("a pod that is kept would keep its quota", harmless=_is(True)),
    "dns_name_template": Refused(_NO_DNS),
    "enable_user_namespaces": Refused(_NO_USER_NAMESPACES, harmless=_is(False)),
    "events_enabled": Refused("events are read while a server starts, without a watch", harmless=_is(True, False)),
    "extra_resource_guarantees": Refused(_PROFILE, "Set the devices under `profiles` in tenants.yaml", _is({})),
    "extra_resource_limits": Refused(_PROFILE, "Set the devices under `profiles` in tenants.yaml", _is({})),
    "handle_legacy_names": Refused(_NAMES, harmless=_is(True, False)),
    "hub_connect_ip": Refused(_HUB_ADDRESS, "Set it there"),
    "hub_connect_port": Refused(_HUB_ADDRESS, "Set it there"),
    "k8s_api_host": Refused(_API, harmless=_is("")),
    "k8s_api_request_retry_timeout": Refused(
        "pods and claims are created until `notebook.start_timeout`", "Set that in tenants.yaml"
    ),
    "k8s_api_request_timeout": Refused("each request to a team's API has 10 seconds"),
    "k8s_api_ssl_ca_cert": Refused(_API, harmless=_is("")),
    "k8s_api_threadpool_workers": Refused("requests to APIs take no threads"),
    "k8s_api_verify_ssl": Refused(_API, harmless=_is(None, True)),
    "mem_guarantee": Refused(_PROFILE, _IN_PROFILES, _is(None)),
    "mem_limit": Refused(_PROFILE, _IN_PROFILES, _is(None)),
    "namespace": Refused(
        "servers live in the namespace `notebooks` of their team's vCluster", harmless=_is("notebooks")
    ),
    "options_form": Refused(_NO_FORM, _IN_TENANTS),
    "options_from_form": Refused(_NO_FORM, _IN_TENANTS),
    "pod_connect_ip": Refused(_NO_DNS, harmless=_is("")),
    "pod_name_template": Refused(_NAMES),
    "port": Refused("a pod has to listen at a port that is known", "Write a port, for example 8888", lambda v: v != 0),
    "privileged": Refused(_RESTRICTED, harmless=_is(False, None)),
    "profile_form_template": Refused(_NO_FORM, _IN_TENANTS, _is("")),
    "profile_list": Refused(
        _NO_FORM, "Write them into tenants.yaml; docs/spawner.md says where each of its keys goes", _is([], None)
    ),
    "pvc_name_template": Refused("there is one volume for each person in each team"),
    "remember_pvc_name": Refused("there is one volume for each person in each team", harmless=_is(True, False)),
    "secret_mount_path": Refused("no Secret is made for a server", harmless=_is("/etc/jupyterhub/ssl/")),
    "secret_name_template": Refused("no Secret is made for a server"),
    "services_enabled": Refused(
        "a Service's name is known inside the vCluster only, and the hub is outside", harmless=_is(False)
    ),
    "slow_spawn_message": Refused(_SLOW),
    "slow_spawn_message_frequency": Refused(_SLOW),
    "slow_spawn_message_threshold": Refused(_SLOW),
    "slug_scheme": Refused(_NAMES, harmless=_is("safe")),
    "ssl_alt_names": Refused(_NO_TLS, harmless=_is([])),
    "ssl_alt_names_include_local": Refused(_NO_TLS, harmless=_is(True, False)),
    "start_timeout": Refused(
        "a start may wait for quota first", "Set notebook.start_timeout and notebook.queue_timeout in tenants.yaml"
    ),
    "user_namespace_annotations": Refused(_NO_USER_NAMESPACES, harmless=_is({})),
    "user_namespace_labels": Refused(_NO_USER_NAMESPACES, harmless=_is({})),
    "user_namespace_template": Refused(_NO_USER_NAMESPACES),
}

# Those that work, each with what there is to say of it here.
WORKS: Mapping[str, str] = {
    "args": "An environment of another kind than `lab`, or with start hooks, replaces them",
    "auth_state_hook": "",
    "automount_service_account_token": "The token is one of the vCluster. Notebooks need none",
    "cmd": "An environment of another kind than `lab`, or with start hooks, replaces it",
    "common_labels": "",
    "component_label": "",
    "consecutive_failure_limit": "Refused starts do not count",
    "container_security_context": "Replaces the default, which Pod Security `restricted` asks for",
    "debug": "",
    "default_url": "",
    "disable_user_config": "",
    "env_keep": "",
    "environment": "",
    "extra_annotations": "Those that the host's policy allows",
    "extra_container_config": "",
    "extra_containers": "Their images have to be in `isolation.images`",
    "extra_labels": "Ours are added",
    "extra_pod_config": "",
    "fs_gid": "",
    "get_pod_url": "",
    "gid": "",
    "group_overrides": "The groups are the hub's, such as `tenant-nlp`; what a profile sets stays",
    "http_timeout": "",
    "hub_connect_url": "By default the address in `addresses.hub_api`",
    "image": "By default `notebook.image`; another has to be in `isolation.images`. An environment's replaces it",
    "image_pull_policy": "",
    "image_pull_secrets": "Secrets of the vCluster",
    "init_containers": "Their images have to be in `isolation.images`",
    "ip": "",
    "lifecycle_hooks": "",
    "modify_pod_hook": "",
    "node_affinity_preferred": "",
    "node_affinity_required": "",
    "node_selector": "The profile's GPU model and Kueue's choice are added",
    "notebook_dir": "",
    "oauth_client_allowed_scopes": "",
    "oauth_roles": "",
    "pod_affinity_preferred": "",
    "pod_affinity_required": "",
    "pod_anti_affinity_preferred": "",
    "pod_anti_affinity_required": "",
    "pod_security_context": "",
    "poll_interval": "",
    "poll_jitter": "",
    "post_stop_hook": "",
    "pre_spawn_hook": "",
    "priority_class_name": "One that the host's policy allows",
    "progress_ready_hook": "",
    "scheduler_name": "One that the host's policy allows",
    "server_token_scopes": "They are narrowed to the server's one team",
    "service_account": "One of the vCluster",
    "storage_access_modes": "",
    "storage_capacity": "By default `notebook.storage`",
    "storage_class": "By default `notebook.storage_class`",
    "storage_extra_annotations": "",
    "storage_extra_labels": "",
    "storage_pvc_ensure": "",
    "storage_selector": "Only where the host's policy allows it",
    "supplemental_gids": "",
    "tolerations": "Those in `isolation.tolerations`; a profile with a device has them by itself",
    "uid": "Not 0, which Pod Security `restricted` refuses",
    "volume_mounts": "Those of the team's volumes are added",
    "volumes": "Kinds that the host's policy allows; the team's are added",
    "working_dir": "",
}
_HUB: Mapping[str, Refused] = {
    "internal_ssl": Refused(
        "the certificates name Services that only exist inside a vCluster",
        "Leave it out, and encrypt the pod network instead",
        _is(False),
    ),
}
SPAWNER_SECTIONS = ("TenantKubeSpawner", "KubeSpawner", "Spawner")


def refusals(config: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each setting that can't be used: the setting, the reason, what to do. Pure."""
    return [
        f"c.{section}.{name} can't be used with AIFactory Hub: {refused.because}. {refused.instead}."
        for section, name, value, refused in _asked(config)
        if not refused.harmless(value)
    ]


def _asked(config: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any, Refused]]:
    sections = [*((section, REFUSED) for section in SPAWNER_SECTIONS), ("JupyterHub", _HUB)]
    for section, table in sections:
        values = config.get(section, {})
        yield from ((section, name, values[name], refused) for name, refused in table.items() if name in values)


def end_if_refused(config: Mapping[str, Mapping[str, Any]]) -> None:
    """End the process with exit code 1 and the reasons on standard error, if there is such a setting."""
    lines = refusals(config)
    if lines:
        print("The hub can't start:", *lines, sep="\n", file=sys.stderr)
        raise SystemExit(1)


def as_markdown() -> str:
    """The table of all settings for the documentation."""
    rows = [(name, "works", text) for name, text in WORKS.items()]
    rows += [
        (name, "works, not 0" if name == "port" else "refused", f"{refused.because}. {refused.instead}")
        for name, refused in REFUSED.items()
    ]
    lines = ["| setting | here | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {verdict} | {text} |" for name, verdict, text in sorted(rows))]) + "\n"
