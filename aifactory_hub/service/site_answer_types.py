"""Answers to ``aifactory-hub doctor``: how the service's parts fare."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class RulesInUseAnswer(TypedDict):
    """Which rules the service works with. ``trouble`` says why not those of the folder, and is empty when they are."""

    folder: Annotated[str, Field(description="Where they come from; empty on a site without rules.")]
    digest: Annotated[str, Field(description="SHA-256 over the names and texts of all files.")]
    rules: int
    trouble: str


class SigningAnswer(TypedDict):
    """Whether statements of models can be signed now. ``key`` is the one in use; null before the first statement."""

    key: str | None
    trouble: str


class LedgerStateAnswer(TypedDict):
    """The ledger: its entries, how far it is behind the cluster, and what is wrong with the last ``checked``."""

    entries: int
    behind_seconds: int
    checked: int
    trouble: str


class WebhookStateAnswer(TypedDict):
    """Messages to webhooks: how many wait, for how many seconds the oldest does, how many were given up in a day."""

    waiting: int
    oldest_seconds: int
    given_up: int
    trouble: Annotated[str, Field(description="What went wrong last within a day, without the address.")]


class MailStateAnswer(WebhookStateAnswer):
    """The same of mails to people; nothing waits where no mail server is ``configured``."""

    configured: bool


class PrometheusStateAnswer(TypedDict):
    """Whether Prometheus answers, as tenants.yaml names it."""

    configured: bool
    trouble: str


class FactoryAnswer(TypedDict):
    """How the parts of a factory fare: ledger, budgets, webhooks, mail, Prometheus."""

    ledger: LedgerStateAnswer
    budgets: Annotated[int, Field(description="How many tenants.yaml has.")]
    webhooks: WebhookStateAnswer
    mail: MailStateAnswer
    prometheus: PrometheusStateAnswer
