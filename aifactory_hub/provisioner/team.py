"""One team on the host: found, decided, and taken one stage further."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import constants
from ..clusters import ApiError, HostObjects
from ..domain.provisioning import APPLIED, LASTING, STEPS, Next, Stage, TeamFacts, Wish, lateness, next_step
from ..domain.team_end import Phase, phase_of
from ..domain.team_records import TeamRecord
from ..domain.team_sleep import SleepFacts, wish_of
from ..domain.tenants import Tenant
from ..registry.changes import LABEL_REGISTRY, Action, Change, change_of, contained, ref_of
from ..registry.manifests import Manifest
from .objects import ANNOTATION_DOOR, DRAINING, SHUT, TeamObjects, with_door, with_replicas

log = logging.getLogger(__name__)

Json = dict[str, Any]
_CREDENTIALS = (constants.NOTEBOOKS_SECRET, constants.JOBS_SECRET)
# What a vCluster's syncer puts on each pod of the team: which of its namespaces the pod is in.
_VIRTUAL_NAMESPACE = "vcluster.loft.sh/namespace"
_WORK = (constants.NOTEBOOKS_NAMESPACE, constants.JOBS_NAMESPACE)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and what would be applied of the first stage that is not as wanted."""

    facts: TeamFacts
    changes: Sequence[tuple[Manifest, Change]] = ()
    used: bool = False


