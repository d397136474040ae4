"""What rules see of what is asked: one view for each target. Pure.

A view has names of environment variables, never their values, and no tokens or contents of files. All of its lists are
bounded, because an expression may take so many steps only. What a view's text has is cut at LONGEST_TEXT characters,
but for what decides: names of images, profiles and the like are bounded already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aifactory_profiles import Profile

from ..untrusted.texts import escaped
from .job_spec import JobSpec
from .tenants import Role, Tenant

# Two loops over lists of this length, one in the other, are just within what an expression may take.
MOST_ENTRIES = 99
LONGEST_TEXT = 2000

_DIGEST = "sha256:"


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. ``role`` None: what they are in the team is not known now, as of a schedule's owner."""

    name: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class AskedJob:
    """A job as it would be stored, and all that rules see of it. ``image`` is what it would run in, ``engine`` what
    would run it and ``max_seconds`` how long an attempt may run, the site's defaults filled in.

    ``given`` are the versions of datasets that the service gives it, with the class that the team has registered.
    ``profile`` None: the catalogue has it no more, so neither its devices nor its price are known.
    """

    tenant: Tenant
    person: Person
    spec: JobSpec
    image: str
    engine: str
    max_seconds: int
    profile: Profile | None
    schedule: str | None = None
    retry_of: str | None = None
    signed: bool = False
    given: Sequence[Mapping[str, str]] = ()


def job_view(asked: AskedJob, verb: str, now: float) -> dict[str, Any]:
    """The view of a job."""
    spec = asked.spec
    told = spec.provenance or {}
    return {
        **common_view(asked.tenant, asked.person, verb, now),
        "job": {
            "name": spec.name,
            "engine": asked.engine,
            "profile": spec.profile,
            "nodes": spec.nodes,
            "priority": spec.priority,
            "max_seconds": asked.max_seconds,
            "retries": spec.max_retries,
            "image": image_view(asked.image),
            "template": spec.template or "",
            "parameters": names(spec.parameters),
            "environment": names(spec.environment),
            "secrets": names(spec.secrets),
            "outputs": names(spec.outputs or ()),
            "files": spec.input_sha256 or "",
            "source": _source(told, signed=asked.signed),
            "labels": _labels(told.get("labels")),
            "data": _data([*asked.given, *_told_data(told)]),
            "schedule": asked.schedule or "",
            "retry_of": asked.retry_of or "",
        },
        "devices": devices_view(asked.profile, spec.nodes),
        "cost": cost_view(asked.profile, spec.nodes, asked.max_seconds, 1 + spec.max_retries),
    }


def server_view(
    tenant: Tenant, person: Person, profile: Profile, image: str, verb: str, now: float, *, server: str = ""
) -> dict[str, Any]:
    """The view of a notebook server. It has no end of its own, so its cost is that of an hour."""
    return {
        **common_view(tenant, person, verb, now),
        "server": {"name": server, "profile": profile.name, "image": image_view(image)},
        "devices": devices_view(profile, 1),
        "cost": cost_view(profile, 1, 3600, 1),
    }


def pod_view(pod: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """What the API server shows its policies of a pod that is created, as far as rules of target ``pod`` see it."""
    metadata = pod.get("metadata", {})
    made = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {**metadata, "namespace": namespace}}
    return {"object": plain(made), "request": {"operation": "CREATE", "namespace": namespace}}


def pods_of(rendered: Any) -> list[Mapping[str, Any]]:
    """The templates of pods in rendered objects, wherever an engine has them."""
    if isinstance(rendered, list | tuple):
        return [pod for each in rendered for pod in pods_of(each)]
    if not isinstance(rendered, Mapping):
        return []
    spec = rendered.get("spec")
    if isinstance(spec, Mapping) and isinstance(spec.get("containers"), list):
        return [{"metadata": rendered.get("metadata", {}), "spec": spec}]
    return [pod for each in rendered.values() for pod in pods_of(each)]


def image_view(name: str) -> dict[str, Any]:
    """An image by its parts: ``digest`` is empty for one that is named by a tag alone."""
    place, _, digest = name.partition("@")
    head, slash, last = place.rpartition("/")
    base, _, tag = last.partition(":")
    by_digest = digest if digest.startswith(_DIGEST) else ""
    return {"name": name, "repository": f"{head}{slash}{base}", "tag": tag, "digest": by_digest}


