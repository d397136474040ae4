"""Patterns of names with slashes, in time that grows with name times pattern, so that anybody may write them.

``*`` and ``?`` stay between two slashes, ``**`` goes over slashes and ``**/`` is any folders or none. Nothing else has
a meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_ANY, _ONE, _ALL, _FOLDERS = "*", "?", "**", "**/"


def fits(name: str, pattern: str) -> bool:
    """Whether the whole ``name``, such as a branch's, fits."""
    return len(name) in _ends(name, _tokens(pattern))


def path_fits(path: str, pattern: str) -> bool:
    """Whether a file's path fits: a pattern without a slash fits a name in any folder, and one that fits a folder fits
    all that is below it."""
    plain = pattern.removeprefix("./").strip("/")
    if plain in ("", "."):
        return True
    tokens = _tokens(plain if "/" in plain else f"**/{plain}")
    return any(end == len(path) or path[end] == "/" for end in _ends(path, tokens))


def any_fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns fits the whole name."""
    return any(fits(name, pattern) for pattern in patterns)


@lru_cache(maxsize=1024)
def _tokens(pattern: str) -> tuple[str, ...]:
    found: list[str] = []
    place = 0
    while place < len(pattern):
        at_folder = not place or pattern[place - 1] == "/"
        wild = _FOLDERS if at_folder and pattern.startswith(_FOLDERS, place) else _ALL
        part = wild if pattern.startswith(wild, place) else pattern[place]
        found.append(part)
        place += len(part)
    # What stands for itself is marked, so that nothing else is taken for it.
    return tuple(part if part in (_ANY, _ONE, _ALL, _FOLDERS) else f"={part}" for part in found)


def _ends(name: str, tokens: tuple[str, ...]) -> set[int]:
    """How many characters of ``name`` the tokens can take, each way."""
    places = {0}
    for token in tokens:
        if not places:
            break
        places = _after(name, places, token)
    return places


def _after(name: str, places: set[int], token: str) -> set[int]:
    match token:
        case "**":
            return set(range(min(places), len(name) + 1))
        case "**/":
            first = min(places)
            return places | {i + 1 for i in range(first, len(name)) if name[i] == "/"}
        case "*":
            reached: set[int] = set()
            for place in sorted(places):
                if place in reached:
                    continue
                end = name.find("/", place)
                reached.update(range(place, (len(name) if end < 0 else end) + 1))
            return reached
        case "?":
            return {place + 1 for place in places if place < len(name) and name[place] != "/"}
    return {place + 1 for place in places if name.startswith(token[1:], place)}
