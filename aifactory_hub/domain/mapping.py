"""From the identity provider's groups to tenants and roles: rules, and what they give. No I/O.

Every rule that fits applies, the highest role wins, so neither the order of rules nor that of groups matters. A name
is compared as it arrives, character for character. Patterns are RE2's: matched against the whole name, in time
linear in its length, so that no group name and no pattern can hold up a sign-in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from typing import Any

import re2

from .tenants import Role, Tenant

# The names that a pattern may capture.
TENANT, ROLE = "tenant", "role"

# What is remembered of names that were matched before. The same groups come at every refresh of every person.
_REMEMBERED = 65_536
# With more beginnings than this, one set of all patterns is quicker than trying each beginning.
_FEW = 32
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


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that fits one group. ``role`` None says that it gives nothing, and ``why`` says why not."""

    group: str
    place: str
    tenant: str | None
    role: Role | None
    why: str = ""


class TenantMapping:
    """Rules, compiled for the tenants that there are. No rule can lead to any other tenant."""

    def __init__(self, rules: Iterable[Rule], tenants: Collection[str]) -> None:
        """Raises ValueError for a pattern that ``pattern_problem`` would have named."""
        self._tenants = frozenset(tenants)
        self._exact: dict[str, list[Match]] = {}
        self._patterns: list[tuple[PatternRule, Any]] = []
        for rule in rules:
            if isinstance(rule, PatternRule):
                self._patterns.append((rule, compile_pattern(rule.pattern)))
            else:
                known = rule.tenant in self._tenants
                match = Match(rule.group, rule.place, rule.tenant, rule.role) if known else _no_such(rule, rule.tenant)
                self._exact.setdefault(rule.group, []).append(match)
        beginnings = {literal_beginning(compiled) for _, compiled in self._patterns}
        self._beginnings = tuple(beginnings) if len(beginnings) <= _FEW else ("",)
        self._set = _pattern_set([rule.pattern for rule, _ in self._patterns])
        self._matches_of = lru_cache(maxsize=_REMEMBERED)(self._find)

    @classmethod
    def of(cls, tenants: Mapping[str, Tenant], rules: Sequence[Rule] = ()) -> TenantMapping:
        """The mapping of the tenants' own groups and of further ``rules``."""
        return cls([*own_rules(tenants), *rules], tenants)

    def roles(self, groups: Iterable[str]) -> dict[str, Role]:
        """Tenant -> role for somebody in these groups."""
        found: dict[str, Role] = {}
        for group in frozenset(groups):
            for match in self._matches_of(group):
                if match.tenant is not None and match.role is not None:
                    found[match.tenant] = max(match.role, found.get(match.tenant, match.role))
        return found

    def matches(self, groups: Iterable[str]) -> list[Match]:
        """Each rule that fits, for each of the groups, in their order."""
        return [match for group in dict.fromkeys(groups) for match in self._matches_of(group)]

    def _find(self, group: str) -> tuple[Match, ...]:
        exact = self._exact.get(group, ())
        if not self._patterns or not group.startswith(self._beginnings):
            return tuple(exact)
        fitting = sorted(self._set.Match(group) or ())
        return (*exact, *(self._by_pattern(self._patterns[index], group) for index in fitting))

    def _by_pattern(self, pattern: tuple[PatternRule, Any], group: str) -> Match:
        rule, compiled = pattern
        captured = compiled.fullmatch(group).groupdict()
        tenant = rule.tenant or captured.get(TENANT)
        if tenant not in self._tenants:
            return _no_such(rule, tenant, group)
        word = captured.get(ROLE)
        role = rule.role if word is None else rule.roles.get(word)
        why = "" if role is not None else "it says no role" if word is None else f"it says nothing of the role {word!r}"
        return Match(group, rule.place, tenant, role, why)


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


def _no_such(rule: Rule, tenant: str | None, group: str | None = None) -> Match:
    name = group if group is not None else rule.group if isinstance(rule, ExactRule) else ""
    return Match(name, rule.place, None, None, f"there is no tenant {tenant!r}")


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
