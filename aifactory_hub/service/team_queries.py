"""Questions of teams to the site's Prometheus: one of each person at a time, and few in all."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ..telemetry.base import TelemetryUnavailable
from ..telemetry.relay import (
    LARGEST,
    AnswerTooLarge,
    ForeignSeries,
    NoPrometheus,
    NotAnswered,
    Parameters,
    PrometheusRelay,
    passed_on,
)
from .errors import ServiceError, unavailable
from .executors import PersonalPool
from .turns import Circle

log = logging.getLogger(__name__)

# Questions that Prometheus is asked at the same time.
AT_ONCE = 4


@dataclass(frozen=True)
class TeamQueries:
    """For one event loop."""

    relay: PrometheusRelay
    turns: Circle = field(default_factory=lambda: Circle(AT_ONCE))

    async def answer(self, reading: PersonalPool, person: str, tenant: str, path: str, parameters: Parameters) -> bytes:
        """What Prometheus says at ``path``, as JSON. ``parameters`` are those for the tenant already.

        Raises ServiceError.
        """
        try:
            async with self.turns.turn(person):
                status, content = await self.relay.ask(path, parameters)
            return await reading.run(person, passed_on, status, content, path, tenant)
        except NoPrometheus as error:
            message = "This site has no Prometheus: telemetry.prometheus is not set in tenants.yaml."
            raise ServiceError(404, "no-prometheus", message) from error
        except NotAnswered as error:
            raise ServiceError(422, "query-failed", f"Prometheus can't answer this: {error}") from error
        except AnswerTooLarge as error:
            message = f"The answer has more than {LARGEST // 2**20} MiB: ask for fewer series, or a longer step."
            raise ServiceError(422, "answer-too-large", message, numbers={"limit": LARGEST}) from error
        except ForeignSeries as error:
            log.error("Prometheus answered a question of team %s with series of another one", tenant)
            message = "Prometheus answered with series of another team: nothing of it is told. Tell the administrator."
            raise ServiceError(502, "foreign-series", message) from error
        except TelemetryUnavailable as error:
            raise unavailable("telemetry-unavailable", f"{error}. Try again in a moment.") from error
