"""The values of the spawner's traits that follow from a plan: pure functions. A value replaces the one before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aifactory_hub import constants
from aifactory_hub.domain.names import home_id, label_value, server_id, slug
from aifactory_hub.domain.spawns import SpawnPlan
from aifactory_hub.domain.tickets import Ticket, TicketRequest


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


def pod_traits(site: SiteTraits, plan: SpawnPlan, ticket: Ticket, *, taints: Sequence[str]) -> dict[str, Any]:
    """All traits of kubespawner that follow from a plan and its ticket, except the labels. ``taints``: of GPU nodes."""
    return {
        **resource_traits(plan),
        "node_selector": node_selector(site.node_selector, plan, ticket),
        "tolerations": tolerations(site.tolerations, plan, taints),
    }


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
