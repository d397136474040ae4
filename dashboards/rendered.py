"""All dashboards as the chart has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from .cluster import cluster
from .jobs import jobs
from .platform import platform
from .team import team

BOARDS: dict[str, Callable[[], Dashboard]] = {"cluster": cluster, "jobs": jobs, "platform": platform, "team": team}


def rendered() -> dict[str, str]:
    """The name of each dashboard, and its JSON."""
    return {name: json.dumps(_numbered(made), indent=2, sort_keys=True) + "\n" for name, made in BOARDS.items()}


def _numbered(made: Callable[[], Dashboard]) -> Any:
    """The dashboard as plain values; each panel has a number, by which Grafana's addresses name it."""
    plain = json.loads(json.dumps(made().build(), cls=JSONEncoder))
    for number, panel in enumerate(plain["panels"], 1):
        panel["id"] = number
    return plain
