"""Rows of the ledger to facts and holds and back, and the hash that chains them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from ..domain.usage import Attribution, FactKind, Hold, Possession, Source, UsageFact

# What the hash of the first row covers in place of the hash before it.
FIRST = ""
# Columns of an event in the order in which the hash covers them.
COVERED = ("seq", "pod", "kind", "source", "number", "at", "earliest", "latest", "observed_at", "body", "note")

Row = RowMapping | Mapping[str, Any]

# Looked up a million times when all of a ledger is read.
_KINDS = {str(kind): kind for kind in FactKind}
_SOURCES = {str(source): source for source in Source}
_ATTRIBUTIONS = {str(attribution): attribution for attribution in Attribution}


def event_values(fact: UsageFact, seq: int, number: int, before: str) -> dict[str, Any]:
    """The row of a fact, after the row with the hash ``before``."""
    row: dict[str, Any] = {
        "seq": seq,
        "pod": fact.pod,
        "kind": str(fact.kind),
        "source": str(fact.source),
        "number": number,
        "at": fact.at,
        "earliest": fact.earliest,
        "latest": fact.latest,
        "observed_at": fact.observed_at,
        "body": "" if fact.possession is None else _body(fact.possession),
        "note": fact.note,
    }
    return {**row, "hash": chained(before, [row[name] for name in COVERED])}


def chained(before: str, covered: Iterable[Any]) -> str:
    """The hash of a row with these values, which comes after the row with the hash ``before``."""
    return hashlib.sha256(before.encode() + covered_bytes(covered)).hexdigest()


def covered_bytes(covered: Iterable[Any]) -> bytes:
    """These values as the hash of a row covers them."""
    return msgspec.json.encode(list(covered))


def fact_of(row: Row) -> UsageFact:
    """The fact of a row."""
    return UsageFact(
        pod=row["pod"],
        kind=_KINDS[row["kind"]],
        source=_SOURCES[row["source"]],
        at=row["at"],
        earliest=row["earliest"],
        latest=row["latest"],
        observed_at=row["observed_at"],
        possession=_possession(msgspec.json.decode(row["body"])) if row["body"] else None,
        note=row["note"],
        place=row["seq"],
    )


def hold_values(hold: Hold, changed: int) -> dict[str, Any]:
    """The row of a hold that the event ``changed`` changed last."""
    whose = hold.possession
    return {
        "pod": hold.pod,
        "tenant": whose.tenant,
        "user": whose.user,
        "profile": whose.profile,
        "kind": whose.kind,
        "owner": whose.owner,
        "name": whose.name,
        "node": whose.node,
        "devices": json.dumps(dict(whose.devices), sort_keys=True),
        "gpus": None if whose.gpus is None else str(whose.gpus),
        "attribution": str(whose.attribution),
        "simulated": whose.simulated,
        "start": hold.start,
        "end": hold.end,
        "latest_end": hold.latest_end,
        "running_from": hold.running_from,
        "ended_by": None if hold.ended_by is None else str(hold.ended_by),
        "source": None if hold.source is None else str(hold.source),
        "void": hold.void,
        "note": hold.note,
        "changed": changed,
    }


def hold_of(row: Row) -> Hold:
    """The hold of a row."""
    whose = Possession(
        tenant=row["tenant"],
        user=row["user"],
        profile=row["profile"],
        kind=row["kind"],
        owner=row["owner"],
        name=row["name"],
        node=row["node"],
        devices=msgspec.json.decode(row["devices"]),
        gpus=_part(row["gpus"]),
        attribution=_ATTRIBUTIONS[row["attribution"]],
        simulated=bool(row["simulated"]),
    )
    return Hold(
        pod=row["pod"],
        possession=whose,
        start=row["start"],
        end=row["end"],
        latest_end=row["latest_end"],
        running_from=row["running_from"],
        ended_by=None if row["ended_by"] is None else _KINDS[row["ended_by"]],
        source=None if row["source"] is None else _SOURCES[row["source"]],
        void=bool(row["void"]),
        note=row["note"],
    )


def renamed(hold: Hold, user: str) -> Hold:
    """The same hold as another user's."""
    return replace(hold, possession=replace(hold.possession, user=user))


def _body(whose: Possession) -> str:
    values = {
        "tenant": whose.tenant,
        "user": whose.user,
        "profile": whose.profile,
        "kind": whose.kind,
        "owner": whose.owner,
        "name": whose.name,
        "node": whose.node,
        "devices": dict(whose.devices),
        "gpus": None if whose.gpus is None else str(whose.gpus),
        "attribution": str(whose.attribution),
        "simulated": whose.simulated,
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _possession(values: dict[str, Any]) -> Possession:
    values["gpus"] = _part(values["gpus"])
    values["attribution"] = _ATTRIBUTIONS[values["attribution"]]
    return Possession(**values)


@lru_cache(maxsize=1000)
def _part(gpus: str | None) -> Fraction | None:
    """How much of a GPU a text says; there are as many as sizes of slices."""
    return None if gpus is None else Fraction(gpus)
