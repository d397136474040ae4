"""``aifactory-hub tenants request``: the file of a new team, and what of it fits."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..client.command_parts import counts_of
from .loading import load
from .registry import open_registry

if TYPE_CHECKING:
    from aifactory_hub.registry import Registry
    from aifactory_profiles import Device

# As grep has it: 1 is an answer.
EXIT_DOES_NOT_FIT = 1


@click.command()
@click.argument("file", type=click.Path())
@click.argument("team")
@click.option("--group", "groups", multiple=True, required=True, help="A group whose people are members.")
@click.option("--admin-group", "admins", multiple=True, help="A group whose people are the team's administrators.")
@click.option("--profile", "profiles", multiple=True, required=True, help="A size on the team's menu.")
@click.option("--quota", multiple=True, metavar="SIZE=N", help="How many devices of a size the team owns.")
@click.option("--borrowing", multiple=True, metavar="SIZE=N", help="How many idle ones of others it may borrow.")
@click.option("--display-name", default="", help="The name for people.")
@click.option("--namespace", default="", help="Of its vCluster; vc-TEAM when left out.")
@click.option("--sleep-after", default="", help="When its vCluster sleeps, such as 2h.")
@click.option("--write", is_flag=True, help="Write tenants.d/TEAM.yaml beside FILE; left out, it is printed.")
def request(
    file: str,
    team: str,
    groups: Sequence[str],
    admins: Sequence[str],
    profiles: Sequence[str],
    quota: Sequence[str],
    borrowing: Sequence[str],
    display_name: str,
    namespace: str,
    sleep_after: str,
    write: bool,
) -> None:
    """Say what is promised to nobody and what of the request for TEAM fits, and make its file: for a pull request.

    Ends with 1, and makes nothing, when it does not fit or FILE could not be used with it.
    """
    registry = open_registry(file)
    section: dict[str, Any] = {} if not display_name else {"display_name": display_name}
    section["vcluster"] = {"namespace": namespace or f"vc-{team}", "name": team}
    section["groups"] = [
        *({"group": name, "role": "member"} for name in groups),
        *({"group": name, "role": "admin"} for name in admins),
    ]
    section["profiles"] = list(profiles)
    owned = counts_of(quota, "--quota")
    section |= {"quota": owned} if owned else {}
    section |= {"borrowing": counts_of(borrowing, "--borrowing")} if borrowing else {}
    section |= {"sleep_after": sleep_after} if sleep_after else {}
    _say_what_fits(registry, owned)
    text = load("aifactory_hub.registry.output", "hub").yaml_documents([section])
    _check(file, team, text)
    if not write:
        click.echo(text, nl=False)
        return
    target = Path(file).parent / "tenants.d" / f"{team}.yaml"
    target.parent.mkdir(exist_ok=True)
    with target.open("x", encoding="utf-8") as opened:
        opened.write(text)
    click.echo(f"wrote {target}", err=True)


def _say_what_fits(registry: Registry, owned: Mapping[str, int]) -> None:
    requests = load("aifactory_hub.domain.team_requests", "hub")
    devices = _devices(registry)
    if unknown := [name for name in owned if name not in devices]:
        known = ", ".join(devices)
        raise click.BadParameter(f"no size {unknown[0]!r} has a device; those that do: {known}", param_hint="--quota")
    asked = {name: (devices[name], count) for name, count in owned.items()}
    rooms = requests.rooms(asked, registry.cluster.carved, registry.tenants.values())
    for room in rooms:
        click.echo(room.sentence(), err=True)
    if any(room.fits < room.asked for room in rooms):
        sys.exit(EXIT_DOES_NOT_FIT)


def _devices(registry: Registry) -> dict[str, Device]:
    """The device of each size that takes one kind."""
    takes = {name: tuple(profile.takes) for name, profile in registry.catalogue.profiles.items()}
    return {name: devices[0] for name, devices in takes.items() if len(devices) == 1}


def _check(file: str, team: str, text: str) -> None:
    """By the very reader that will read it, so that what is made is never refused later."""
    files, loader = load("aifactory_hub.registry.team_files", "hub"), load("aifactory_hub.registry.load", "hub")
    main, teams = files.split_files(loader.read_text(file))
    if team in teams:
        raise click.ClickException(f"there is a file of team {team} already: change that")
    try:
        loader.read_registry(files.join_files(main, {**teams, team: text}), file)
    except load("aifactory_hub.registry", "hub").RegistryError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_DOES_NOT_FIT)
