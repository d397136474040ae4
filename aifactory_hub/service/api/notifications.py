"""What one is told by mail."""

from __future__ import annotations

from ... import constants
from ...domain.channels import Level
from ..errors import forbidden
from ..notification_types import NotificationChoice, NotificationsAnswer
from .base import Handler, run_sync
from .operations import operation


class MyNotifications(Handler):
    """One's own choice."""

    @operation("getNotifications", "What the caller is told by mail, and where.", answer=NotificationsAnswer)
    async def get(self) -> None:
        """The address is the identity provider's; nobody can write another one here."""
        caller = await self.caller()
        await self._answer_for(caller.name)

    @operation(
        "chooseNotifications",
        "Choose what to be told by mail.",
        answer=NotificationsAnswer,
        body=NotificationChoice,
    )
    async def put(self) -> None:
        """It holds for what is told from now on."""
        caller = await self.caller(fresh=True)
        if not caller.approves and not caller.tenants(constants.SCOPE_SUBMIT, self.context.registry.tenants):
            raise forbidden("This takes a token that may submit jobs, or somebody who approves what others ask for.")
        asked = await self.body(NotificationChoice, caller.name)
        level = None if asked.level is None else Level(asked.level)
        await run_sync(self.context.notifications.choose, caller.name, level, now=self.context.clock())
        await self._answer_for(caller.name)

    async def _answer_for(self, name: str) -> None:
        chosen: Level | None = await run_sync(self.context.notifications.level, name)
        mailer, default = self.context.mailer, self.context.registry.notifications.people
        on = mailer.server is not None
        address = (await mailer.addresses([name])).get(name) if on else None
        self.answer(
            {
                "level": (chosen or default).value,
                "chosen": None if chosen is None else chosen.value,
                "default": default.value,
                "mail": on,
                "address": address,
            }
        )
