"""Why a step of a pipeline took an earlier job's result, or why it ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .datasets import GivenVersion

NO_CACHE = "this run takes no earlier result"
# So many files, and so many other parts, are named.
_NAMED = 3
_LONGEST_NAME = 120
# What is told as it is.
_SHOWN = frozenset({"profile", "nodes", "engine"})


def why_taken(inputs: Sequence[str], data: Iterable[GivenVersion]) -> str:
    """What is said of a step that took an earlier job's result."""
    narrowed = f"; of the run's files {_listed(inputs, 'patterns')} decide" if inputs else ""
    return f"nothing that decides it has changed{narrowed}{data_note(data)}"


def why_run(
    run: str,
    before: Mapping[str, str] | None,
    now: Mapping[str, str],
    files: Sequence[str],
    data: Iterable[GivenVersion],
) -> str | None:
    """Why a step ran that has an earlier one, in run ``run``: what of the parts that decide it is not the same.

    ``before`` None: not known. ``files`` says what of the files is not the same, as ``changed_files``. None when all
    parts are the same.
    """
    note = data_note(data)
    if before is None:
        return f"what decided it in run {run} is not known{note}"
    unlike = [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]
    if not unlike:
        return None
    words = [*files] if "files" in unlike else []
    words += [_changed(name[:_LONGEST_NAME], before.get(name), now.get(name)) for name in unlike if name != "files"]
    if not words:
        words = ["its files changed"]
    shown, more = words[:_NAMED], len(words) - _NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"{', '.join(shown)}{rest} since run {run}{note}"


def changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What is not the same of the files that decide, by name with digest: first those of which the content changed."""
    changed = sorted(name for name in now if name in before and before[name] != now[name])
    new, gone = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    words = (("changed", changed), ("is new", new), ("is gone", gone))
    return tuple(f"{name[:_LONGEST_NAME]} {word}" for word, names in words for name in names)


def data_note(data: Iterable[GivenVersion]) -> str:
    """What is not certain of the data: nobody has compared what the job reads with the digest."""
    versions = sorted(data, key=lambda each: (each.name, each.number))
    listings = [each.reference for each in versions if each.kind == "listing"]
    declared = [each.reference for each in versions if each.kind not in (None, "listing")]
    notes = [
        f"; {_listed(names, 'versions')} {'is' if len(names) == 1 else 'are'} {word}"
        for names, word in ((declared, "declared, not verified"), (listings, "known by a listing, not by content"))
        if names
    ]
    return "".join(notes)


def _changed(name: str, before: str | None, now: str | None) -> str:
    if name.startswith("data "):
        return f"{name} {f'@{before}' if before else 'nothing'} became {f'@{now}' if now else 'nothing'}"
    if name in _SHOWN and before and now:
        return f"{name} {before} became {now}"
    return f"{name} {'is new' if before is None else 'is gone' if now is None else 'changed'}"


def _listed(names: Sequence[str], word: str) -> str:
    more = f" and {len(names) - _NAMED} more {word}" if len(names) > _NAMED else ""
    return ", ".join(name[:_LONGEST_NAME] for name in names[:_NAMED]) + more
