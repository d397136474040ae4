"""The site's rules for tests of the service: a folder with one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aifactory_hub.policy import RulesProvider
from aifactory_hub.service.gates import SiteRules

from ..policy.rules import file_of


def write_rules(folder: Path, *rules: Mapping[str, Any]) -> None:
    """The folder's one file anew."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text(file_of(*rules))


def site_rules(folder: Path, *rules: Mapping[str, Any], clock: Callable[[], float]) -> SiteRules:
    """The rules in the folder, after they were written."""
    write_rules(folder, *rules)
    return SiteRules(RulesProvider.open(lambda: folder), clock)


def change_rules(gates: SiteRules, folder: Path, *rules: Mapping[str, Any]) -> None:
    """Other rules from now on."""
    write_rules(folder, *rules)
    gates.rules.look()
    gates.rules.look()
    assert not gates.rules.status.trouble
