"""From the identity provider's groups to tenants and roles: rules, and what they give. No I/O.

Every rule that fits applies, the highest role wins, so neither the order of rules nor that of groups matters. A name
is compared as it arrives, character for character. Patterns are RE2's: matched against the whole name, in time
linear in its length, so that no group name and no pattern can hold up a sign-in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import re2

from .tenants import Role, Tenant

# The names that a pattern may capture.
TENANT, ROLE = "tenant", "role"

# What is remembered of names that were matched before. The same groups come at every refresh of every person.
_REMEMBERED = 65_536
# With more patterns than this, asking one set of them first is quicker than trying each.
_FEW = 2
_MEMORY = 64 * 2**20
_LONGEST_BEGINNING = 40
# Names that nobody's group has, of many lengths and alphabets. What fits one of these fits anything.
_NONSENSE = tuple(
    "".join(alphabet[(3 * i + length) % len(alphabet)] for i in range(length))
    for alphabet in ("qzxjv", "QZXJV", "7391", "qZ7-x", "q/z/x", "q z_x", "z.q@x:v", "\u0416\u042f\u0429")
    for length in range(1, 41)
)


@dataclass(frozen=True, slots=True)
class ExactRule:
    """Members of exactly this group (or of the group with exactly this id) have this role in the tenant."""

    group: str
    tenant: str
    role: Role
    place: str = ""  # where the rule is written, for people


@dataclass(frozen=True, slots=True)
class PatternRule:
    """Members of each group whose whole name fits have a role in the tenant that is given or captured.

    ``roles`` says what a captured role word means; a word that is not in it gives nothing. ``role`` is the role
    where no word is captured.
    """

    pattern: str
    tenant: str | None = None
    role: Role | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    place: str = ""


Rule = ExactRule | PatternRule
_Grant = tuple[str, Role]


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that fits one group. ``role`` None says that it gives nothing, and ``why`` says why not."""

    group: str
    place: str
    tenant: str | None
    role: Role | None
    why: str = ""


class _Pattern:
    """A pattern rule, compiled. It reads UTF-8, which RE2 does without counting characters."""

    __slots__ = ("beginning", "fullmatch", "role_at", "rule", "tenant_at")

    def __init__(self, rule: PatternRule) -> None:
        compiled = compile_pattern(rule.pattern)
        places = compiled.groupindex
        self.rule = rule
        self.beginning = literal_beginning(compiled)
        self.fullmatch = re2.compile(rule.pattern.encode(), options=_options()).fullmatch
        self.tenant_at: int | None = places.get(TENANT)
        self.role_at: int | None = places.get(ROLE)

    def role(self, word: str | None) -> Role | None:
        """The role that a captured word means; without one, the rule's own."""
        return self.rule.role if word is None else self.rule.roles.get(word)


