"""Commands about GPU profiles: what the cards say, without any site."""

from __future__ import annotations

import click

from aifactory_profiles import Card, Slice, card_names, load_model


@click.group()
def profiles() -> None:
    """GPU profiles and the cards that they come from."""


@profiles.command("list")
@click.option("--model", "models", multiple=True, help="Only this GPU model; may be repeated.")
@click.option("--sources", is_flag=True, help="Say where each figure is from.")
def list_profiles(models: tuple[str, ...], sources: bool) -> None:
    """List the slices that each GPU model can be cut into."""
    known = card_names()
    for model in models:
        if model not in known:
            text = f"no card for GPU model {model!r}; there are {', '.join(known)}"
            raise click.BadParameter(text, param_hint="--model")
    for model in models or known:
        _print_card(load_model(model), sources)


def _print_card(card: Card, sources: bool) -> None:
    click.echo(
        f"{card.name}: {card.display_name}, {card.compute_slices} compute and {card.memory_slices} memory slices"
    )
    header = ("PROFILE", "COMPUTE", "MEMORY", "MAX", "STARTS", "USABLE GiB", "RESOURCE")
    rows = [header, *(_row(card, piece) for piece in card.slices)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if sources:
        for figure, text in card.sources.items():
            click.echo(f"  {figure}: {text}")


def _row(card: Card, piece: Slice) -> tuple[str, str, str, str, str, str, str]:
    return (
        piece.profile_name,
        f"{piece.compute}/{card.compute_slices}",
        f"{piece.memory}/{card.memory_slices}",
        str(piece.max_count),
        ",".join(map(str, piece.starts)),
        "unknown" if piece.usable_gib is None else str(piece.usable_gib),
        piece.resource,
    )
