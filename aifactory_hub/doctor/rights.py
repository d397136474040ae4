"""Asks the APIs what the hub's accounts may do: each right that is rendered, and some that would be too much."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from .. import constants
from ..clusters import ApiError, ApiUnreachable, KubeApi
from ..domain.engines import EngineNeeds
from ..domain.site_rights import (
    OF_THE_CLUSTER,
    AskedRights,
    Right,
    rights_of,
    too_much_in_a_vcluster,
    too_much_on_the_host,
)
from ..domain.tenants import Tenant
from ..registry import Registry
from ..registry.manifests import HUB_ACCOUNT, HUB_NAMESPACE
from ..registry.render import host_objects
from ..registry.render_vcluster import seeded_objects

_AUTHORIZATION = "/apis/authorization.k8s.io/v1"
_HUB_USER = f"system:serviceaccount:{HUB_NAMESPACE}:{HUB_ACCOUNT}"
# What Kubernetes itself puts a service account into.
_HUB_GROUPS = ["system:serviceaccounts", f"system:serviceaccounts:{HUB_NAMESPACE}", "system:authenticated"]
# At once, in all.
_SIDE_BY_SIDE = 8
_OTHER = {
    constants.NOTEBOOKS_NAMESPACE: constants.JOBS_NAMESPACE,
    constants.JOBS_NAMESPACE: constants.NOTEBOOKS_NAMESPACE,
}


class Asking:
    """Access reviews, a few at once. ``about_hub``: of the hub's account, by somebody who may ask about others."""

    def __init__(self, api: KubeApi, *, about_hub: bool = False) -> None:
        self._api = api
        self._limit = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._kind = "SubjectAccessReview" if about_hub else "SelfSubjectAccessReview"
        self._who: dict[str, Any] = {"user": _HUB_USER, "groups": _HUB_GROUPS} if about_hub else {}

    async def answers(self, rights: Iterable[Right]) -> dict[Right, bool | None]:
        """Each right with whether it is there; None where the API would not say."""
        rights = list(rights)
        return dict(zip(rights, await asyncio.gather(*map(self._may, rights)), strict=True))

    async def _may(self, right: Right) -> bool | None:
        resource, _, subresource = right.resource.partition("/")
        wanted = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": right.namespace,
            "name": right.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": self._kind,
            "spec": {**self._who, "resourceAttributes": {key: value for key, value in wanted.items() if value}},
        }
        async with self._limit:
            try:
                answer = await self._api.create(f"{_AUTHORIZATION}/{self._kind.lower()}s", body)
            except (ApiError, ApiUnreachable):
                return None
        return bool((answer.get("status") or {}).get("allowed"))


async def host_rights(registry: Registry, api: KubeApi) -> list[AskedRights]:
    """Of the hub's account on the host, whoever asks: the account itself, or an administrator about it."""
    asking = Asking(api, about_hub=await _user(api) != _HUB_USER)
    rules = {
        each["metadata"].get("namespace", ""): each["rules"]
        for each in host_objects(registry)
        if each["kind"] in ("Role", "ClusterRole") and each["metadata"]["name"] == HUB_ACCOUNT
    }
    hub_pods = Right("create", "pods", "", HUB_NAMESPACE), Right("list", "secrets", "", HUB_NAMESPACE)
    return list(
        await asyncio.gather(
            *(
                _asked(
                    asking,
                    "the hub",
                    f"namespace {namespace}" if namespace else "the whole host",
                    rights_of(rules[namespace], namespace),
                    too_much_on_the_host(namespace) if namespace else (*OF_THE_CLUSTER, *hub_pods),
                )
                for namespace in rules
            )
        )
    )


async def vcluster_rights(
    tenant: Tenant, api: KubeApi, secret: str, engines: Sequence[EngineNeeds] = ()
) -> AskedRights:
    """Of the account in the tenant's vCluster whose credential is in this Secret, asked under that credential."""
    notebooks = secret == constants.NOTEBOOKS_SECRET
    own = constants.NOTEBOOKS_NAMESPACE if notebooks else constants.JOBS_NAMESPACE
    rules = next(
        each["rules"]
        for each in seeded_objects(tenant, engines)
        if each["kind"] == "Role" and each["metadata"]["namespace"] == own
    )
    who = "the hub" if notebooks else "the job service"
    too_much = too_much_in_a_vcluster(own, _OTHER[own])
    return await _asked(Asking(api), who, f"the vCluster of {tenant.name}", rights_of(rules, own), too_much)


async def _asked(
    asking: Asking, who: str, where: str, needed: Iterable[Right], too_much: Iterable[Right]
) -> AskedRights:
    have, excess = await asyncio.gather(asking.answers(needed), asking.answers(too_much))
    return AskedRights(who, where, have, excess)


async def _user(api: KubeApi) -> str:
    """Who the API takes us for; empty when it does not say."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = await api.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    except (ApiError, ApiUnreachable):
        return ""
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username", ""))
