"""What ``aifactory-hub doctor`` asks the service: its rules, the key that it signs with, how its other parts fare."""

from __future__ import annotations

from ...store.deliveries import DeliveryState
from ...telemetry.base import TelemetryUnavailable
from ..executors import metering, uploads
from ..site_answer_types import (
    FactoryAnswer,
    PrometheusStateAnswer,
    RulesInUseAnswer,
    SigningAnswer,
    WebhookStateAnswer,
)
from .base import Handler
from .operations import Access, operation

# Entries of the ledger that are read: a moment's work. A backup reads all of them.
_ENTRIES = 10_000
# Seconds: over which samples are asked for, and of which messages that were given up count.
_SAMPLES, _DAY = 60.0, 86_400.0


class RulesInUse(Handler):
    """The site's rules."""

    @operation("getRulesInUse", "Which rules the service works with.", answer=RulesInUseAnswer, access=Access.SITE)
    def get(self) -> None:
        """As of the last look at the folder, a few seconds ago."""
        self.check_shared_token()
        rules = self.context.gates.rules
        bundle, status = rules.current.bundle, rules.status
        answer = {"folder": status.folder, "digest": bundle.digest, "rules": len(bundle.rules)}
        self.answer({**answer, "trouble": status.trouble})


class Signing(Handler):
    """The key of the models' statements."""

    @operation(
        "getSigning", "Whether statements of models can be signed now.", answer=SigningAnswer, access=Access.SITE
    )
    async def get(self) -> None:
        """It signs a text with the key in use, and keeps nothing."""
        self.check_shared_token()
        key, trouble = await uploads.run(self.context.models.signatures.trial)
        self.answer({"key": key, "trouble": trouble})


class Factory(Handler):
    """Ledger, budgets, webhooks, mail, Prometheus."""

    @operation("getFactory", "How the parts of a factory fare now.", answer=FactoryAnswer, access=Access.SITE)
    async def get(self) -> None:
        """The end of the ledger is read and verified, and Prometheus is asked."""
        self.check_shared_token()
        context, now = self.context, self.context.clock()
        ledger = await metering.run(context.ledger.verify_end, _ENTRIES)
        state = context.messenger.deliveries.state
        messages = await metering.run(state, since=now - _DAY)
        mails = await metering.run(state, since=now - _DAY, mail=True)
        self.answer(
            {
                "ledger": {
                    "entries": ledger.events,
                    "behind_seconds": max(0, int(now) - context.heard_at()),
                    "checked": min(ledger.events, _ENTRIES),
                    "trouble": ledger.problem or "",
                },
                "budgets": sum(len(tenant.budgets) for tenant in context.registry.tenants.values()),
                "webhooks": _messages(messages, now),
                "mail": {**_messages(mails, now), "configured": context.mailer.server is not None},
                "prometheus": await self._prometheus(),
            }
        )

    async def _prometheus(self) -> PrometheusStateAnswer:
        telemetry = self.context.idle.telemetry
        if telemetry is None or self.context.registry.telemetry.prometheus is None:
            return {"configured": False, "trouble": ""}
        try:
            await telemetry.read({}, _SAMPLES)
        except TelemetryUnavailable as error:
            return {"configured": True, "trouble": str(error)}
        return {"configured": True, "trouble": ""}


def _messages(state: DeliveryState, now: float) -> WebhookStateAnswer:
    return {
        "waiting": state.waiting,
        "oldest_seconds": 0 if state.oldest is None else max(0, int(now - state.oldest)),
        "given_up": state.given_up,
        "trouble": state.problem,
    }
