"""The rules from groups to tenants as they stand in ``tenants.yaml``: read, and checked against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..domain.mapping import ExactRule, PatternRule, Rule, normalised, pattern_problem
from ..domain.tenants import Role
from . import schema
from .problems import Path, Problem, listed, suggest

_PLACE: Path = ("identity", "tenant_mapping")
_ROLES = {role.label: role for role in Role}


@dataclass(frozen=True, slots=True)
class _Written:
    """One rule as written, as far as it can be read: what is unreadable is None, the schema has complained of it."""

    path: Path
    group: str | None
    id: str | None
    pattern: str | None
    tenant: str | None
    role: Role | None
    roles: Mapping[str, Role]
    own: bool  # stands with its tenant

    @property
    def name(self) -> str | None:
        """What is compared with the groups that arrive."""
        return self.group if self.group is not None else self.id

    @property
    def name_path(self) -> Path:
        return (*self.path, "group" if self.group is not None else "id")


def rules_of(sections: Iterable[schema.RuleSection]) -> tuple[Rule, ...]:
    """The rules of ``tenant_mapping``, once they are known to be good."""
    return tuple(_rule(index, section) for index, section in enumerate(sections))


def _rule(index: int, said: schema.RuleSection) -> Rule:
    place = f"tenant_mapping[{index}]"
    role = _ROLES.get(said.role or "")
    if said.pattern is not None:
        roles = {word: _ROLES[label] for word, label in said.roles.items()}
        return PatternRule(said.pattern, said.tenant, role, roles, place)
    assert said.tenant is not None  # or the file would have been refused
    assert role is not None
    return ExactRule(said.group or said.id or "", said.tenant, role, place)


def mapping_problems(data: Mapping[Any, Any], where_is: Callable[[Path], str]) -> list[Problem]:
    """Rules that contradict themselves, each other or the tenants."""
    tenants = _mapping(data.get("tenants"))
    own = [
        _read(rule, ("tenants", name, "groups", index), str(name))
        for name, tenant in tenants.items()
        for index, rule in enumerate(_list(_mapping(tenant).get("groups")))
    ]
    shared = [
        _read(rule, (*_PLACE, index), None)
        for index, rule in enumerate(_list(_mapping(data.get("identity")).get("tenant_mapping")))
    ]
    return [
        *(problem for rule in [*own, *shared] for problem in _shape(rule)),
        *_unknown_tenants(shared, [str(name) for name in tenants]),
        *_claimed_twice([*own, *shared], where_is),
        *_look_alikes([*own, *shared], where_is),
        *_same_patterns(shared, where_is),
        *_unreachable(tenants, shared),
    ]


def _read(said: Any, path: Path, tenant: str | None) -> _Written:
    rule = _mapping(said)
    words = _mapping(rule.get("roles"))
    return _Written(
        path=path,
        group=_text(rule.get("group")),
        id=_text(rule.get("id")),
        pattern=_text(rule.get("pattern")) if tenant is None else None,
        tenant=tenant or _text(rule.get("tenant")),
        role=_ROLES.get(str(rule.get("role"))),
        roles={str(word): _ROLES[str(label)] for word, label in words.items() if str(label) in _ROLES},
        own=tenant is not None,
    )


def _shape(rule: _Written) -> Iterator[Problem]:
    given = [name for name in ("group", "id", "pattern") if getattr(rule, name) is not None]
    choices = "`group` or `id`" if rule.own else "`group`, `id` or `pattern`"
    if not given:
        example = "group: teams/nlp" if rule.own else "pattern: '/teams/(?P<tenant>[a-z0-9-]+)'"
        yield Problem(rule.path, "the rule says no group", f"write one of {choices}, for example `{example}`")
    elif len(given) > 1:
        yield Problem(rule.path, f"the rule has {' and '.join(given)}", f"write one of {choices}")
    elif rule.pattern is not None:
        problem = pattern_problem(PatternRule(rule.pattern, rule.tenant, rule.role, rule.roles))
        if problem is not None:
            yield Problem((*rule.path, "pattern"), *problem)
    else:
        yield from _exact_shape(rule)


def _exact_shape(rule: _Written) -> Iterator[Problem]:
    name = rule.name or ""
    if name != name.strip() or not name.isprintable():
        yield Problem(rule.name_path, f"{name!r} has spaces at an end, or a character that can't be seen", "remove it")
    if rule.own:
        return
    if rule.tenant is None:
        yield Problem(rule.path, "the rule says no tenant", "add for example `tenant: nlp`")
    if rule.role is None:
        yield Problem(rule.path, "the rule says no role", "add for example `role: member`")
    if rule.roles:
        yield Problem((*rule.path, "roles"), "only a pattern captures role words", "write `role:`")


def _unknown_tenants(rules: Iterable[_Written], known: list[str]) -> Iterator[Problem]:
    for rule in rules:
        if rule.tenant is not None and rule.tenant not in known:
            what = f"there is no tenant {rule.tenant!r}"
            yield Problem((*rule.path, "tenant"), what, suggest(rule.tenant, known, f"the tenants are {listed(known)}"))


def _claimed_twice(rules: Iterable[_Written], where_is: Callable[[Path], str]) -> Iterator[Problem]:
    first: dict[str, _Written] = {}
    for rule in rules:
        if rule.name is None:
            continue
        if rule.name in first:
            other = first[rule.name]
            owner = "this tenant" if other.tenant == rule.tenant else f"tenant {other.tenant}"
            what = f"group {rule.name!r} is claimed by {owner} in {where_is(other.name_path)} already"
            yield Problem(rule.name_path, what, "let one rule of one tenant claim it")
        first.setdefault(rule.name, rule)


def _look_alikes(rules: Iterable[_Written], where_is: Callable[[Path], str]) -> Iterator[Problem]:
    """Two names that a person takes for one, and that lead to different places: one of them is a mistake or a trap."""
    first: dict[str, _Written] = {}
    for rule in rules:
        if rule.name is None:
            continue
        alike = first.setdefault(normalised(rule.name), rule)
        if alike.name != rule.name and (alike.tenant, alike.role) != (rule.tenant, rule.role):
            what = f"group {rule.name!r} looks like {alike.name!r} in {where_is(alike.name_path)}"
            yield Problem(rule.name_path, what, "give the two the same tenant and role, or rename one")


def _same_patterns(rules: Iterable[_Written], where_is: Callable[[Path], str]) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for rule in rules:
        if rule.pattern is None:
            continue
        place: Path = (*rule.path, "pattern")
        if rule.pattern in first:
            yield Problem(place, f"the pattern stands in {where_is(first[rule.pattern])} already", "remove one")
        first.setdefault(rule.pattern, place)


def _unreachable(tenants: Mapping[Any, Any], shared: Iterable[_Written]) -> Iterator[Problem]:
    """A tenant that nobody can ever be in."""
    rules = list(shared)
    if any(rule.pattern is not None and rule.tenant is None for rule in rules):
        return
    reached = {rule.tenant for rule in rules}
    for name, tenant in tenants.items():
        if isinstance(tenant, dict) and tenant.get("groups", []) == [] and name not in reached:
            instead = "write for example [{group: teams/nlp, role: member}]"
            yield Problem(("tenants", str(name), "groups"), "is empty", instead)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
