"""Refusals as the exceptions that the hub's pages and API show."""

from __future__ import annotations

from http import HTTPStatus

from aifactory_hub.domain.refusals import Refusal

from .jupyterhub5_compat import SpawnException


class SpawnRefused(SpawnException):
    """A server is not started, and the person is told why in ``message``.

    ``reason`` is a slug: it is the HTTP reason phrase and the label in the hub's metrics.
    """

    def __init__(self, message: str, *, reason: str, status: int) -> None:
        super().__init__(message, reason=reason, status_code=status)
        self.jupyterhub_message = message


def refused(refusal: Refusal) -> SpawnRefused:
    """The refusal as an exception, with its status."""
    return SpawnRefused(refusal.message, reason=str(refusal.reason), status=refusal.reason.status)


def not_connected() -> SpawnRefused:
    """The hub has no credential for the host cluster, or no rules. The cause is for its log: it names files."""
    message = "This hub is not connected to its cluster, so no server can start. An administrator finds why in its log."
    return SpawnRefused(message, reason="not-connected", status=HTTPStatus.SERVICE_UNAVAILABLE)


def failed(message: str) -> SpawnRefused:
    """A start that was allowed and then failed in the cluster."""
    return SpawnRefused(message, reason="start-failed", status=HTTPStatus.CONFLICT)
