"""Commands about GPU profiles: what the cards say, without any site."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click

from aifactory_profiles import (
    Card,
    CardError,
    Fit,
    Placed,
    PlacementError,
    SeenGpu,
    Slice,
    all_card_names,
    best_layout,
    card_schema,
    compare,
    fits,
    load_card,
    load_model,
    memory_bytes,
    parse_memory,
    room,
    room_if_moved,
    share,
    smallest_with_memory,
    too_much,
)

from .loading import load
from .nvml import read_gpus

# As grep and diff have it: 1 is an answer, 2 is trouble.
_EXIT_NO = 1
_EXIT_UNKNOWN = 3

_CARD_FILE = click.option(
    "--card",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A card of your own, beside those that come with the hub; may be repeated.",
)


class _Trouble(click.ClickException):
    """Something is wrong with the call, a file or the machine, so there is no answer."""

    exit_code = 2


@click.group()
def profiles() -> None:
    """GPU profiles and the cards that they come from."""


@profiles.command("list")
@click.option("--model", "models", multiple=True, help="Only this GPU model; may be repeated.")
@_CARD_FILE
@click.option("--sources", is_flag=True, help="Say where each figure is from.")
def list_profiles(models: tuple[str, ...], files: tuple[Path, ...], sources: bool) -> None:
    """List the slices that each GPU model can be cut into.

    With --card and without --model only the slices of that card.
    """
    own = _own_cards(files)
    for name in models or tuple(own) or all_card_names():
        _print_card(_card(name, own, "--model"), sources)


@profiles.command()
@click.argument("model")
@click.argument("slice_name", metavar="SLICE")
@_CARD_FILE
def explain(model: str, slice_name: str, files: tuple[Path, ...]) -> None:
    """Say all figures of SLICE of a GPU MODEL, and where each of them is from."""
    card = _card(model, _own_cards(files), "MODEL")
    piece = _slice(card, slice_name)
    figures = {
        "compute": f"{piece.compute} of {card.compute_slices} slices",
        "memory": f"{_or_unknown(piece.memory)} of {_or_unknown(card.memory_slices)} slices",
        "max": f"{piece.max_count} on one GPU",
        "starts": _starts(piece),
        "usable_gib": _or_unknown(piece.usable_gib),
        "resource": piece.resource,
        "products": ", ".join(card.products) or "unknown",
    }
    sources = {**card.sources, **piece.sources}
    click.echo(f"{piece.name} of an {card.display_name}, on the menu {piece.profile_name}")
    for figure, said in figures.items():
        click.echo(f"  {figure}: {said}")
        click.echo(f"    {'why' if said.startswith('unknown') else 'from'}: {sources.get(figure, 'not said')}")
    click.echo(f"  share: {_share(card, piece)}")
    click.echo("    from: the larger of its compute and its memory share")
    for note in card.notes:
        click.echo(f"  note: {note}")


@profiles.command()
@click.argument("model")
@click.argument("slices", metavar="[SLICE[@START]]...", nargs=-1)
@_CARD_FILE
@click.option(
    "--at-least", metavar="MEMORY", help="Also the smallest slice with so much memory, such as 18GB or 16GiB."
)
def fit(model: str, slices: tuple[str, ...], files: tuple[Path, ...], at_least: str | None) -> None:
    """Say whether slices fit on one GPU together, where, and what still fits beside them.

    A slice with @START is on the GPU already and stays there, the others go where they leave most room. Ends with 0
    when they fit, 1 when they do not, 2 when something is wrong, and 3 when it is not known.
    """
    card = _card(model, _own_cards(files), "MODEL")
    placed = [_placed(card, text) for text in slices if "@" in text]
    wanted = [_slice(card, text).name for text in slices if "@" not in text]
    if at_least is not None:
        wanted.append(_smallest(card, at_least).name)
    try:
        answer = fits(card, wanted, placed)
    except PlacementError as error:
        raise click.BadParameter(str(error), param_hint="SLICE@START") from error
    everything = [*wanted, *(item.slice for item in placed)]
    click.echo(f"{', '.join(everything) or 'nothing'} on one {card.display_name}: {_verdict(card, answer, everything)}")
    if answer is Fit.YES:
        _print_places(card, wanted, placed)
    sys.exit({Fit.YES: 0, Fit.NO: _EXIT_NO, Fit.UNKNOWN: _EXIT_UNKNOWN}[answer])


@profiles.command()
@click.argument("model", required=False)
@_CARD_FILE
def check(model: str | None, files: tuple[Path, ...]) -> None:
    """Compare the card of MODEL with what the driver says of the GPUs in this machine.

    Without MODEL each GPU is compared with the card that has its name. The driver is only asked, nothing is changed.
    Ends with 0 when they agree, 1 when something differs, 2 when something is wrong, 3 when the driver says nothing.
    """
    own = _own_cards(files)
    named = None if model is None else _card(model, own, "MODEL")
    ends = [_check_gpu(gpu, named or _card_of(gpu, own)) for gpu in dict.fromkeys(_gpus())]
    # That something differs is the stronger answer.
    sys.exit(_EXIT_NO if _EXIT_NO in ends else max(ends))


def _gpus() -> tuple[SeenGpu, ...]:
    """The machine's GPUs, at least one. Raises ClickException when the driver shows none."""
    try:
        nvml = load("pynvml", "gpu")
    except click.ClickException as error:
        raise _Trouble(error.message) from error
    try:
        found = read_gpus(nvml)
    except nvml.NVMLError as error:
        raise _Trouble(f"the NVIDIA driver does not answer: {error}; run this on a machine with a GPU") from error
    if not found:
        raise _Trouble("the NVIDIA driver shows no GPU; run this on a machine with one")
    return found


