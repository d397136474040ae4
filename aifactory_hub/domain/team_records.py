"""What is known of a team on the host, as the provisioner writes it down: for pages, doctor and people. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .doctor import Finding, Verdict
from .doctor import Stage as Level
from .formatting import duration
from .provisioning import Stage

# Entries that are kept of a team's journal, and characters of one.
MOST_ENTRIES = 50
LONGEST_ENTRY = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done, or that was found: when (epoch seconds) and what."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class TeamRecord:
    """What is known of a team; times in epoch seconds.

    ``since`` is when ``stage`` began. ``opened`` is when its door opened first, None before that. ``last_used`` is when
    it last had a ticket or a pod. ``follows`` says which registry it was made from, ``version`` which vCluster it has.
    ``healed`` counts what was changed by others and put right.
    """

    stage: Stage
    since: float
    sentence: str = ""
    trouble: str = ""
    todo: str = ""
    begun: float = 0.0
    opened: float | None = None
    last_used: float = 0.0
    follows: str = ""
    version: str = ""
    healed: int = 0
    journal: tuple[Entry, ...] = ()

    @classmethod
    def nothing(cls) -> TeamRecord:
        """The record of a team of which nothing is known."""
        return cls(Stage.WALLS, 0.0)

    def noted(self, at: float, text: str) -> TeamRecord:
        """With one more entry; what is older than the last 50 goes."""
        entry = Entry(round(at, 1), text[:LONGEST_ENTRY])
        return replace(self, journal=(*self.journal, entry)[-MOST_ENTRIES:])


def record_of(manifest: Mapping[str, Any]) -> TeamRecord | None:
    """The record in a ConfigMap; None where somebody has made something else of it."""
    data = manifest.get("data") or {}
    try:
        state = json.loads(data["state"])
        entries = [json.loads(line) for line in data.get("journal", "").splitlines()]
        known = {field.name for field in fields(TeamRecord)}
        values = {key: value for key, value in state.items() if key in known}
        journal = tuple(Entry(float(each["at"]), str(each["text"])) for each in entries)
        return TeamRecord(**{**values, "stage": Stage(values["stage"]), "journal": journal})
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def finding_of(team: str, record: TeamRecord | None, now: float) -> Finding:
    """What doctor says of a team that the provisioner keeps; None: it has written nothing of it."""
    check = f"team {team} on the host"
    if record is None:
        todo = "look whether the provisioner runs and what its log says of the team"
        return Finding(Level.TENANCY, check, Verdict.UNKNOWN, "the provisioner has written nothing of it", todo)
    seen = f"{record.stage} for {duration(max(0.0, now - record.since))}: {record.sentence}"
    if record.healed:
        seen += f"; {record.healed} changes of others were put right"
    if record.trouble:
        return Finding(Level.TENANCY, check, Verdict.BAD, f"{seen}; {record.trouble}", record.todo)
    lasting = record.stage in (Stage.READY, Stage.ASLEEP, Stage.RETIRED) and not record.todo
    verdict = Verdict.GOOD if lasting else Verdict.WARNING
    return Finding(Level.TENANCY, check, verdict, seen, record.todo)
