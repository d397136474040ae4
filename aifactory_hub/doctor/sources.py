"""Where a site's objects are read: its API, or a file that ``kubectl get -o yaml`` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..clusters import ApiError, KubeApi

Object = dict[str, Any]

# Kind -> its name in paths. No more kinds than are rendered or looked for.
_PLURALS = {
    "ClusterQueue": "clusterqueues",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Cohort": "cohorts",
    "ConfigMap": "configmaps",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "LimitRange": "limitranges",
    "LocalQueue": "localqueues",
    "Namespace": "namespaces",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "Pod": "pods",
    "PriorityClass": "priorityclasses",
    "ResourceFlavor": "resourceflavors",
    "ResourceQuota": "resourcequotas",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "StatefulSet": "statefulsets",
    "StorageClass": "storageclasses",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "WorkloadPriorityClass": "workloadpriorityclasses",
}


class SourceError(Exception):
    """The file can't be used; the message says what to give instead."""


class Source(Protocol):
    """Reads objects. ApiUnreachable and ApiError (a right that is missing) go through to the caller."""

    async def one(self, manifest: Object) -> Object | None:
        """The object of the manifest's kind, name and namespace; None when there is none."""
        ...

    async def all(self, api_version: str, kind: str, selector: str = "") -> Sequence[Object]:
        """All objects of a kind, in all namespaces, with these labels (``a=b``)."""
        ...

    async def version(self) -> tuple[int, int] | None:
        """Kubernetes' major and minor version; None when the source does not say."""
        ...

    async def apis(self) -> frozenset[str] | None:
        """Group versions that are served; None when the source does not say."""
        ...


def path_of(api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """The path of an object or collection. Raises KeyError for a kind that is not rendered."""
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{_PLURALS[kind]}" + (f"/{name}" if name else "")


class ApiSource:
    """A cluster's API, under whatever credential it was opened with."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    async def one(self, manifest: Object) -> Object | None:
        metadata = manifest["metadata"]
        place = path_of(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"])
        try:
            return await self._api.get(place)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def all(self, api_version: str, kind: str, selector: str = "") -> Sequence[Object]:
        listed = await self._api.get(path_of(api_version, kind), {"labelSelector": selector} if selector else None)
        items: list[Object] = listed["items"]
        return items

    async def version(self) -> tuple[int, int] | None:
        found = await self._api.get("/version")
        return int(found["major"]), int("".join(c for c in found["minor"] if c.isdigit()))

    async def apis(self) -> frozenset[str] | None:
        groups = (await self._api.get("/apis"))["groups"]
        return frozenset(version["groupVersion"] for group in groups for version in group["versions"])


class FileSource:
    """A file of objects, as lists or one after the other. It says nothing of what is not in it but that."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self._objects = objects

    @classmethod
    def read(cls, path: Path) -> FileSource:
        """Raises SourceError."""
        try:
            documents = list(YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise SourceError(f"{path} can't be read: {error.strerror}") from error
        except (YAMLError, UnicodeDecodeError) as error:
            raise SourceError(f"{path} is not YAML: write it with kubectl get -o yaml") from error
        objects = [each for document in documents for each in _items(document)]
        if any(not isinstance(each, Mapping) or "kind" not in each or "metadata" not in each for each in objects):
            raise SourceError(f"{path} holds something that is no object: write it with kubectl get -o yaml")
        return cls(objects)

    async def one(self, manifest: Object) -> Object | None:
        wanted = _key(manifest)
        return next((each for each in self._objects if _key(each) == wanted), None)

    async def all(self, api_version: str, kind: str, selector: str = "") -> Sequence[Object]:
        name, _, value = selector.partition("=")
        found = [each for each in self._objects if (each["apiVersion"], each["kind"]) == (api_version, kind)]
        return [each for each in found if not selector or (each["metadata"].get("labels") or {}).get(name) == value]

    async def version(self) -> tuple[int, int] | None:
        return None

    async def apis(self) -> frozenset[str] | None:
        return frozenset(each["apiVersion"] for each in self._objects)


def _items(document: Any) -> list[Any]:
    if document is None:
        return []
    return list(document["items"]) if isinstance(document, Mapping) and "items" in document else [document]


def _key(each: Object) -> tuple[str, str, str, str]:
    metadata = each["metadata"]
    return each["apiVersion"], each["kind"], metadata.get("namespace") or "", metadata["name"]
