"""``tenants.yaml`` with its teams in files of their own, or all of them as one file. Comments stay where they were."""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from .team_files import split_files


def as_one_file(text: str) -> str:
    """One ``tenants.yaml`` of a text of :func:`.load.read_text`, which has to be a good one."""
    main, teams = split_files(text)
    if not teams:
        return main
    tree = _yaml().load(main)
    tree.setdefault("tenants", {})
    if tree["tenants"] is None:
        tree["tenants"] = {}
    for name, team in teams.items():
        tree["tenants"][name] = _yaml().load(team)
    return _text(tree)


def as_team_files(text: str) -> tuple[str, dict[str, str]]:
    """``tenants.yaml`` without teams, and the text of each team's file by its name. ``text`` has to be a good one."""
    main, teams = split_files(text)
    tree = _yaml().load(main)
    for name, section in (tree.pop("tenants", None) or {}).items():
        teams[str(name)] = _text(section)
    return _text(tree), teams


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.width = 1000
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _text(tree: Any) -> str:
    stream = StringIO()
    _yaml().dump(tree, stream)
    return stream.getvalue()
