"""``aifactory-hub images``: every image that a site pulls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .loading import load
from .registry import EXIT_BAD_FILE, open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aifactory_hub.domain.site_images import NeededImage


@click.command()
@click.option("--for", "file", required=True, type=click.Path(), help="tenants.yaml.")
@click.argument("manifests", nargs=-1, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="As JSON, with what needs each image.")
@click.option("--by-digest", is_flag=True, help="End with 1 when an image is not named by its digest.")
def images(file: str, manifests: tuple[str, ...], as_json: bool, by_digest: bool) -> None:
    """Print every image that a site needs, one a line: those of tenants.yaml and of MANIFESTS.

    MANIFESTS are what `helm template` prints for each chart with the site's values; `-` reads standard input.
    """
    registry = open_registry(file)
    domain, named = load("aifactory_hub.domain.site_images", "hub"), load("aifactory_hub.registry.site_images", "hub")
    rendered = [pair for path in manifests for each in _objects(path) for pair in domain.images_of(each)]
    found: list[NeededImage] = domain.together([*named.named_images(registry), *rendered])
    if as_json:
        told = [{"image": each.image, "by_digest": each.fixed, "needed_by": each.needed_by} for each in found]
        click.echo(json.dumps(told, indent=2))
    else:
        for each in found:
            click.echo(each.image)
    for pattern in named.patterns(registry):
        click.echo(f"isolation.images has {pattern}, which stands for several: add the ones that you use", err=True)
    loose = [each for each in found if not each.fixed]
    if loose and by_digest:
        for each in loose:
            click.echo(f"{each.image} is no digest: {', '.join(each.needed_by)}", err=True)
        sys.exit(1)


def _objects(path: str) -> Iterator[dict[str, Any]]:
    """Ends the process with 2 for what is no list of objects."""
    ruamel, errors = load("ruamel.yaml", "hub"), load("ruamel.yaml.error", "hub")
    yaml = ruamel.YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # charts write some twice, and helm takes it
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        loaded = [each for each in yaml.load_all(text) if each is not None]
    except OSError as error:
        click.echo(f"{path} can't be read: {error.strerror}", err=True)
        sys.exit(EXIT_BAD_FILE)
    except (errors.YAMLError, UnicodeDecodeError):
        click.echo(f"{path} is not YAML: give what `helm template` prints", err=True)
        sys.exit(EXIT_BAD_FILE)
    for each in loaded:
        if not isinstance(each, dict) or "kind" not in each:
            click.echo(f"{path} holds something that is no object: give what `helm template` prints", err=True)
            sys.exit(EXIT_BAD_FILE)
        yield from each["items"] if each["kind"] == "List" else [each]