def _card_of(gpu: SeenGpu, own: dict[str, Card]) -> Card | None:
    cards = [*own.values(), *(load_model(name) for name in all_card_names() if name not in own)]
    return next((card for card in cards if gpu.label in card.products), None)


def _check_gpu(gpu: SeenGpu, card: Card | None) -> int:
    """Say how one GPU compares; the exit status that this means."""
    if card is None:
        click.echo(f"{gpu.product}: no card has nvidia.com/gpu.product {gpu.label}; name a MODEL, or write a card")
        return _EXIT_UNKNOWN
    if not gpu.slices:
        click.echo(f"{gpu.product}: the driver lists no slices; it can't be cut, or not from this container")
        return _EXIT_UNKNOWN
    findings = compare(card, gpu)
    differ = sum(finding.differs for finding in findings)
    click.echo(f"{gpu.product}, card {card.name}: {f'{differ} figures differ' if differ else 'nothing differs'}")
    if findings:
        rows = [(f.slice or "(card)", f.figure, f.card, f.gpu) for f in findings]
        _print_table([("SLICE", "FIGURE", "CARD", "GPU"), *rows])
    if any(piece.starts is None for piece in gpu.slices):
        click.echo("  starts and memory of some slices were not compared: the driver says them where MIG is on")
    return _EXIT_NO if differ else 0


@profiles.command()
def schema() -> None:
    """Print the JSON Schema of a card, for an editor that checks while one writes."""
    click.echo(json.dumps(card_schema(), indent=2))


def _own_cards(files: Sequence[Path]) -> dict[str, Card]:
    """The cards in these files by model. Raises ClickException with file, line and key of what is wrong."""
    cards: dict[str, Card] = {}
    for file in files:
        try:
            card = load_card(file.read_text(encoding="utf-8"), str(file))
        except (CardError, OSError) as error:
            raise _Trouble(str(error)) from error
        except UnicodeDecodeError as error:
            text = f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8"
            raise _Trouble(text) from error
        if card.name in cards:
            raise _Trouble(f"{file}: name: another --card is called {card.name!r} too; rename one")
        cards[card.name] = card
    return cards


def _card(model: str, own: dict[str, Card], hint: str) -> Card:
    if model in own:
        return own[model]
    if model not in all_card_names():
        known = ", ".join([*own, *all_card_names()])
        raise click.BadParameter(f"no card for GPU model {model!r}; there are {known}", param_hint=hint)
    return load_model(model)


def _slice(card: Card, name: str) -> Slice:
    try:
        return card.slice(name)
    except CardError as error:
        raise click.BadParameter(str(error), param_hint="SLICE") from error