class _Alike:
    """Patterns whose names all begin with the same text. Many of them are tried at once."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._patterns = patterns
        self._set = _pattern_set([pattern.rule.pattern for pattern in patterns]) if len(patterns) > _FEW else None

    def perhaps(self, text: bytes) -> Sequence[_Pattern]:
        """Those that may fit; no other one does."""
        if self._set is None:
            return self._patterns
        return [self._patterns[index] for index in self._set.Match(text) or ()]


class TenantMapping:
    """Rules, compiled for the tenants that there are. No rule can lead to any other tenant."""

    def __init__(
        self, rules: Iterable[Rule], tenants: Collection[str], approvers: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """``approvers`` are the groups of the provider in each group of approvers.

        Raises ValueError for a pattern that ``pattern_problem`` would have named.
        """
        self._approvers = {name: frozenset(groups) for name, groups in (approvers or {}).items()}
        self._approving = frozenset(group for groups in self._approvers.values() for group in groups)
        self._tenants = {tenant.encode(): tenant for tenant in tenants}
        self._exact: dict[str, list[ExactRule]] = {}
        patterns: list[_Pattern] = []
        for rule in rules:
            if isinstance(rule, PatternRule):
                patterns.append(_Pattern(rule))
            else:
                self._exact.setdefault(rule.group, []).append(rule)
        self._known = frozenset(tenants)
        self._own = {name: self._given(found) for name, found in self._exact.items()}
        self._index = _index(patterns)
        self._order = {id(pattern): place for place, pattern in enumerate(patterns)}
        self._remembered: dict[str, tuple[_Grant, ...]] = {}

    @classmethod
    def of(
        cls,
        tenants: Mapping[str, Tenant],
        rules: Sequence[Rule] = (),
        approvers: Mapping[str, Collection[str]] | None = None,
    ) -> TenantMapping:
        """The mapping of the tenants' own groups and of further ``rules``, and who approves."""
        return cls([*own_rules(tenants), *rules], tenants, approvers)

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that rules may lead to."""
        return self._known

    def claimed(self, groups: Iterable[str]) -> list[str]:
        """Those of the groups that a rule leads from or that approve, each once."""
        names = dict.fromkeys(groups)
        remembered = self._lookup(names)
        return [name for name in names if remembered[name] or name in self._approving]

    def approver_groups(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The groups of approvers that somebody in these groups of the provider is in, in order."""
        held = frozenset(groups)
        return tuple(sorted(name for name, members in self._approvers.items() if members & held))

    def roles(self, groups: Iterable[str]) -> dict[str, Role]:
        """Tenant -> role for somebody in these groups."""
        names = frozenset(groups)
        remembered = self._lookup(names)
        found: dict[str, Role] = {}
        for name in names:
            for tenant, role in remembered[name]:
                if role > found.get(tenant, 0):
                    found[tenant] = role
        return found

    def _lookup(self, names: Collection[str]) -> Mapping[str, tuple[_Grant, ...]]:
        """What each of these names gives, worked out once for each name."""
        remembered = self._remembered
        new = [name for name in names if name not in remembered]
        if new:
            if len(remembered) + len(new) > _REMEMBERED:
                remembered.clear()
                new = list(names)
            remembered.update(self._learnt(new))
        return remembered

    def matches(self, groups: Iterable[str]) -> list[Match]:
        """Each rule that fits, for each of the groups, in their order."""
        return [match for group in dict.fromkeys(groups) for match in self._explain(group)]

    def _given(self, rules: Iterable[ExactRule]) -> tuple[_Grant, ...]:
        return tuple((rule.tenant, rule.role) for rule in rules if rule.tenant in self._known)

    def _learnt(self, names: Sequence[str]) -> dict[str, tuple[_Grant, ...]]:
        """What each name gives. Names are thousands, the few steps for each are all that this costs."""
        given = self._own.get
        learnt = {name: given(name, ()) for name in names}
        for length, beginnings in self._index:
            for name in names:
                alike = beginnings.get(name[:length])
                if alike is not None:
                    text = _utf8(name)
                    for pattern in alike.perhaps(text):
                        learnt[name] += self._by_pattern(pattern, text)
        return learnt

    def _by_pattern(self, pattern: _Pattern, text: bytes) -> tuple[_Grant, ...]:
        fit = pattern.fullmatch(text)
        if fit is None:
            return ()
        if pattern.tenant_at is None:
            tenant = pattern.rule.tenant if pattern.rule.tenant in self._known else None
        else:
            start, end = fit.span(pattern.tenant_at)
            tenant = self._tenants.get(text[start:end])
        if tenant is None:
            return ()
        role = pattern.role(_captured(fit, pattern.role_at))
        return () if role is None else ((tenant, role),)

    def _explain(self, group: str) -> Iterator[Match]:
        for rule in self._exact.get(group, ()):
            known = rule.tenant in self._known
            yield Match(group, rule.place, rule.tenant, rule.role) if known else _no_such(rule, rule.tenant, group)
        text = _utf8(group)
        alike = [found[group[:length]] for length, found in self._index if group[:length] in found]
        perhaps = [pattern for one in alike for pattern in one.perhaps(text)]
        for pattern in sorted(perhaps, key=lambda pattern: self._order[id(pattern)]):
            if (fit := pattern.fullmatch(text)) is not None:
                yield self._explained(pattern, fit, group)

    def _explained(self, pattern: _Pattern, fit: Any, group: str) -> Match:
        tenant = pattern.rule.tenant or _captured(fit, pattern.tenant_at)
        if tenant not in self._known:
            return _no_such(pattern.rule, tenant, group)
        word = _captured(fit, pattern.role_at)
        role = pattern.role(word)
        why = "" if role is not None else "it says no role" if word is None else f"it says nothing of the role {word!r}"
        return Match(group, pattern.rule.place, tenant, role, why)


