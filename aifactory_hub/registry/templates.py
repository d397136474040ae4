"""Teams that follow from a template of ``self_service``, and what a team that was granted may say of itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..domain.globs import any_fits
from .problems import Path, Problem, listed, suggest

# What a template says in a team's place.
_TAKEN = ("profiles", "sleep_after", "notebooks", "per_user", "limits")
# All that a granted team says; everything else is the site's.
GRANTED_KEYS = ("display_name", "template", "groups", "quota", "borrowing", "expires")


def with_templates(data: Any) -> Any:
    """The document with each team's template filled in where the team says nothing. What is no mapping is left."""
    teams = data.get("tenants") if isinstance(data, dict) else None
    if not isinstance(teams, dict):
        return data
    templates = templates_in(data)
    return {**data, "tenants": {name: _filled(name, team, templates) for name, team in teams.items()}}


def templates_in(data: Any) -> Mapping[Any, Any]:
    """The templates as written; none where they can't be read."""
    section = data.get("self_service") if isinstance(data, dict) else None
    templates = section.get("templates") if isinstance(section, dict) else None
    return templates if isinstance(templates, dict) else {}


def _filled(name: Any, team: Any, templates: Mapping[Any, Any]) -> Any:
    template = templates.get(team.get("template")) if isinstance(team, dict) else None
    if not isinstance(template, dict):
        return team
    place = {"vcluster": {"namespace": f"vc-{name}", "name": f"{name}"}}
    said = {key: template[key] for key in _TAKEN if key in template}
    if isinstance(said.get("profiles"), list):
        left = _without_devices(team, template)
        said["profiles"] = [each for each in said["profiles"] if each not in left]
    return {**place, **said, **team}


def _without_devices(team: Mapping[Any, Any], template: Mapping[Any, Any]) -> set[Any]:
    """Sizes that a team of the template may have, and of which this one has none: they are not on its menu."""
    has = {name for key in ("quota", "borrowing") for name, count in _items(team.get(key)) if count}
    return {name for key in ("most", "most_borrowed") for name, _ in _items(template.get(key))} - has


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def template_problems(data: Mapping[Any, Any], granted: Collection[str]) -> Iterator[Problem]:
    """Templates that are not there, approvers that nobody is, and granted teams that are more than their template."""
    templates, teams = templates_in(data), data.get("tenants")
    yield from _approver_problems(data, templates)
    for name, team in teams.items() if isinstance(teams, dict) else ():
        if not isinstance(team, dict):
            continue
        wanted = team.get("template")
        if isinstance(wanted, str) and wanted not in templates:
            known = [str(each) for each in templates]
            choices = f"the templates are {listed(known)}" if known else "self_service has no templates"
            what = f"there is no template {wanted!r}"
            yield Problem(("tenants", name, "template"), what, suggest(wanted, known, choices))
        elif name in granted:
            yield from _granted_problems(("tenants", name), team, templates.get(wanted))


def template_name_problems(
    data: Mapping[Any, Any], devices: Collection[str], profiles: Collection[str]
) -> Iterator[Problem]:
    """Devices and profiles of templates that are not there; ``devices`` and ``profiles`` are all that are."""
    for name, template in templates_in(data).items():
        if not isinstance(template, dict):
            continue
        place: Path = ("self_service", "templates", str(name))
        for index, profile in enumerate(_list(template.get("profiles"))):
            if isinstance(profile, str) and profile not in profiles:
                instead = suggest(profile, profiles, f"the profiles are {listed(profiles)}")
                yield Problem((*place, "profiles", index), f"there is no profile {profile!r}", instead)
        counts: list[tuple[Path, Any]] = [((*place, key), template.get(key)) for key in ("most", "most_borrowed")]
        for index, step in enumerate(_list(template.get("approval"))):
            counts.append(((*place, "approval", index, "above"), step.get("above") if isinstance(step, dict) else None))
        for where, said in counts:
            for device in said if isinstance(said, dict) else ():
                if str(device) not in devices:
                    instead = suggest(str(device), devices, f"the devices are {listed(devices)}")
                    yield Problem((*where, str(device)), f"there is no device {str(device)!r}", instead)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _approver_problems(data: Mapping[Any, Any], templates: Mapping[Any, Any]) -> Iterator[Problem]:
    approvals = data.get("approvals")
    groups = approvals.get("approvers") if isinstance(approvals, dict) else None
    known = [str(each) for each in groups] if isinstance(groups, dict) else []
    for name, template in templates.items():
        steps = template.get("approval") if isinstance(template, dict) else None
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            needed = step.get("approvers") if isinstance(step, dict) else None
            for group in needed if isinstance(needed, dict) else ():
                if group not in known:
                    place: Path = ("self_service", "templates", name, "approval", index, "approvers", str(group))
                    choices = f"the groups are {listed(known)}" if known else "write it into approvals.approvers"
                    yield Problem(place, f"there is no group of approvers {group!r}", suggest(group, known, choices))


def _granted_problems(place: Path, team: Mapping[Any, Any], template: Any) -> Iterator[Problem]:
    """A granted team comes from the job service, which faces people: it may say no more than its template allows."""
    if not isinstance(template, dict):
        yield Problem(place, "a granted team has no template", "ask for the team anew")
        return
    own = {key: value for key, value in team.items() if key in GRANTED_KEYS}
    filled = _filled(place[1], own, dict.fromkeys([team.get("template")], template))
    for key, value in team.items():
        if key not in GRANTED_KEYS and (key not in filled or filled[key] != value):
            yield Problem((*place, key), "a granted team may not say this", "write it into the template")
    for key, most in (("quota", "most"), ("borrowing", "most_borrowed")):
        yield from _too_many((*place, key), team.get(key), template.get(most), most)
    patterns = [each for each in template.get("groups") or () if isinstance(each, str)]
    rules = team.get("groups")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        group = rule.get("group") if isinstance(rule, dict) else None
        if not isinstance(group, str) or not any_fits(group, patterns):
            what = f"the template does not allow the group {group!r}"
            yield Problem((*place, "groups", index), what, f"it allows {listed(patterns)}")


def _too_many(place: Path, asked: Any, allowed: Any, key: str) -> Iterator[Problem]:
    most = allowed if isinstance(allowed, dict) else {}
    for name, count in asked.items() if isinstance(asked, dict) else ():
        limit = most.get(name, 0)
        if not isinstance(count, int) or not isinstance(limit, int) or count > limit:
            yield Problem((*place, name), f"{count} is more than the template's {limit}", f"raise its {key}")