def _placed(card: Card, text: str) -> Placed:
    name, _, start = text.partition("@")
    if not (start.isascii() and start.isdigit()):
        what = f"{text!r} has no memory slice after the @; write for example 1g.10gb@4"
        raise click.BadParameter(what, param_hint="SLICE@START")
    return Placed(_slice(card, name).name, int(start))


def _smallest(card: Card, text: str) -> Slice:
    """The smallest slice with that much memory, which it prints."""
    try:
        # People write GB and GiB, Kubernetes G and Gi.
        least = parse_memory(text.removesuffix("B"))
    except ValueError as error:
        what = f"{text!r} is not an amount of memory; write a whole number and a unit, such as 18GB or 16GiB"
        raise click.BadParameter(what, param_hint="--at-least") from error
    found = smallest_with_memory(card, least)
    if found is None:
        most = max(memory_bytes(card, piece)[0] for piece in card.slices)
        what = f"no slice of an {card.display_name} has {text}; the most is {most / 10**9:.2f} GB"
        raise click.BadParameter(what, param_hint="--at-least")
    amount = f"{found.memory_bytes / 10**9:.2f} GB"
    said = f"{amount} usable ({found.memory_bytes / 2**30:.2f} GiB)" if found.measured else f"{amount} by its name"
    unsure = "" if found.measured else ", what a program gets is unknown and less"
    click.echo(f"at least {text}: {found.slice.name}, {said}{unsure}, {_share(card, found.slice)}")
    return found.slice


def _verdict(card: Card, answer: Fit, names: Sequence[str]) -> str:
    if answer is Fit.YES:
        return "fits"
    if answer is Fit.UNKNOWN:
        return "unknown, the card does not know where its slices start"
    if (reason := too_much(card, names)) is not None:
        return f"does not fit, {reason}"
    could = "; it would fit if all could move" if fits(card, names) is Fit.YES else ""
    return f"does not fit, no free memory slices are where it may start{could}"


def _print_places(card: Card, wanted: Sequence[str], placed: Sequence[Placed]) -> None:
    layout = best_layout(card, wanted, placed)
    everything = [*wanted, *(item.slice for item in placed)]
    if layout is None:
        click.echo("  where: unknown")
        left = room_if_moved(card, everything)
    else:
        places = sorted([*placed, *layout], key=lambda item: item.start)
        for item in places:
            memory = card.slice(item.slice).memory or 0
            end = f" to {item.start + memory - 1}" if memory > 1 else ""
            click.echo(f"  {item.slice}: memory slice {item.start}{end}")
        left = room(card, places)
    moved = room_if_moved(card, everything)
    rows = [
        (piece.name, _or_unknown(left[piece.name]), _or_unknown(moved[piece.name]), _share(card, piece))
        for piece in card.slices
    ]
    click.echo("still fits, each kind alone:")
    _print_table([("SLICE", "MORE", "IF ALL COULD MOVE", "SHARE"), *rows])


def _print_card(card: Card, sources: bool) -> None:
    memory = _or_unknown(card.memory_slices)
    click.echo(f"{card.name}: {card.display_name}, {card.compute_slices} compute and {memory} memory slices")
    header = ("PROFILE", "COMPUTE", "MEMORY", "MAX", "STARTS", "USABLE GiB", "RESOURCE")
    _print_table([header, *(_row(card, piece) for piece in card.slices)])
    if sources:
        for figure, text in card.sources.items():
            click.echo(f"  {figure}: {text}")
        for note in card.notes:
            click.echo(f"  note: {note}")


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(card: Card, piece: Slice) -> tuple[str, ...]:
    known_memory = piece.memory is not None and card.memory_slices is not None
    return (
        piece.profile_name,
        f"{piece.compute}/{card.compute_slices}",
        f"{piece.memory}/{card.memory_slices}" if known_memory else "unknown",
        str(piece.max_count),
        _starts(piece),
        _or_unknown(piece.usable_gib),
        piece.resource,
    )


def _starts(piece: Slice) -> str:
    return "unknown" if piece.starts is None else ",".join(map(str, piece.starts))


def _share(card: Card, piece: Slice) -> str:
    part: Fraction | None = share(card, piece)
    return "unknown share" if part is None else f"{part} of a GPU"


def _or_unknown(value: object) -> str:
    return "unknown" if value is None else str(value)
