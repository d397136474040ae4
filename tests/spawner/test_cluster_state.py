"""The administrators' cluster page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader

from aifactory_hub.domain.orphans import Orphan, ServerKey
from aifactory_hub.hub_pages import TEMPLATES
from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.cluster_state import cluster_state

from .hub_in_memory import HubInMemory


def page(state: dict[str, Any]) -> str:
    """The page's own part, without the hub's frame around it."""
    frame = DictLoader({"page.html": "{% block title %}{% endblock %}{% block main %}{% endblock %}"})
    loader = ChoiceLoader([frame, FileSystemLoader(Path(TEMPLATES))])
    return Environment(loader=loader, autoescape=True).get_template("cluster_state.html").render(state=state)


async def test_it_says_how_fresh_it_is_which_team_is_away_and_what_is_left_over(hub: HubInMemory) -> None:
    hub.cluster.down["vision"] = "it is <paused>"
    process = TenantKubeSpawner.hub_process
    assert process is not None
    process.orphans.orphans = [Orphan(ServerKey("nlp", "ada"), "nb-ada", "u", "Running", since=10.0)]
    html = page(cluster_state(process.cluster, process.orphans, now=100.0))
    assert "Fresh." in html
    assert "heard of 1 s ago, at 1970-01-01 00:01:39 UTC" in html
    assert "it is &lt;paused&gt;" in html
    assert "1 min" in html
    assert "nb-ada" in html
    assert "not removed" in html
    hub.cluster.watch.stale = True
    assert "Stale." in page(cluster_state(process.cluster, process.orphans))


def test_before_the_hub_has_connected_it_says_so() -> None:
    assert "Nothing is known yet" in page(cluster_state(None, None))