def job_digest(tenant: str, owner: str, spec: JobSpec) -> str:
    """One digest for everything that decides what would run, for whom and where: the same for the job, its retry and
    the same request again. Values of the environment are in it; it doesn't give them away."""
    decides = {
        "tenant": tenant,
        "owner": owner,
        "name": spec.name,
        "command": spec.command,
        "profile": spec.profile,
        "environment": dict(spec.environment),
        "outputs": spec.outputs,
        "files": spec.input_sha256,
        "engine": spec.backend,
        "image": spec.image,
        "priority": spec.priority,
        "max_seconds": spec.max_seconds,
        "retries": spec.max_retries,
        "nodes": spec.nodes,
        "template": spec.template,
        "parameters": dict(spec.parameters),
        "source": _source(spec.provenance or {}, signed=False),
        "labels": _labels((spec.provenance or {}).get("labels")),
        "data": _data((spec.provenance or {}).get("data")),
        # Left out where there are none: digests of jobs from before stay what they were.
        **({"secrets": sorted(spec.secrets)} if spec.secrets else {}),
    }
    return digest_of(decides)


def server_digest(tenant: str, user: str, server: str, profile: str, image: str) -> str:
    """The same for a notebook server."""
    return digest_of({"tenant": tenant, "user": user, "server": server, "profile": profile, "image": image})


def digest_of(decides: Mapping[str, Any]) -> str:
    """One digest, whatever the order in which it is said."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def names(given: Iterable[str]) -> list[str]:
    """The first MOST_ENTRIES of them, in order. One more stands for the rest, so that no rule passes by what it does
    not see: its name begins with a slash, as none of these do."""
    found = sorted(given)
    if len(found) <= MOST_ENTRIES:
        return found
    return [*found[: MOST_ENTRIES - 1], f"/and {len(found) - MOST_ENTRIES + 1} more"]


def plain(value: Any) -> Any:
    """The value as an evaluator takes it: lists, dictionaries, texts and numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def at_time(view: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The view, looked at now."""
    return {**view, "now": _moment(now)}


def common_view(tenant: Tenant, person: Person, verb: str, now: float) -> dict[str, Any]:
    """What the views of all targets but ``pod`` have."""
    role = {} if person.role is None else {"role": person.role.label}
    return {
        "verb": verb,
        "team": {"name": tenant.name, "display_name": tenant.display_name},
        "user": {"name": person.name, **role},
        "now": _moment(now),
    }


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)


def devices_view(profile: Profile | None, nodes: int) -> dict[str, Any]:
    """What so many nodes of the profile take."""
    if profile is None:
        return {"known": False}
    takes = {device.resource: count * nodes for device, count in profile.takes.items()}
    return {"known": True, "total": sum(takes.values()), "by_resource": takes}


def cost_view(profile: Profile | None, nodes: int, seconds: int, attempts: int) -> dict[str, Any]:
    """The most that it can cost at today's price; without ``hourly`` and ``most`` where no price is set."""
    if profile is None or profile.price_per_hour is None:
        return {"known": False}
    hourly = profile.price_per_hour * nodes
    most = hourly * seconds * attempts / 3600
    return {"known": True, "currency": profile.currency, "hourly": float(hourly), "most": float(most)}


def _source(told: Mapping[str, Any], *, signed: bool) -> dict[str, Any]:
    """Where the files come from, in the words of whoever submits; only ``signed`` is checked by the service.

    What is not told is empty, and ``dirty`` unless it is told that nothing was changed.
    """
    # ``<address>@<commit>``, or only a commit of the repository around the folder.
    address = _text(told.get("git")).rpartition("@")[0]
    commit = _text(told.get("commit"))
    return {
        "repository": address if "/" in address else "",
        "commit": commit,
        "branch": _text(told.get("branch")),
        "dirty": told.get("dirty") is not False,
        "signed": signed,
    }


def _labels(told: Any) -> dict[str, str]:
    found = told.items() if isinstance(told, Mapping) else ()
    return {_text(name): _text(value) for name, value in sorted(found, key=lambda each: str(each[0]))[:MOST_ENTRIES]}


def _told_data(told: Mapping[str, Any]) -> Sequence[Any]:
    found = told.get("data")
    return found if isinstance(found, list | tuple) else ()


def _data(told: Any) -> list[dict[str, str]]:
    """What the job says that it reads. One that says nothing of its class has class "unknown"."""
    entries = told if isinstance(told, Sequence) and not isinstance(told, str) else ()
    found = [each for each in entries if isinstance(each, Mapping)]
    read = [
        {key: _text(each.get(key)) for key in ("name", "digest", "region")}
        | {"class": _text(each.get("class")) or "unknown"}
        for each in found[:MOST_ENTRIES]
    ]
    if len(found) > MOST_ENTRIES:
        read[-1] = {"name": "", "digest": "", "region": "", "class": "unknown"}
    return read


def _text(value: Any) -> str:
    return escaped(value[:LONGEST_TEXT])[:LONGEST_TEXT] if isinstance(value, str) else ""
