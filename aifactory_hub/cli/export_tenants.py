"""``aifactory-hub tenants export``: the registry as one file, or as a file for each team."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .loading import load
from .registry import open_registry


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write tenants.yaml and tenants.d/<team>.yaml into this folder; left out, all is printed as one file.",
)
def export(file: str, folder: Path | None) -> None:
    """Write the registry of FILE and of tenants.d beside it anew: as one file, or a file for each team."""
    before = open_registry(file)
    loader, exporting = load("aifactory_hub.registry.load", "hub"), load("aifactory_hub.registry.export", "hub")
    files = load("aifactory_hub.registry.team_files", "hub")
    text = loader.read_text(file)
    if folder is None:
        main, teams = exporting.as_one_file(text), {}
    else:
        main, teams = exporting.as_team_files(text)
    after = loader.read_registry(files.join_files(main, teams), file)
    if replace(after, source=before.source) != before:
        raise click.ClickException(f"{file} can't be written anew without a change of what it says; nothing was done")
    if folder is None:
        click.echo(main, nl=False)
        return
    _write(folder, {"tenants.yaml": main, **{f"{files.FOLDER}/{name}.yaml": team for name, team in teams.items()}})
    click.echo(f"wrote tenants.yaml and {len(teams)} files of teams into {folder}")


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Only into a folder that has none of them: nothing is overwritten."""
    for name in texts:
        if (folder / name).exists():
            raise click.ClickException(f"{folder / name} exists already: name an empty folder; nothing was done")
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
