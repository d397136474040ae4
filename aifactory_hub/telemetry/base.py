"""What reads samples, whatever they are read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..domain.pod_samples import PodPlace, PodSamples


class TelemetryUnavailable(Exception):
    """Nothing can be read now; the text says why. Nothing follows from it about any pod."""


class Telemetry(Protocol):
    """Samples of pods."""

    async def read(self, pods: Mapping[str, PodPlace], after: float) -> Mapping[str, PodSamples]:
        """Of each of ``pods`` (by the host's uid) over the last ``after`` seconds and a little more.

        Raises TelemetryUnavailable.
        """

    async def close(self) -> None:
        """Let go of connections."""
