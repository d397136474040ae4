"""Tells Git hosts how the commits stand that started runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from ...domain.commit_statuses import CommitStatus, NoStatuses, StatusRequest, status_request
from ...domain.jobs import backoff
from ...git import GitFailed, GitRefused, send_status
from ...store.commit_statuses import CommitStatuses, OpenStatus
from ...store.triggers import Trigger, Triggers
from ..executors import git, reconciling
from .keys import TriggerKeys

log = logging.getLogger(__name__)

# Told in one look; the rest has its turn at the next one.
_AT_ONCE = 8
# The second try after so many seconds, each after it twice as long, up to an hour: about four hours in all.
_FIRST_WAIT = 10.0
_MOST_TRIES = 12


@dataclass(frozen=True)
class StatusTeller:
    """``tick`` tells what is due. ``page`` is the address of a team's pipelines for browsers, None without one."""

    statuses: CommitStatuses
    triggers: Triggers
    keys: TriggerKeys
    page: Callable[[str], str | None]
    clock: Callable[[], float]
    _going: set[asyncio.Task[None]] = field(default_factory=set)

    async def begin(self) -> None:
        """Begin to tell what is due, if the look before has ended: a host that hangs holds up nothing else."""
        if not self._going:
            task = asyncio.create_task(self._try(), name="commit statuses")
            self._going.add(task)
            task.add_done_callback(self._going.discard)

    async def tick(self) -> None:
        """As ``begin``, and wait for its end."""
        await self.begin()
        await asyncio.gather(*self._going)

    async def _try(self) -> None:
        try:
            await self._tell()
        except Exception:
            log.exception("Git hosts could not be told how commits stand; they are told later")

    async def _tell(self) -> None:
        """A host that does not answer is asked again later; one that says no is not."""
        for status in await reconciling.run(self.statuses.due, now=self.clock(), limit=_AT_ONCE):
            try:
                request, token, authorities = await git.run(self._prepare, status)
                await send_status(request, token, authorities=authorities)
            except (GitRefused, NoStatuses) as error:
                await reconciling.run(self.statuses.failed, status, str(error), next_at=None)
            except GitFailed as error:
                again = self.clock() + backoff(_FIRST_WAIT, status.tries)
                last = status.tries + 1 >= _MOST_TRIES
                await reconciling.run(self.statuses.failed, status, str(error), next_at=None if last else again)
            else:
                await reconciling.run(self.statuses.told, status)

    def _prepare(self, status: OpenStatus) -> tuple[StatusRequest, str, ssl.SSLContext | None]:
        """Raises GitRefused, NoStatuses; blocks."""
        trigger = self.triggers.get(status.trigger)
        token = None if trigger is None else self.keys.status_token(trigger)
        if trigger is None or token is None:
            raise GitRefused("the trigger has no token for this")
        self.keys.remote(trigger)  # the site may have taken the host out of its list
        file = self.keys.get_registry().git.ca_file
        authorities = None if file is None else ssl.create_default_context(cafile=file)
        return status_request(trigger.provider, trigger.url, self._status(trigger, status)), token, authorities

    def _status(self, trigger: Trigger, status: OpenStatus) -> CommitStatus:
        context = f"aifactory/{trigger.name}"
        return CommitStatus(status.commit, context, status.state, status.description, self.page(trigger.tenant))