def _index(patterns: Sequence[_Pattern]) -> list[tuple[int, dict[str, _Alike]]]:
    """Length of a beginning -> beginning -> the patterns that begin so."""
    by_beginning: dict[str, list[_Pattern]] = {}
    for pattern in patterns:
        by_beginning.setdefault(pattern.beginning, []).append(pattern)
    index: dict[int, dict[str, _Alike]] = {}
    for beginning, found in by_beginning.items():
        index.setdefault(len(beginning), {})[beginning] = _Alike(found)
    return sorted(index.items())


def own_rules(tenants: Mapping[str, Tenant]) -> Iterator[ExactRule]:
    """The rules that stand with the tenants themselves."""
    for tenant in tenants.values():
        for index, rule in enumerate(tenant.rules, start=1):
            yield ExactRule(rule.group, tenant.name, rule.role, f"rule {index} of tenant {tenant.name}")


def compile_pattern(pattern: str) -> Any:
    """The compiled pattern. Raises ValueError with RE2's own words when it is none."""
    try:
        return re2.compile(pattern, options=_options())
    except re2.error as error:
        words = error.args[0]
        raise ValueError(words.decode(errors="replace") if isinstance(words, bytes) else str(words)) from error


def pattern_problem(rule: PatternRule) -> tuple[str, str] | None:
    """What is wrong with a pattern rule, and what to write instead; None when it can be used."""
    try:
        compiled = compile_pattern(rule.pattern)
    except ValueError as error:
        return f"the pattern can't be used: {error}", "write an RE2 pattern, for example /teams/(?P<tenant>[a-z0-9-]+)"
    captures = set(compiled.groupindex)
    if captures - {TENANT, ROLE}:
        odd = ", ".join(sorted(captures - {TENANT, ROLE}))
        return f"the pattern captures {odd}", "capture nothing but (?P<tenant>...) and (?P<role>...)"
    if (TENANT in captures) == (rule.tenant is not None):
        said = "both captures the tenant and names one" if rule.tenant else "says no tenant"
        return f"the rule {said}", "capture it with (?P<tenant>...) or write `tenant:`, not both"
    if (ROLE in captures) != bool(rule.roles):
        said = "captures a role, and nothing says what its words mean" if ROLE in captures else "captures no role"
        return f"the pattern {said}", "write (?P<role>admins|viewers) and `roles: {admins: admin, viewers: viewer}`"
    if rule.role is None and not rule.roles:
        return "the rule says no role", "add for example `role: member`"
    if fits := next((name for name in _NONSENSE if compiled.fullmatch(name)), None):
        return f"the pattern fits any name, even {fits!r}", "add what the names have in common, for example /teams/"
    if compiled.fullmatch(""):
        return "the pattern fits an empty name", "add what the names have in common, for example /teams/"
    return None


def normalised(group: str) -> str:
    """What a person might take for the same name: without case, outer slashes and spaces, and compatibility forms."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", group).casefold()).strip(" /\t")


def literal_beginning(compiled: Any) -> str:
    """Text with which every name begins that fits; "" when RE2 sees none."""
    low, high = compiled.possiblematchrange(_LONGEST_BEGINNING)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return bytes(byte for byte, _ in same).decode(errors="ignore")


def _no_such(rule: Rule, tenant: str | None, group: str) -> Match:
    return Match(group, rule.place, None, None, f"there is no tenant {tenant!r}")


def _utf8(group: str) -> bytes:
    """As RE2 reads it. Half a surrogate pair, which JSON can hold, is no UTF-8 and fits no pattern."""
    return group.encode("utf-8", "surrogatepass")


def _captured(fit: Any, place: int | None) -> str | None:
    found = None if place is None else fit[place]
    return None if found is None else found.decode("utf-8", "replace")


def _pattern_set(patterns: Sequence[str]) -> Any:
    found = re2.Set.FullMatchSet(_options())
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return found


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options