class TeamKeeper:
    """Takes teams to where they should be. Every method raises ApiError and ApiUnreachable."""

    def __init__(self, host: HostObjects, hub: str, clock: Callable[[], float]) -> None:
        self._host = host
        self._hub = hub
        self._clock = clock

    async def look(
        self, tenant: Tenant, objects: TeamObjects, record: TeamRecord, sleep_after: float | None
    ) -> TeamRecord:
        """Look at the team and do what is next. Returns the record as it is then."""
        found = await self._find(tenant, objects, record, sleep_after)
        step = next_step(found.facts)
        now = self._clock()
        if found.used:
            record = replace(record, last_used=now)
        record = _arrived(record, step, now)
        if step.apply is None:
            return record
        if step.apply is Stage.DOOR and not found.facts.differing.get(Stage.DOOR):
            return await self._open(objects, record)
        return await self._heal(found.changes, record)

    async def _heal(self, changes: Sequence[tuple[Manifest, Change]], record: TeamRecord) -> TeamRecord:
        for manifest, change in changes:
            if change.action is Action.KEEP:
                continue
            await self._host.apply(manifest, dry_run=False)
            said = _said(change, record.opened is not None)
            log.info("%s: %s", manifest["metadata"].get("namespace", ""), said)
            by_hand = bool(change.by_hand) or (change.action is Action.CREATE and record.opened is not None)
            record = replace(record.noted(self._clock(), said), healed=record.healed + by_hand)
        return record

    async def _open(self, objects: TeamObjects, record: TeamRecord) -> TeamRecord:
        """Let the team's queues admit: what held them was ours, and goes with the next apply."""
        for manifest in objects.of(Stage.QUEUE):
            if manifest["kind"] == "ClusterQueue":
                await self._host.apply(manifest, dry_run=False)
        now = self._clock()
        record = record.noted(now, "opened the team's queues")
        return record if record.opened is not None else replace(record, opened=now)

    async def _find(self, tenant: Tenant, objects: TeamObjects, record: TeamRecord, sleep_after: float | None) -> Found:
        namespace = tenant.vcluster.namespace
        live = await self._host.get("Namespace", "", namespace)
        if live is None:
            walls = objects.of(Stage.WALLS)
            made = [(each, Change(ref_of(each), Action.CREATE)) for each in walls]
            return Found(TeamFacts(differing={Stage.WALLS: len(made)}), made)
        if owner := _foreign(live, self._hub):
            return Found(TeamFacts(foreign=owner))
        found = await self._changes(objects.of(Stage.WALLS), lambda manifest, _: manifest)
        if differing := _differing(found):
            return Found(TeamFacts(differing={Stage.WALLS: differing}), found)
        return await self._inside(tenant, objects, record, sleep_after)

    async def _inside(
        self, tenant: Tenant, objects: TeamObjects, record: TeamRecord, sleep_after: float | None
    ) -> Found:
        """What stands behind the walls, which are as they should be."""
        namespace = tenant.vcluster.namespace
        control = await self._host.get("StatefulSet", namespace, tenant.vcluster.name)
        tickets, pods = await self._work(namespace)
        facts = TeamFacts(
            differing={Stage.WALLS: 0},
            counted=await self._counted(objects),
            replicas=None if control is None else control["spec"].get("replicas", 1),
            ready=0 if control is None else (control.get("status") or {}).get("readyReplicas", 0),
            ends=phase_of(tenant.retirement, self._clock()) is Phase.ENDS,
            work=tickets + pods,
        )
        sleep = _sleep_facts(control, tickets, pods, record, sleep_after, self._clock())
        sleep = replace(sleep, ends=facts.ends)
        facts = replace(facts, wish=wish_of(sleep))

        def adjusted(manifest: Manifest, live: Json | None) -> Manifest:
            return _adjusted(manifest, live, facts.wish, sleep)

        changes: list[tuple[Manifest, Change]] = []
        queues: list[Json | None] = []
        for stage in APPLIED[1:]:
            found = await self._changes(objects.of(stage), adjusted, queues)
            facts = replace(facts, differing={**facts.differing, stage: _differing(found)})
            if facts.differing[stage]:
                changes = found
                break
        shut, held_by = _door(queues)
        lacking = await self._lacking(namespace) if facts.ready else _CREDENTIALS
        return Found(replace(facts, shut=shut, held_by=held_by, lacking=lacking), changes, bool(tickets or pods))

    async def _changes(
        self,
        manifests: Sequence[Manifest],
        adjusted: Callable[[Manifest, Json | None], Manifest],
        queues: list[Json | None] | None = None,
    ) -> list[tuple[Manifest, Change]]:
        """What applying each would do. What can't be read behind something that is not there yet is to be made."""
        found: list[tuple[Manifest, Change]] = []
        for manifest in manifests:
            try:
                live = await self._host.get(*ref_of(manifest))
                if queues is not None and manifest["kind"] == "ClusterQueue":
                    queues.append(live)
                wanted = adjusted(manifest, live)
                found.append((wanted, await self._change(wanted, live)))
            except ApiError as error:
                if error.status != 403 or not _differing(found):
                    raise
                found.append((manifest, Change(ref_of(manifest), Action.CREATE)))
        return found

    async def _change(self, wanted: Manifest, live: Json | None) -> Change:
        if live is None:
            return Change(ref_of(wanted), Action.CREATE)
        if contained(wanted, live):
            return Change(ref_of(wanted), Action.KEEP)
        return change_of(wanted, live, await self._host.apply(wanted, dry_run=True))

    async def _counted(self, objects: TeamObjects) -> bool:
        """Whether the namespace's quotas have been counted, before which it refuses what they count."""
        for manifest in objects.of(Stage.WALLS):
            if manifest["kind"] == "ResourceQuota":
                live = await self._host.get(*ref_of(manifest))
                if live is None or not (live.get("status") or {}).get("hard"):
                    return False
        return True

    async def _work(self, namespace: str) -> tuple[int, int]:
        """How many tickets and pods of notebooks and jobs the team has on the host."""
        owned = constants.LABEL_OWNER_KIND
        tickets = await self._host.in_namespace("/apis/batch/v1/jobs", namespace, owned)
        pods = await self._host.in_namespace("/api/v1/pods", namespace, _VIRTUAL_NAMESPACE)
        return len(tickets), sum(each["metadata"]["labels"][_VIRTUAL_NAMESPACE] in _WORK for each in pods)

    async def _lacking(self, namespace: str) -> tuple[str, ...]:
        lacking = [name for name in _CREDENTIALS if await self._host.get("Secret", namespace, name) is None]
        return tuple(lacking)


