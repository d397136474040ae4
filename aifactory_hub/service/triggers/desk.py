"""Makes triggers, and says what one would do."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from ...domain.git_hooks import Provider
from ...domain.git_refs import BRANCHES, TAGS, SeenRef
from ...domain.refusals import Refusal, RefusalReason
from ...domain.schedules import check_schedule
from ...domain.triggers import TriggerRules
from ...domain.verdicts import Verb
from ...git import GitLimits, GitRefused, fetched, ls_remote
from ...registry.model import Registry
from ...store.triggers import Trigger, Triggers
from ..pipelines.starter import Checked, Starter
from ..submissions import digest_of
from ..trigger_request_types import TriggerRequest
from .commits import ReadCommit, read_commit
from .keys import TriggerKeys

# Of one team: each is asked every few minutes.
MOST_OF_A_TEAM = 100


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trigger would start now from a ref."""

    ref: SeenRef
    commit: ReadCommit
    checked: list[Checked]


@dataclass(frozen=True)
class TriggerDesk:
    """Methods block."""

    triggers: Triggers
    keys: TriggerKeys
    starter: Starter
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]
    changed: Callable[[], None]

    def make(self, owner: str, tenant: str, asked: TriggerRequest) -> tuple[Trigger, bool] | Refusal:
        """The trigger of this request and whether it is new, or why not. Its repository is asked right after."""
        said = asked.model_dump(mode="json", exclude={"key", "token", "status_token"})
        digest = digest_of({**said, "tenant": tenant})
        earlier = self.triggers.find_by_key(tenant, owner, asked.key)
        if earlier is not None:
            return _same(earlier, digest, new=False)
        if len(self.triggers.of_tenant(tenant)) >= MOST_OF_A_TEAM:
            message = f"Team {tenant} has {MOST_OF_A_TEAM} triggers: remove one first."
            return Refusal(RefusalReason.TOO_LARGE, message, field="tenant")
        first = check_schedule(asked.cron, asked.time_zone, now=self.clock()) if asked.cron else None
        if isinstance(first, Refusal):
            return first
        trigger = replace(self._trigger(owner, tenant, asked, digest), next_time=first)
        if (against := self._wrong(trigger)) is not None:
            return against
        self.keys.keep(trigger.id, token=asked.token or None, status_token=asked.status_token or None)
        stored = self.triggers.add(trigger)
        if stored is not trigger:
            self.keys.keep(trigger.id, token=None, status_token=None)
        self.changed()
        return _same(stored, digest, new=stored is trigger)

    def remove(self, trigger: Trigger) -> None:
        """Forget it with its credential; runs that it started stay."""
        self.triggers.remove(trigger.id)
        self.keys.keep(trigger.id, token=None, status_token=None)
        self.changed()

    def rotate(self, trigger: Trigger) -> Trigger:
        """With a new secret. The one before is good for another day."""
        self.triggers.rotate(trigger, now=self.clock())
        self.changed()
        return self.triggers.get(trigger.id) or trigger

    def try_out(self, trigger: Trigger, ref: str) -> Tried | Refusal:
        """What would be started from a branch or tag as it is now. Raises Skipped, Unfit, GitRefused, GitFailed."""
        most = self.get_registry().jobs.max_upload
        remote = self.keys.remote(trigger)
        refs = ls_remote(remote, GitLimits(seconds=30.0))
        names = (ref, BRANCHES + ref, TAGS + ref)
        found = next((refs[name] for name in names if name in refs), None)
        if found is None:
            return Refusal(RefusalReason.BAD_FIELD, f"The repository has no branch or tag {ref!r} now.", field="ref")
        with fetched(remote, found.commit, GitLimits(size=most + 64 * 2**20)) as commit:
            read = read_commit(commit, trigger, most)
        checked = self.starter.check(trigger.owner, trigger.tenant, read.file.pipeline, verb=Verb.TRIGGER)
        return Tried(found, read, checked)

    def _trigger(self, owner: str, tenant: str, asked: TriggerRequest, digest: str) -> Trigger:
        now = self.clock()
        rules = TriggerRules(
            branches=tuple(asked.branches),
            tags=tuple(asked.tags),
            paths=tuple(asked.paths),
            quiet=asked.quiet,
            per_hour=asked.per_hour,
            ignore_authors=tuple(asked.ignore_authors),
            skip_mark=asked.skip_mark,
            cancel_on_delete=asked.cancel_on_delete,
            cron=asked.cron,
            time_zone=asked.time_zone,
            pushes=asked.pushes,
        )
        return Trigger(
            id=f"t{secrets.token_hex(6)}",
            hook=secrets.token_hex(16),
            tenant=tenant,
            owner=owner,
            key=asked.key,
            request_digest=digest,
            name=asked.name or asked.url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "repository",
            provider=asked.provider,
            url=asked.url,
            pipeline=asked.pipeline,
            rules=rules,
            created_at=now,
            username=asked.username,
            has_token=bool(asked.token),
            next_look=now,
            tells=bool(asked.status_token),
        )

    def _wrong(self, trigger: Trigger) -> Refusal | None:
        local = trigger.url.startswith("/")
        if local != (trigger.provider is Provider.LOCAL):
            message = "A folder of this machine has the provider local, and an address one of the others."
            return Refusal(RefusalReason.BAD_FIELD, message, field="provider")
        if not trigger.rules.pushes and not trigger.rules.cron:
            message = "It would start nothing: give times (cron), or leave pushes as it is."
            return Refusal(RefusalReason.BAD_FIELD, message, field="pushes")
        if local and trigger.tells:
            message = "A folder of this machine takes no commit statuses: leave status_token out."
            return Refusal(RefusalReason.BAD_FIELD, message, field="status_token")
        try:
            self.keys.remote(replace(trigger, has_token=False))
        except GitRefused as error:
            message = f"The repository {trigger.url!r} can't be watched: {error}."
            return Refusal(RefusalReason.BAD_FIELD, message, field="url")
        return None


def _same(trigger: Trigger, digest: str, *, new: bool) -> tuple[Trigger, bool] | Refusal:
    if trigger.request_digest == digest:
        return trigger, new
    message = f"The key {trigger.key!r} was used before, for trigger {trigger.id}, with another request."
    return Refusal(RefusalReason.IDEMPOTENCY_CONFLICT, f"{message} Take a new key.", field="key")
