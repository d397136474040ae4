"""What a change in a repository starts, and why it starts nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .git_refs import TAGS
from .globs import path_fits

SKIP_MARK = "[skip factory]"
# A commit that a job of ours has made says so in its last paragraph.
_OWN_TRAILER = re.compile(r"^AIFactory-(?:Job|Run):", re.MULTILINE | re.IGNORECASE)


class EventState(StrEnum):
    """What became of an event. Stable: answers have it."""

    WAITING = "WAITING"
    STARTED = "STARTED"
    SKIPPED = "SKIPPED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True, slots=True)
class TriggerRules:
    """When a trigger starts its pipeline.

    ``branches`` and ``tags`` are patterns of names, ``paths`` of files of which one has to have changed (none: any).
    ``quiet`` is for how many seconds a ref has to stay what it is, so that of several pushes only the last one counts.
    ``per_hour`` is how many runs it may start in an hour. ``ignore_authors`` are mail addresses whose commits start
    nothing. ``skip_mark``: a commit whose message has ``[skip factory]`` starts nothing. ``cancel_on_delete``: runs of
    a branch end with it. ``cron``, in ``time_zone``, names times at which each branch is run as it is then; empty:
    none. ``pushes`` False: changes start nothing, times alone do.
    """

    branches: tuple[str, ...] = ("main",)
    tags: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    quiet: float = 3.0
    per_hour: int = 20
    ignore_authors: tuple[str, ...] = ()
    skip_mark: bool = False
    cancel_on_delete: bool = False
    cron: str = ""
    time_zone: str = "UTC"
    pushes: bool = True


@dataclass(frozen=True, slots=True)
class RefEvent:
    """A ref changed, or its time has come (``scheduled``: ``old`` and ``new`` are the same). ``number`` counts the
    events of this ref. ``by`` is who pushed, where a signed delivery named this very commit; ``forced`` None: not
    known."""

    ref: str
    number: int
    old: str | None
    new: str | None
    seen_at: float
    state: EventState = EventState.WAITING
    reason: str | None = None
    run: str | None = None
    by: str | None = None
    forced: bool | None = None
    scheduled: bool = False

    @property
    def kind(self) -> str:
        """As a run's cause names it."""
        if self.scheduled:
            return "schedule"
        return "tag" if self.ref.startswith(TAGS) else "push"


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done now about the events of a trigger that wait: ``superseded`` by a newer one each, and
    ``ready``, at most one of each ref."""

    superseded: tuple[RefEvent, ...] = ()
    ready: tuple[RefEvent, ...] = ()


def choose_events(waiting: Sequence[RefEvent], rules: TriggerRules, *, now: float) -> Turn:
    """The events whose turn it is. A ref that still changes waits until it is quiet."""
    newest: dict[str, RefEvent] = {}
    for event in sorted(waiting, key=lambda each: each.number):
        newest[event.ref] = event
    superseded = tuple(event for event in waiting if newest[event.ref].number > event.number)
    ready = tuple(event for event in newest.values() if event.new is None or now - event.seen_at >= rules.quiet)
    return Turn(superseded, ready)


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What a commit says of itself. Nobody vouches for it."""

    author: str
    message: str


def commit_skip(rules: TriggerRules, commit: CommitFacts) -> str | None:
    """Why this commit starts nothing; None when nothing speaks against it."""
    if _OWN_TRAILER.search(commit.message):
        return "the commit was made by a job of this hub"
    if commit.author in rules.ignore_authors:
        return f"commits of {commit.author} start nothing"
    if rules.skip_mark and SKIP_MARK in commit.message:
        return f"the commit says {SKIP_MARK}"
    return None


def path_skip(rules: TriggerRules, changed: Collection[str] | None) -> str | None:
    """Why these changed files start nothing. ``changed`` None: not known, so everything counts as changed."""
    if not rules.paths or changed is None or any(path_fits(path, each) for path in changed for each in rules.paths):
        return None
    return f"none of the {len(changed)} changed files fits the trigger's paths"


def rate_skip(rules: TriggerRules, started: int) -> str | None:
    """Why it is too much, after ``started`` runs in the last hour."""
    if started < rules.per_hour:
        return None
    return f"it has started {started} runs within an hour, and {rules.per_hour} are allowed: it may be going in circles"


def rules_json(rules: TriggerRules) -> Mapping[str, object]:
    """As it is stored."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((name, getattr(rules, name)) for name in TriggerRules.__slots__)
    }


def rules_of(stored: Mapping[str, object]) -> TriggerRules:
    """What was stored. Fields that this version does not know are left out."""
    known = {name: value for name, value in stored.items() if name in TriggerRules.__slots__}
    return TriggerRules(**{n: tuple(v) if isinstance(v, list) else v for n, v in known.items()})  # type: ignore[arg-type]
