"""The sections of ``tenants.yaml`` about notifications: as in ``schema``, which has the others."""

from __future__ import annotations

from typing import Literal

from .scalars import Seconds, Url
from .section import Section, key


class NotificationsSection(Section):
    people: Literal["off", "failures", "all"] = key(
        "How much people are told by mail who chose nothing themselves.", "all", default="failures"
    )
    gather: Seconds = key("How long after the first of what it tells a message is sent.", "60s", default=60)
    trust_addresses: bool = key(
        "Also send to addresses of which the identity provider does not say whether it has verified them.",
        "true",
        default=False,
    )


class ChannelSection(Section):
    url: Url = key("Webhook of the team's chat; the rules of `jobs.webhook_hosts` hold.", "https://hooks.example.org/t")
    format: Literal["standard", "slack", "teams"] = key(
        "What it takes: a message as Slack or Microsoft Teams has it, or as Standard Webhooks says.",
        "slack",
        default="standard",
    )
    level: Literal["off", "failures", "all"] = key("How much it is told.", "all", default="failures")
