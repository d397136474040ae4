"""Sends mails that are due: each by itself, again until it is taken or the server will never take it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...domain.jobs import backoff
from ...mail.letter import letter
from ...mail.smtp import MailServer, NotSent
from ...store import Deliveries, Delivery
from ..auth.memberships import MOST_NAMES, Members, Membership
from ..errors import ServiceError
from ..executors import reconciling

log = logging.getLogger(__name__)

_AT_ONCE = 4
# Due mails that are looked at in one round.
_A_ROUND = 100
# The first try at once, then after 30 s, 1 min, ... up to an hour: about two days in all.
_FIRST_WAIT = 30.0
_MOST_TRIES = 54
# A quarter of an hour: somebody who signs in for the first time gets what waits.
_TRIES_WITHOUT_ADDRESS = 5
_UNKNOWN_ADDRESS = "the identity provider gives no verified address of this person"


@dataclass(frozen=True)
class Mailer:
    """``server`` None: there is none, and no mail is filed."""

    deliveries: Deliveries
    server: MailServer | None
    members: Members | None
    clock: Callable[[], float]

    async def tick(self) -> None:
        """Send what is due. While the hub does not say who has which address, nothing is tried."""
        if self.server is None or self.members is None:
            return
        due = await self._due()
        if not due:
            return
        try:
            addresses = await self.addresses([each.url for each in due])
        except ServiceError as error:
            log.info("addresses of people are not known now: %s", error)
            return
        # The answer may have come with a handover of an account: what waited for its former owner is gone by now.
        asked = {each.url for each in due}
        due = [each for each in await self._due() if each.url in asked]
        turns = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._send(self.server, turns, each, addresses.get(each.url)) for each in due))

    async def _due(self) -> list[Delivery]:
        return await reconciling.run(self.deliveries.due, now=self.clock(), limit=_A_ROUND, mail=True)

    async def known_of(self, person: str) -> Membership | None:
        """What the hub says of the person; None where no mail is sent. Raises ServiceError (503)."""
        if self.server is None or self.members is None:
            return None
        return (await self.members.of([person]))[person]

    async def addresses(self, people: Sequence[str]) -> Mapping[str, str]:
        """The addresses of those that have one. Raises ServiceError (503)."""
        found: dict[str, Membership] = {}
        names = sorted(set(people))
        if self.members is not None:
            for start in range(0, len(names), MOST_NAMES):
                found.update(await self.members.of(names[start : start + MOST_NAMES]))
        return {name: one.mail for name, one in found.items() if one.mail is not None}

    async def _send(self, server: MailServer, turns: asyncio.Semaphore, delivery: Delivery, to: str | None) -> None:
        async with turns:
            try:
                problem = await self._problem(server, delivery, to)
            except Exception:  # of one mail: all others are sent
                log.exception("mail %s could not be sent", delivery.id)
                problem = NotSent("the service failed at this; its log says why")
        if problem is None:
            await reconciling.run(self.deliveries.delivered, delivery.id, now=self.clock())
            return
        given_up = problem.final or delivery.tries + 1 >= _MOST_TRIES
        if given_up:
            log.warning("mail %s to %s is given up: %s", delivery.id, delivery.url, problem)
        again = None if given_up else self.clock() + backoff(_FIRST_WAIT, delivery.tries)
        await reconciling.run(self.deliveries.failed, delivery.id, str(problem), next_at=again)

    async def _problem(self, server: MailServer, delivery: Delivery, to: str | None) -> NotSent | None:
        """Why the mail was not taken; None when it was."""
        if to is None:
            return NotSent(_UNKNOWN_ADDRESS, final=delivery.tries >= _TRIES_WITHOUT_ADDRESS)
        said = delivery.body["mail"]
        try:
            mail = letter(
                sender=server.sender,
                to=to,
                subject=said["subject"],
                text=said["text"],
                message_id=delivery.id,
                at=delivery.created_at,
            )
            await server.send(mail)
        except NotSent as error:
            return error
        return None
