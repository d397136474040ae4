"""What one is told by mail."""

from __future__ import annotations

from ... import constants
from ...domain.channels import Level
from ...domain.notification_texts import CHOICES, NO_MAIL
from ...domain.notifications import Choice, Kind, NoMail
from ..auth.memberships import Membership
from ..auth.permissions import Caller
from ..errors import forbidden
from ..notification_types import ChannelAnswer, KindAnswer, NotificationChoice, NotificationsAnswer
from .base import Handler, run_sync
from .operations import operation


class MyNotifications(Handler):
    """One's own choice."""

    @operation("getNotifications", "What the caller is told by mail, and where.", answer=NotificationsAnswer)
    async def get(self) -> None:
        """The address is the identity provider's; nobody can write another one here."""
        await self._answer_for(await self.caller())

    @operation(
        "chooseNotifications",
        "Choose what to be told by mail, in the place of what was chosen before.",
        answer=NotificationsAnswer,
        body=NotificationChoice,
    )
    async def put(self) -> None:
        """It holds for what is told from now on."""
        caller = await self.caller(fresh=True)
        works = caller.tenants(constants.SCOPE_SUBMIT, self.context.registry.tenants)
        if not (self.in_browser or caller.approves or works):
            raise forbidden("This takes a token that may submit jobs, or somebody who approves what others ask for.")
        asked = await self.body(NotificationChoice, caller.name)
        kinds = {Kind(kind): told for kind, told in asked.kinds.items()}
        choice = Choice(None if asked.level is None else Level(asked.level), kinds)
        kept = choice.differing(self.context.registry.notifications.people)
        await run_sync(self.context.notifications.choose, caller.name, kept, now=self.context.clock())
        await self._answer_for(caller)

    async def _answer_for(self, caller: Caller) -> None:
        choice: Choice = await run_sync(self.context.notifications.choice, caller.name)
        mailer, default = self.context.mailer, self.context.registry.notifications.people
        known = await mailer.known_of(caller.name)
        why_not = _why_no_mail(known, on=mailer.server is not None)
        self.answer(
            {
                "level": (choice.level or default).value,
                "chosen": None if choice.level is None else choice.level.value,
                "default": default.value,
                "mail": mailer.server is not None,
                "address": None if known is None else known.mail,
                "why_not": None if why_not is None else NO_MAIL[why_not],
                "kinds": _kinds(choice, default),
                "channels": self._channels(caller),
            }
        )

    def _channels(self, caller: Caller) -> list[ChannelAnswer]:
        tenants = self.context.registry.tenants
        found: list[ChannelAnswer] = []
        for name in filter(caller.administers, caller.tenants(constants.SCOPE_READ, tenants)):
            channel = tenants[name].channel
            form, level = (None, None) if channel is None else (channel.format, channel.level)
            found.append({"tenant": name, "format": form, "level": level})
        return found


def _kinds(choice: Choice, default: Level) -> list[KindAnswer]:
    return [
        {
            "kind": kind,
            "words": CHOICES[kind],
            "told": choice.wants(kind, default),
            "chosen": choice.kinds.get(kind),
        }
        for kind in Kind
    ]


def _why_no_mail(known: Membership | None, *, on: bool) -> NoMail | None:
    if not on or known is None:
        return NoMail.SITE
    if known.mail is not None:
        return None
    return NoMail.UNVERIFIED if known.mail_unverified else NoMail.ABSENT
