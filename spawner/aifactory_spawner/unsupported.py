"""Settings of kubespawner and JupyterHub that can't work with servers in vClusters: refused when the hub starts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

# Each with the reason, and what to do instead.
_SPAWNER = {
    "enable_user_namespaces": "the namespace of a server is fixed by its team's vCluster. Leave it out",
    "user_namespace_template": "the namespace of a server is fixed by its team's vCluster. Leave it out",
    "services_enabled": "a Service's name is known inside the vCluster only, and the hub is outside. Leave it out",
    "namespace": "servers live in the namespace `notebooks` of their team's vCluster. Leave it out",
    "profile_list": "the menu is made of the teams' profiles. Write them into tenants.yaml",
    "k8s_api_host": "each team's API address is read from its Service on the host. Leave it out",
    "k8s_api_ssl_ca_cert": "each team's own authority is in its Secret on the host. Leave it out",
    "delete_pvc": "volumes may hold a team's only copy, so the hub deletes none. Leave it out",
    "pod_name_template": "the pod's name has to be known before its labels are. Leave it out",
    "pvc_name_template": "there is one volume for each person in each team. Leave it out",
}
_HUB = {
    "internal_ssl": "the certificates name Services that only exist inside a vCluster. Leave it out, and encrypt the "
    "pod network instead",
}
# Where it does no harm, because it says what is so anyway.
_HARMLESS = {
    "enable_user_namespaces": False,
    "services_enabled": False,
    "internal_ssl": False,
    "namespace": "notebooks",
    "delete_pvc": False,
    "profile_list": [],
}
SPAWNER_SECTIONS = ("TenantKubeSpawner", "KubeSpawner", "Spawner")


def unsupported(config: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each setting that can't work: the setting, the reason, what to do. Pure."""
    asked = [(section, name, why) for section in SPAWNER_SECTIONS for name, why in _SPAWNER.items()]
    asked += [("JupyterHub", name, why) for name, why in _HUB.items()]
    lines = []
    for section, name, why in asked:
        values = config.get(section, {})
        if name not in values:
            continue
        value = values[name]
        if name in _HARMLESS and value == _HARMLESS[name]:
            continue
        lines.append(f"c.{section}.{name} can't be used with AIFactory Hub: {why}.")
    return lines


def refuse_unsupported(config: Mapping[str, Mapping[str, Any]]) -> None:
    """End the process with exit code 1 and the reasons on standard error, if there is such a setting."""
    lines = unsupported(config)
    if lines:
        print("The hub can't start:", *lines, sep="\n", file=sys.stderr)
        raise SystemExit(1)
