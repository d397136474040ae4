"""The values of the spawner's traits that follow from a plan: pure functions. A value replaces the one before."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aifactory_hub import constants
from aifactory_hub.domain.environments import Choice, Kind
from aifactory_hub.domain.names import home_id, label_value, server_id, slug
from aifactory_hub.domain.spawns import SpawnPlan
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket, TicketRequest

# The module that starts servers other than JupyterLab.
EDITORS = "aifactory_hub.editors"


def home_name(user: str, generation: int = 0) -> str:
    """The claim of a user's home volume: one for each tenant, shared by their servers there. See ``names.home_id``."""
    return f"{constants.HOME_PREFIX}{home_id(user, generation)}"


def ticket_name(user: str, server: str, start: str) -> str:
    """A name of its own for each start, so that what is left of an earlier one is never taken for this one's."""
    return f"nb-{server_id(user, server)}-{start}"


def ticket_request(
    plan: SpawnPlan, ticket: str, user: str, server: str, *, database: str = "", sequence: int = 0
) -> TicketRequest:
    """What the quota engine is asked for, by the hub whose database has this id, as its ticket of this number."""
    return TicketRequest(
        tenant=plan.tenant.name,
        name=ticket,
        kind="server",
        owner=server_id(user, server),
        user=user,
        profile=plan.profile.name,
        resources=plan.profile.requests,
        priority=constants.PRIORITY_NOTEBOOK,
        node_labels=plan.profile.node_labels,
        flavor=plan.profile.flavor,
        database=database,
        sequence=sequence,
    )


def labels(plan: SpawnPlan, *, hub: str, user: str, server: str) -> dict[str, str]:
    """All that the pod is labelled with: whose it is, and what it takes."""
    return {
        **marks(hub, server_id(user, server)),
        constants.LABEL_TENANT: plan.tenant.name,
        constants.LABEL_USER: slug(user),
        constants.LABEL_PROFILE: label_value(plan.profile.name),
    }


def marks(hub: str, owner: str) -> dict[str, str]:
    """The labels by which a server's pod is known as this hub's and this server's."""
    return {
        constants.LABEL_HUB: hub,
        constants.LABEL_OWNER_KIND: "server",
        constants.LABEL_OWNER: owner,
    }


@dataclass(frozen=True, slots=True)
class SiteTraits:
    """What the site has configured, before a profile adds to it."""

    labels: Mapping[str, str]
    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, Any]]
    volumes: Sequence[Mapping[str, Any]] = ()
    volume_mounts: Sequence[Mapping[str, Any]] = ()


def pod_traits(site: SiteTraits, plan: SpawnPlan, ticket: Ticket, *, taints: Sequence[str]) -> dict[str, Any]:
    """All traits of kubespawner that follow from a plan and its ticket, except the labels. ``taints``: of GPU nodes."""
    return {
        **resource_traits(plan),
        "node_selector": node_selector(site.node_selector, plan, ticket),
        "tolerations": tolerations(site.tolerations, plan, taints),
        **volume_traits(site, plan.tenant),
    }


def listed(given: Any) -> list[dict[str, Any]]:
    """Volumes or mounts as a list: kubespawner takes a mapping of them, too."""
    return [dict(each) for each in (given.values() if isinstance(given, Mapping) else given)]


def volume_traits(site: SiteTraits, tenant: Tenant) -> dict[str, Any]:
    """The site's volumes with those of the team, read-only unless the registry says otherwise."""
    volumes, mounts = listed(site.volumes), listed(site.volume_mounts)
    for each in tenant.volumes:
        name, read_only = f"team-{each.name}", not each.write
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": each.claim, "readOnly": read_only}})
        mounts.append({"name": name, "mountPath": each.path, "readOnly": read_only})
    return {"volumes": volumes, "volume_mounts": mounts}


def resource_traits(plan: SpawnPlan) -> dict[str, Any]:
    """CPU in cores, memory in bytes, devices as limit and as guarantee: Kubernetes wants both to be the same."""
    requests, limits = plan.profile.requests, plan.profile.limits
    return {
        "cpu_guarantee": requests.cpu_millicores / 1000,
        "cpu_limit": limits.cpu_millicores / 1000,
        "mem_guarantee": requests.memory_bytes,
        "mem_limit": limits.memory_bytes,
        "extra_resource_guarantees": {name: str(count) for name, count in requests.devices.items()},
        "extra_resource_limits": {name: str(count) for name, count in limits.devices.items()},
    }


def environment_traits(choice: Choice | None) -> dict[str, Any]:
    """What a server is made from; nothing where the site has no environments. JupyterLab starts as the site says."""
    if choice is None:
        return {}
    traits: dict[str, Any] = {"image": choice.version.image}
    if wrapped(choice):
        traits |= {"cmd": ["python3", "-m", EDITORS], "args": []}
    return traits


def wrapped(choice: Choice) -> bool:
    """Whether a server is started by our own program, which runs hooks and stands before other programs."""
    return choice.environment.kind is not Kind.LAB or bool(choice.environment.hooks)


def environment_variables(choice: Choice | None) -> dict[str, str]:
    """What the program that starts a server reads; see ``aifactory_hub.editors``. Nothing of it is secret."""
    if choice is None:
        return {}
    environment = choice.environment
    variables = {"AIFACTORY_SERVER_KIND": environment.kind.value}
    if environment.hooks:
        variables["AIFACTORY_START_HOOKS"] = json.dumps(environment.hooks)
    if environment.command:
        variables["AIFACTORY_SERVER_COMMAND"] = json.dumps(environment.command)
    if not environment.reports:
        variables["AIFACTORY_REPORTS_ACTIVITY"] = "no"
    return variables


def tolerations(site: Sequence[Mapping[str, Any]], plan: SpawnPlan, taints: Sequence[str]) -> list[dict[str, Any]]:
    """Taints that the pod puts up with: what the site says, and those of GPU nodes where it has a device.

    A pod without one stays off these nodes.
    """
    known = {each.get("key") for each in site}
    ours = [key for key in taints if key not in known] if plan.profile.requests.devices else []
    return [*map(dict, site), *({"key": key, "operator": "Exists"} for key in ours)]


def node_selector(site: Mapping[str, str], plan: SpawnPlan, ticket: Ticket) -> dict[str, str]:
    """Where the pod may run: what the site says, the profile's GPU model, and what the quota engine chose."""
    return {**site, **plan.profile.node_labels, **ticket.node_selector}


def without_references(environment: Mapping[str, Any], *, but: Collection[str]) -> dict[str, Any]:
    """The variables with each ``$`` doubled, except in those called as in ``but``.

    Kubernetes reads ``$(NAME)`` and ``$$`` in values, and a value may hold a person's name.
    """
    return {
        name: value.replace("$", "$$") if isinstance(value, str) and name not in but else value
        for name, value in environment.items()
    }
