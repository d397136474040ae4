"""What differs between the objects that follow from the registry and those on the host: pure, over their JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from .. import constants

Manifest = dict[str, Any]

# Who we are among an object's managers, for server-side apply.
MANAGER = "aifactory-hub"
# Whose registry an object follows from, and what it was when it was applied last.
LABEL_REGISTRY = f"{constants.PREFIX}/registry"
ANNOTATION_APPLIED = f"{constants.PREFIX}/applied"
# The registry that an object has its present form from: its commit where it is known, and its digest.
ANNOTATION_FOLLOWS = f"{constants.PREFIX}/follows-from"
# On what was made for a team that somebody asked for, of which tenants.yaml knows nothing.
ANNOTATION_GRANTED = f"{constants.PREFIX}/granted"
# What the API server keeps for itself.
_ITS_OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


class Ref(NamedTuple):
    """An object by kind, namespace (empty for the cluster's) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{place}"


class Action(StrEnum):
    """CREATE, CHANGE and REMOVE are done by apply, DELETE only when it is asked for. KEEP is as wanted.

    REMOVE is for what an earlier version rendered in the place of what is rendered now.
    """

    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: where, what it is and what it would be (None: not there)."""

    path: str
    now: Any
    wanted: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What would be done to one object. ``by_hand`` names who changed it since it was applied last; empty if nobody."""

    ref: Ref
    action: Action
    differences: tuple[Difference, ...] = ()
    by_hand: tuple[str, ...] = ()


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    """Which object it is."""
    metadata = manifest["metadata"]
    return Ref(manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def marked(manifest: Manifest, hub: str, follows: str = "") -> Manifest:
    """The object with the marks by which it is known again: whose it is, and what it was applied as.

    ``follows`` says which registry it follows from. An object of which only that would change is kept as it is: so it
    names the registry that it got its present form from.
    """
    made = deepcopy(manifest)
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    made["metadata"].setdefault("labels", {})[LABEL_REGISTRY] = hub
    made["metadata"].setdefault("annotations", {})[ANNOTATION_APPLIED] = digest
    if follows:
        made["metadata"]["annotations"][ANNOTATION_FOLLOWS] = follows
    return made


def change_of(wanted: Manifest, live: Manifest | None, applied: Manifest | None) -> Change:
    """What applying ``wanted`` (as :func:`marked`) would do.

    ``live`` is the object on the host, None when there is none; ``applied`` what the host says it would become.
    """
    ref = ref_of(wanted)
    if live is None or applied is None:
        return Change(ref, Action.CREATE)
    differences = tuple(_differences("", _comparable(live), _comparable(applied)))
    if not differences:
        return Change(ref, Action.KEEP)
    before = (live["metadata"].get("annotations") or {}).get(ANNOTATION_APPLIED)
    same_file = before == wanted["metadata"]["annotations"][ANNOTATION_APPLIED]
    return Change(ref, Action.CHANGE, differences, _others(live) if same_file else ())


def contained(wanted: Any, live: Any) -> bool:
    """Whether ``live`` has all of ``wanted``, so that applying it changes nothing.

    What the API server adds to mappings is no difference; a list of another length may be one, which a trial run tells.
    Which registry the object follows from does not count.
    """
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(
            key == ANNOTATION_FOLLOWS or (key in live and contained(value, live[key])) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(contained, wanted, live))
    return bool(wanted == live)


def surplus(live: Iterable[Mapping[str, Any]], wanted: Iterable[Manifest]) -> list[Change]:
    """Objects with our mark that follow from the registry no more. Those of teams that people asked for are none."""
    known = {ref_of(manifest) for manifest in wanted}
    ours = [each for each in live if ANNOTATION_GRANTED not in (each["metadata"].get("annotations") or {})]
    return [Change(ref, Action.DELETE) for ref in map(ref_of, ours) if ref not in known]


def unbound(policies: Iterable[Ref], bindings: Iterable[Mapping[str, Any]], going: Iterable[Ref]) -> list[Ref]:
    """Those admission policies that no binding names but the ones that are ``going``: another hub may use them too."""
    gone = set(going)
    used = {each["spec"]["policyName"] for each in bindings if ref_of(each) not in gone}
    return [policy for policy in policies if policy.name not in used]


def _comparable(manifest: Manifest) -> Manifest:
    kept = {key: value for key, value in manifest.items() if key not in ("status", "metadata")}
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _ITS_OWN}
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {key: value for key, value in annotations.items() if key != ANNOTATION_FOLLOWS}
    return {**kept, "metadata": metadata}


def _others(live: Manifest) -> tuple[str, ...]:
    """Who else changed the object, as far as it says so."""
    managers = live["metadata"].get("managedFields") or ()
    names = [m.get("manager", "") for m in managers if m.get("manager") != MANAGER and not m.get("subresource")]
    return tuple(dict.fromkeys(name for name in names if name)) or ("somebody",)


def _differences(path: str, now: Any, wanted: Any) -> Iterator[Difference]:
    if isinstance(now, dict) and isinstance(wanted, dict):
        for key in sorted({*now, *wanted}):
            yield from _differences(f"{path}.{key}" if path else str(key), now.get(key), wanted.get(key))
    elif isinstance(now, list) and isinstance(wanted, list) and len(now) == len(wanted):
        for index, (old, new) in enumerate(zip(now, wanted, strict=True)):
            yield from _differences(f"{path}[{_name(new, index)}]", old, new)
    elif now != wanted:
        yield Difference(path, now, wanted)


def _name(item: Any, index: int) -> str:
    """Items of Kubernetes lists are mostly known by their names."""
    return str(item["name"]) if isinstance(item, dict) and isinstance(item.get("name"), str) else str(index)


def summary(changes: Sequence[Change]) -> dict[Action, int]:
    """How many objects each action is for."""
    return {action: sum(change.action is action for change in changes) for action in Action}