def _arrived(record: TeamRecord, step: Next, now: float) -> TeamRecord:
    """The record at the stage of ``step``, with what is wrong if it lasts too long.

    A team whose door was opened stays what it is while something of it is healed.
    """
    if record.opened is not None and record.stage in LASTING and step.apply is not None:
        return record
    if record.stage is not step.stage:
        record = replace(record, stage=step.stage, since=now).noted(now, f"{step.stage}: {step.sentence}")
    late = lateness(step.stage, record.since, now)
    return replace(
        record,
        sentence=step.sentence,
        trouble=step.trouble or late,
        todo=step.todo or (STEPS[step.stage].todo if late else ""),
    )


def _foreign(namespace: Mapping[str, Any], hub: str) -> str:
    metadata = namespace["metadata"]
    if metadata.get("deletionTimestamp"):
        return "nobody any more: it is being deleted"
    owner = (metadata.get("labels") or {}).get(LABEL_REGISTRY)
    if owner == hub:
        return ""
    return f"hub {owner}" if owner else f"no hub: it has no label {LABEL_REGISTRY}"


def _sleep_facts(
    control: Json | None, tickets: int, pods: int, record: TeamRecord, after: float | None, now: float
) -> SleepFacts:
    marks = {} if control is None else control["metadata"].get("annotations") or {}
    return SleepFacts(
        # A team that was never open has had no time to be quiet in.
        after=after if record.opened is not None else None,
        replicas=None if control is None else control["spec"].get("replicas", 1),
        asleep_since=_number(marks.get(constants.ANNOTATION_ASLEEP)),
        tickets=tickets,
        pods=pods,
        last_used=max(record.last_used, record.opened or 0),
        now=now,
    )


def _adjusted(manifest: Manifest, live: Json | None, wish: Wish, sleep: SleepFacts) -> Manifest:
    """The object as it is wanted now: a new queue is shut, and a control plane is scaled as is wished."""
    if manifest["kind"] == "StatefulSet":
        if wish is Wish.ASLEEP:
            return with_replicas(manifest, 0, sleep.now if sleep.asleep_since is None else sleep.asleep_since)
        return with_replicas(manifest, 0) if wish is Wish.PAUSED else manifest
    if manifest["kind"] != "ClusterQueue":
        return manifest
    if sleep.ends:
        return with_door(manifest, DRAINING)
    return with_door(manifest, SHUT if live is None else _door_of(live))


def _door_of(queue: Mapping[str, Any]) -> str:
    """Why we hold the queue; empty where we do not."""
    why = str((queue["metadata"].get("annotations") or {}).get(ANNOTATION_DOOR, ""))
    return why if why in (SHUT, DRAINING) else ""


def _door(queues: Sequence[Json | None]) -> tuple[bool, str]:
    """Whether we hold one of the queues, and who else does."""
    live = [each for each in queues if each is not None]
    shut = not live or any(_door_of(each) for each in live)
    others = [each for each in live if not _door_of(each) and each["spec"].get("stopPolicy", "None") != "None"]
    return shut, f"somebody ({', '.join(each['metadata']['name'] for each in others)})" if others else ""


def _differing(changes: Sequence[tuple[Manifest, Change]]) -> int:
    return sum(change.action is not Action.KEEP for _, change in changes)


def _said(change: Change, was_open: bool) -> str:
    """What is written down of a change. A Secret's values never are."""
    if change.action is Action.CREATE:
        gone = " again: somebody deleted it, and the API server's audit log knows who" if was_open else ""
        return f"made {change.ref}{gone}"
    paths = ", ".join(difference.path for difference in change.differences[:5])
    more = "" if len(change.differences) <= 5 else f" and {len(change.differences) - 5} more"
    who = f", changed by {', '.join(change.by_hand)}" if change.by_hand else ""
    return f"{'healed' if change.by_hand else 'changed'} {change.ref}: {paths}{more}{who}"


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
