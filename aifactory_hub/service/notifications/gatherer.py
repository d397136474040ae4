"""Gathers notifications into messages: finds out who is told, and puts what one of them is told into one message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ...domain.approvals import Approval, Approver
from ...domain.chat_messages import message_json
from ...domain.formatting import iso_millis
from ...domain.notification_texts import SiteWords, mail_text, message_of
from ...domain.notifications import (
    Audience,
    Choice,
    Kind,
    Notification,
    is_admin,
    is_voter,
    left_out,
    to_send,
    wanted,
)
from ...registry import Registry
from ...store.approvals import Approvals
from ...store.deliveries import MAIL
from ...store.notifications import CHANNELS, Filed, Notifications
from ..auth.memberships import Membership
from ..errors import ServiceError
from ..executors import reconciling

log = logging.getLogger(__name__)

# Seconds after which nobody is told any more whom the hub does not name: it was away for that long.
_LONGEST_ADDRESSING = 86400.0
_WHY = "you get this because it is about your work or waits for you. Choose what you get: {}"
_COMMAND = "aifactory-hub notifications off, failures or all."
# The page on which people choose, below the service's address.
_PAGE = "notifications"


class Roles(Protocol):
    """Says who has which role: asked of the hub."""

    async def told_of(self, tenant: str) -> Mapping[str, Approver]:
        """The team's administrators and all approvers by name, as the identity provider said last, also of those who
        are signed out. Raises ServiceError (503)."""

    async def of(self, names: Iterable[str]) -> Mapping[str, Membership]:
        """What is known of these people. Raises ServiceError (503)."""


@dataclass(frozen=True)
class Gatherer:
    """``mail``: whether there is a mail server. ``prefix`` is the path of the service's pages."""

    store: Notifications
    approvals: Approvals
    roles: Roles | None
    get_registry: Callable[[], Registry]
    mail: bool
    prefix: str
    clock: Callable[[], float]

    async def tick(self) -> None:
        """File what is told of jobs, and one message for each person and channel for which it is time."""
        # Which sweeps are over is asked before their last jobs are filed, so that none of them is missing.
        over = await reconciling.run(self._file)
        if self.mail:
            await self._address()
            await self._gather_mail(over)
        await self._gather_channels(over)

    def _file(self) -> set[str]:
        channels = any(tenant.channel is not None for tenant in self.get_registry().tenants.values())
        over = self.store.sweeps()
        for consumer, on in ((MAIL, self.mail), (CHANNELS, channels)):
            self.store.follow(consumer, on=on)
            if on:
                self.store.file_jobs(consumer)
        return over

    async def _address(self) -> None:
        """Find the people behind roles. While the hub does not answer, what is told waits."""
        for audience in (Audience.VOTERS, Audience.LEFT_OUT, Audience.ADMINS):
            for name, filed in (await reconciling.run(self.store.waiting, audience)).items():
                try:
                    people = await self._people(audience, name, filed[0].notification.tenant)
                except ServiceError as error:
                    log.info("who is told of %s is not known now: %s", name, error)
                    await self._give_up_old(filed)
                    continue
                for each in filed:
                    await reconciling.run(self.store.address, each, people)

    async def _give_up_old(self, filed: Sequence[Filed]) -> None:
        oldest = self.clock() - _LONGEST_ADDRESSING
        old = [each for each in filed if each.notification.at < oldest]
        if old:
            log.warning("%d notifications were told nobody: the hub has not answered for a day", len(old))
            await reconciling.run(self.store.drop, old)

    async def _people(self, audience: Audience, name: str, tenant: str) -> list[str]:
        """Who is told, by the roles that the hub knows. Raises ServiceError."""
        if self.roles is None:
            return []
        known = await self.roles.told_of(tenant)
        if audience is Audience.ADMINS:
            return [person for person, one in known.items() if is_admin(one.role)]
        approval: Approval | None = await reconciling.run(self.approvals.get, name)
        if approval is None:
            return []
        if audience is Audience.VOTERS:
            return [person for person, one in known.items() if is_voter(approval, person, one)]
        return await self._left_out(self.roles, approval, known)

    async def _left_out(self, roles: Roles, approval: Approval, known: Mapping[str, Approver]) -> list[str]:
        """Who is told of a vote for an emergency. Raises ServiceError."""
        votes = (await reconciling.run(self.approvals.votes, [approval.id]))[approval.id]
        found = await roles.of(approval.excluded)
        of_team = {name for name, one in found.items() if approval.tenant in (one.last or {})}
        return left_out(approval, known, of_team, {vote.voter for vote in votes if vote.emergency})

    async def _gather_mail(self, over: set[str]) -> None:
        waiting = await reconciling.run(self.store.waiting, Audience.PERSON)
        chosen: Mapping[str, Choice] = await reconciling.run(self.store.choices, waiting) if waiting else {}
        default = self.get_registry().notifications.people
        for person, filed in waiting.items():
            choice = chosen.get(person, Choice())
            told = await self._ready(filed, partial(choice.wants, default=default), over)
            if told:
                site = self._site()
                message = message_of([each.notification for each in told], site)
                text = mail_text(message, site, _WHY.format(site.link(_PAGE) or _COMMAND))
                said = {"subject": f"[{site.name}] {message.subject}", "text": text}
                body = {"event": "notifications", "at": iso_millis(self.clock()), "mail": said}
                await reconciling.run(self.store.file_mail, person, body, told, now=self.clock())

    async def _gather_channels(self, over: set[str]) -> None:
        for name, filed in (await reconciling.run(self.store.waiting, Audience.CHANNEL)).items():
            tenant = self.get_registry().tenants.get(name)
            channel = None if tenant is None else tenant.channel
            if channel is None:
                await reconciling.run(self.store.drop, filed)
                continue
            told = await self._ready(filed, partial(wanted, level=channel.level), over)
            if told:
                message = message_of([each.notification for each in told], self._site())
                said = {"tenant": name, **message_json(message)}
                body = {"event": "team.notifications", "at": iso_millis(self.clock()), "team": said}
                file = self.store.file_channel
                await reconciling.run(file, channel.url, channel.format.value, body, told, now=self.clock())

    async def _ready(self, filed: Sequence[Filed], wants: Callable[[Kind], bool], over: set[str]) -> list[Filed]:
        """Those that go into a message now. What is not wanted is removed."""
        unwanted = [each for each in filed if not wants(each.notification.kind)]
        if unwanted:
            await reconciling.run(self.store.drop, unwanted)
        left = {id(each.notification): each for each in filed if wants(each.notification.kind)}
        waiting: list[Notification] = [each.notification for each in left.values()]
        window = self.get_registry().notifications.gather
        return [left[id(each)] for each in to_send(waiting, over, now=self.clock(), window=window)]

    def _site(self) -> SiteWords:
        registry = self.get_registry()
        public = registry.addresses.public
        pages = None if public is None else public.rstrip("/") + self.prefix
        return SiteWords(registry.site.name, registry.billing.zone, pages)
