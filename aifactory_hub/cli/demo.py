"""``aifactory-hub demo``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .loading import load

# As in aifactory_hub.demo.fleet, which needs the demo's packages.
SCENARIOS = ("calm", "busy", "full", "fragmented", "miscut")
_FOLDER = Path.home() / ".local/state/aifactory-hub-demo"


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port on 127.0.0.1.")
@click.option(
    "--scenario", default="calm", show_default=True, type=click.Choice(SCENARIOS), help="What the neighbours do."
)
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(min=0), help="Of the neighbours' time.")
@click.option(
    "--folder",
    default=_FOLDER,
    # Not whose home it is: the reference is made from this.
    show_default="~/.local/state/aifactory-hub-demo",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where accounts, homes and jobs of the demo are kept.",
)
@click.option("--check", is_flag=True, help="Play a whole day without a person, print a table, and end.")
def demo(port: int, scenario: str, speed: float, folder: Path, check: bool) -> None:
    """Run the whole hub on this machine: no cluster, no Docker, no root. The cluster's part is simulated."""
    app = load("aifactory_hub.demo.app", "demo")
    if check:
        sys.exit(app.run_check())
    sys.exit(app.run_demo(app.Options(folder.expanduser().resolve(), port, scenario, speed)))
