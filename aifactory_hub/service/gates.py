"""The site's rules, as the service asks them: one place for every verb that changes something."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from ..domain.gates import Override, judge
from ..domain.verdicts import Question, Target, Verdict
from ..policy import RulesProvider


class Gates(Protocol):
    """Judges a question by the rules of now. It blocks for less than a millisecond a rule and does no I/O."""

    @property
    def bundle(self) -> str:
        """The digest of the rules of now; empty where there are none."""

    def about(self, target: Target) -> bool:
        """Whether there is a rule about this target at all."""

    def review(self, question: Question) -> Verdict:
        """What the rules say; nothing is recorded."""


class NoRules:
    """The gates of a site that has no rules."""

    @property
    def bundle(self) -> str:
        """See Gates."""
        return ""

    def about(self, target: Target) -> bool:
        """See Gates."""
        return False

    def review(self, question: Question) -> Verdict:
        """See Gates."""
        return Verdict()


class SiteRules:
    """The gates of a site with rules. ``overrides`` are those that count, kept in memory: there are few."""

    def __init__(self, rules: RulesProvider, clock: Callable[[], float], overrides: Iterable[Override] = ()) -> None:
        self.rules = rules
        self._clock = clock
        self._overrides = tuple(overrides)

    @property
    def bundle(self) -> str:
        """See Gates."""
        return self.rules.current.bundle.digest

    def about(self, target: Target) -> bool:
        """See Gates."""
        return any(rule.target is target for rule in self.rules.current.bundle.rules)

    def review(self, question: Question) -> Verdict:
        """See Gates."""
        loaded, now = self.rules.current, self._clock()
        return judge(loaded.bundle, question, loaded.engine.evaluate, now, self._overrides)

    def count(self, override: Override) -> None:
        """Let an override count from now on, and forget those that are over."""
        now = self._clock()
        self._overrides = (*(each for each in self._overrides if each.until > now), override)
